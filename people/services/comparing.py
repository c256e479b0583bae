"""What speaks for and against people being one, before they are merged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Count, F, When, Window
from django.db.models.functions import RowNumber

from people.models import Face, Person, Rejection

_SAMPLES = 12
_OLDEST = 120


@dataclass(frozen=True)
class Side:
    """One of the people, with some of their faces."""

    person: Person
    face_count: int
    faces: list[Face]


@dataclass(frozen=True)
class Comparison:
    """People side by side."""

    sides: Sequence[Side]
    # Photos in which several have a face: one person is rarely in a photo twice.
    shared_photos: int
    # Faces of one of them of which someone said that they are not another.
    contradictions: int


def compare(*, people: Sequence[Person]) -> Comparison:
    """Several people with their best faces, and what speaks against their being one.

    The number of queries does not grow with them.
    """
    theirs = Face.objects.active().filter(person__in=people).order_by()
    counts = dict(theirs.values_list("person").annotate(n=Count("pk")))
    together = theirs.values("photo").annotate(n=Count("person", distinct=True)).filter(n__gt=1)
    said = Rejection.objects.filter(person__in=people, face__person__in=people)
    cover_first = Case(When(pk=F("person__cover"), then=0), default=1)
    best = theirs.annotate(
        place=Window(
            RowNumber(),
            partition_by=F("person"),
            order_by=[cover_first, F("detection_score").desc(), F("pk")],
        )
    ).filter(place__lte=_SAMPLES)
    places = dict(best.values_list("pk", "place"))
    faces: dict[int | None, list[Face]] = defaultdict(list)
    rows = Face.objects.filter(pk__in=places).select_related("photo")
    for face in sorted(rows, key=lambda face: places[face.pk]):
        faces[face.person_id].append(face)
    return Comparison(
        sides=[Side(one, counts.get(one.pk, 0), faces[one.pk]) for one in people],
        shared_photos=together.count(),
        contradictions=said.exclude(person=F("face__person")).count(),
    )


def oddity(*, face: Face, person: Person) -> str:
    """Why a face can hardly be this person, by the year of its photo; empty if nothing is odd."""
    taken = face.photo.taken_at
    if taken is None or person.birth_year is None:
        return ""
    if taken.year < person.birth_year:
        return f"Photo of {taken.year}, before the birth year"
    if taken.year > person.birth_year + _OLDEST:
        return f"Photo of {taken.year}, {taken.year - person.birth_year} years after the birth"
    return ""
