"""What waits for a person's word: suggestions one by one, people who may be one, odd faces."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from people.models import Cluster, Edit, EditSubject, Face, Person, PersonPair, Suggestion
from people.problems import Refused
from people.services import automatic, history, scoring
from people.services.assigning import live_person, locked_faces
from people.services.changes import plain, updated, values_of, write
from people.services.history import mention
from people.words import one_in

# Counting goes no further: behind it, how many there are makes no difference.
COUNTED = 1000
# A face is odd if strangers are that unlike in 999 of 1,000 pairs, and more.
_ODD_FMR = 1e-3

# How much of a photo is shown around a face, in sides of its box.
_SURROUNDINGS = 2.4

# What `undo` on the review page goes back over.
_ANSWERS = ("assign", "reject", "not_a_face")


@dataclass(frozen=True)
class Cutting:
    """A face with its surroundings: a square of its photo, in the photo's pixels."""

    face: Face
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Question:
    """May this face be that person? With what helps to decide."""

    suggestion: Suggestion
    face: Cutting
    example: Cutting
    others: list[Face]
    likelihood: str
    chance: str
    # Whether most suggestions from here on are wrong.
    doubtful: bool


@dataclass(frozen=True)
class Counts:
    """How much waits in each part, up to COUNTED; and whether more can come."""

    suggestions: int
    clusters: int
    pairs: int
    odd: int
    automatic: int
    is_guessing: bool


def queue() -> QuerySet[Suggestion]:
    """Suggestions to ask about, most likely first; what was skipped is left out."""
    return Suggestion.objects.open().filter(skipped_at=None).order_by("-score", "pk")


def skipped() -> QuerySet[Suggestion]:
    return Suggestion.objects.open().exclude(skipped_at=None)


def question(*, face_id: int | None = None) -> Question | None:
    """The next question, or the one about this face if there is one."""
    rows = Suggestion.objects.open().select_related("face__photo", "example__photo", "person")
    found = rows.filter(face=face_id).first() if face_id else None
    if found is None:
        found = rows.filter(skipped_at=None).order_by("-score", "pk").first()
    if found is None:
        return None
    others = found.person.faces.active().exclude(pk=found.example_id)
    wrong = expected_wrong(found)
    return Question(
        suggestion=found,
        face=cutting(found.face),
        example=cutting(found.example),
        others=list(others.best_first()[:8]),
        likelihood=likelihood(wrong, found.confidence),
        chance=chance(wrong),
        doubtful=wrong is not None and wrong > 0.5,
    )


def cutting(face: Face) -> Cutting:
    """As much of the photo as shows whose face it is and where; within the photo."""
    width, height = face.photo.width or 1, face.photo.height or 1
    side = min(_SURROUNDINGS * max(face.width, face.height), width, height)
    x, y = (face.x1 + face.x2 - side) / 2, (face.y1 + face.y2 - side) / 2
    return Cutting(face, min(max(x, 0), width - side), min(max(y, 0), height - side), side)


def expected_wrong(suggestion: Suggestion) -> float | None:
    """The share of wrong ones among all suggestions at least as alike as this.

    How many unnamed faces look this much like someone here by chance is known from the
    calibration; how many do is counted. None without a calibration.
    """
    named = Face.objects.searchable().exclude(person=None).count()
    strangers = scoring.scale().strangers(suggestion.similarity, named)
    if strangers is None:
        return None
    alike = Suggestion.objects.open().filter(similarity__gte=suggestion.similarity).count()
    return min(1.0, strangers * Face.objects.unassigned().count() / max(alike, 1))


def likelihood(wrong: float | None, confidence: float | None) -> str:
    """How sure a suggestion is, in words: by the share of wrong ones among those as alike, and by
    the confidence that two such faces are of one person."""
    if wrong is None or confidence is None:
        return "Perhaps"
    steps = ((0.01, 0.99, "Almost certainly"), (0.1, 0.95, "Very likely"), (0.3, 0.7, "Probably"))
    for most, least, words in steps:
        if wrong <= most and confidence >= least:
            return words
    return "Perhaps"


def chance(wrong: float | None) -> str:
    """The share of wrong suggestions, in a sentence."""
    if wrong is None:
        return ""
    if wrong > 0.5:
        return "Most suggestions that are only this alike are wrong."
    if wrong < 1e-4:
        return "Of suggestions this alike, fewer than 1 in 10,000 should be wrong."
    return f"Of suggestions this alike, {one_in(wrong)} should be wrong."


def skip(*, face_id: int) -> int:
    """Put a question off until it is asked for again."""
    return Suggestion.objects.filter(face=face_id).update(skipped_at=timezone.now())


def ask_skipped_again() -> int:
    return skipped().update(skipped_at=None)


def last_answer(*, user: Any) -> Edit | None:
    """The newest answer of this user that is not undone."""
    return history.entries().filter(user=user, kind__in=_ANSWERS, undone_by=None).first()


def counts() -> Counts:
    return Counts(
        suggestions=queue()[:COUNTED].count(),
        clusters=Cluster.objects.waiting()[:COUNTED].count(),
        pairs=pairs()[:COUNTED].count(),
        odd=odd_faces()[:COUNTED].count(),
        automatic=automatic.faces()[:COUNTED].count(),
        is_guessing=scoring.can_guess(),
    )


def pairs() -> QuerySet[PersonPair]:
    """People who may be one, most alike first."""
    return PersonPair.objects.filter(
        dismissed_at=None,
        person__merged_into=None, person__deleted_at=None,
        other__merged_into=None, other__deleted_at=None,
    ).order_by("-similarity", "pk")  # fmt: skip


@dataclass(frozen=True)
class Doubts:
    """What is doubtful about one person: whom they may be too, and how many faces are odd."""

    pairs: list[PersonPair]
    odd: int


def doubts(*, person: Person) -> Doubts:
    return Doubts(
        pairs=list(pairs_of(person_id=person.pk).select_related("person", "other")[:5]),
        odd=odd_faces().filter(person=person).count(),
    )


def pairs_of(*, person_id: int) -> QuerySet[PersonPair]:
    """Those who may be one with this person."""
    return pairs().filter(Q(person=person_id) | Q(other=person_id))


def keep_two(*, pair: PersonPair, user: Any = None) -> Edit:
    """Say that two people are two, so that nobody is asked about them again."""
    with transaction.atomic():
        before = values_of("pair", [pair.pk], lock=True).get(pair.pk)
        if before is None or before["dismissed_at"] is not None:
            raise Refused("nothing_to_do")
        people = [live_person(person) for person in (pair.person, pair.other)]
        after = {"dismissed_at": plain(timezone.now())}
        write("pair", [pair.pk], after)
        return history.record(
            kind="apart",
            summary=f"Said that {mention(people[0])} and {mention(people[1])} are two people",
            user=user,
            changes=[updated("pair", pair.pk, before, after)],
            people=[person.pk for person in people],
        )


def odd_faces() -> QuerySet[Face]:
    """Faces that hardly resemble the rest of their person, least alike first.

    Without those of which somebody said that they are that person all the same. Each has in
    `compare_with` the id of the face of its person that fits best.
    """
    scale = scoring.scale()
    if scale.calibration is None:
        return Face.objects.none()
    confirmed = EditSubject.objects.filter(
        kind=EditSubject.Kind.FACE, subject_id=OuterRef("pk"),
        edit__kind="confirm", edit__undone_by=None,
        edit__subjects__kind=EditSubject.Kind.PERSON,
        edit__subjects__subject_id=OuterRef("person_id"),
    )  # fmt: skip
    limit = scale.calibration.similarity_at(_ODD_FMR)
    odd = Face.objects.active().filter(~Exists(confirmed), fit__lt=limit).exclude(person=None)
    others = Face.objects.active().filter(person=OuterRef("person")).exclude(pk=OuterRef("pk"))
    best = others.order_by(F("fit").desc(nulls_last=True), "pk").values("pk")[:1]
    return odd.annotate(compare_with=Subquery(best)).order_by("fit", "pk")


def confirm(*, face: Face, person: Person, user: Any = None) -> Edit:
    """Say that a face is this person, however little it resembles the others."""
    with transaction.atomic():
        target = live_person(person)
        faces = locked_faces([face.pk], expected={face.pk: target.pk}, active=True)
        after = {"assigned_by": Face.AssignedBy.HAND.value}
        write("face", faces, after)
        return history.record(
            kind="confirm",
            summary=f"Said that a face is {mention(target)}, though it looks different",
            user=user,
            changes=[updated("face", pk, row, after) for pk, row in faces.items()],
            people=[target.pk],
            faces=faces,
        )
