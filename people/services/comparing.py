"""What speaks for and against two people being one, before they are merged."""

from dataclasses import dataclass

from django.db.models import Case, Exists, OuterRef, When

from people.models import Face, Person, Photo, Rejection

_SAMPLES = 12
_OLDEST = 120


@dataclass(frozen=True)
class Side:
    """One of two people, with some of their faces."""

    person: Person
    face_count: int
    faces: list[Face]


@dataclass(frozen=True)
class Comparison:
    """Two people side by side."""

    sides: tuple[Side, Side]
    # Photos in which both have a face: one person is rarely in a photo twice.
    shared_photos: int
    # Faces of one of them of which someone said that they are not the other.
    contradictions: int


def compare(*, person: Person, other: Person) -> Comparison:
    """Both people with their best faces, and what speaks against their being one."""
    theirs = Face.objects.active().filter(photo=OuterRef("pk"))
    shared = Photo.objects.filter(
        Exists(theirs.filter(person=person)), Exists(theirs.filter(person=other))
    )
    said = Rejection.objects.filter(person=person, face__person=other) | Rejection.objects.filter(
        person=other, face__person=person
    )
    return Comparison(
        sides=(_side(person), _side(other)),
        shared_photos=shared.count(),
        contradictions=said.count(),
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


def _side(person: Person) -> Side:
    faces = person.faces.active()
    cover_first = Case(When(pk=person.cover_id, then=0), default=1)
    best = faces.select_related("photo").order_by(cover_first, "-detection_score", "pk")
    return Side(person, faces.count(), list(best[:_SAMPLES]))
