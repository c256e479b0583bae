"""Assigning without being asked, if somebody turned that on; and taking it back in bulk."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from faceweb.recognition.quality import DEFINING_QUALITY
from people.models import Edit, EditSubject, Face, FaceEmbedding, Person, Suggestion
from people.problems import Refused
from people.services import assigning
from people.services.changes import in_chunks
from people.services.scoring import Scale

log = logging.getLogger("faceweb.people")

_GOOD = Q(quality=None) | Q(quality__gte=DEFINING_QUALITY)
# How many of the least certain a preview shows.
_SHOWN = 8


@dataclass(frozen=True)
class Preview:
    """What a rate means here, and whom it would name now; `rate` None: nothing is named.

    `similarity`: from which on; `extrapolated`: so few strangers were never counted. `least` are
    the least certain suggestions that would be accepted.
    """

    rate: float | None
    gallery_size: int
    similarity: float | None
    extrapolated: bool
    faces: int
    people: int
    least: list[Suggestion]


def faces() -> QuerySet[Face]:
    """Faces that were named automatically and that nobody has confirmed, newest first."""
    return (
        Face.objects.active()
        .filter(assigned_by=Face.AssignedBy.AUTOMATIC)
        .exclude(person=None)
        .order_by("-pk")
    )


def assign_certain(*, scale: Scale, gallery_size: int) -> dict[int, list[int]]:
    """Assign the suggestions that are certain enough; return the faces by the person they got.

    Certain enough means: among as many strangers as there are faces to compare with, the
    expected number of ones this alike is at most the rate that was chosen. Runs in the worker.
    """
    by_person = _certain(scale, gallery_size)
    assigned = {
        found.pk: by_person[found.pk]
        for found in Person.objects.filter(pk__in=by_person)
        if _assign(found, by_person[found.pk])
    }
    if assigned:
        log.info("%d faces were named automatically", sum(map(len, assigned.values())))
    return assigned


def preview(*, rate: float | None, scale: Scale) -> Preview:
    """Whom a rate would name, from suggestions that are stored already."""
    size = gallery_size(scale)
    other = replace(scale, rates=replace(scale.rates, automatic_fmr=rate))
    similarity = _similarity(other, size)
    by_person = _certain(other, size)
    found = [face for own in by_person.values() for face in own]
    return Preview(
        rate=rate,
        gallery_size=size,
        similarity=similarity,
        extrapolated=similarity is not None
        and scale.calibration is not None
        and similarity > scale.calibration.counted_to,
        faces=len(found),
        people=len(by_person),
        least=_least(found),
    )


def gallery_size(scale: Scale) -> int:
    """How many faces a suggestion is chosen from: those that define the people search may show.

    The good ones, or all of who has no good one.
    """
    good = Face.objects.filter(_GOOD, person=OuterRef("person"), state=Face.State.ACTIVE)
    named = Face.objects.active().filter(person__is_searchable=True)
    defining = named.filter(_GOOD | ~Exists(good))
    rows = FaceEmbedding.objects.filter(embedder=scale.embedder, version=scale.version)
    return rows.filter(face__in=defining.order_by()).count()


def confirm(*, face_ids: Iterable[int], user: Any) -> list[Edit]:
    """Say that automatic names are right; they count as accepted suggestions from then on."""
    return [
        assigning.assign(
            face_ids=own, person=person, user=user, how=Face.AssignedBy.SUGGESTION,
            expected=dict.fromkeys(own, person.pk),
        )
        for person, own in _by_person(face_ids)
    ]  # fmt: skip


def take_back(*, face_ids: Iterable[int], user: Any) -> list[Edit]:
    """Say that automatic names are wrong; they are remembered as not these people."""
    return [
        assigning.reject(
            face_ids=own, person=person, user=user, expected=dict.fromkeys(own, person.pk)
        )
        for person, own in _by_person(face_ids)
    ]


def take_all_back(*, user: Any, reason: str = "") -> Edit:
    """Take every automatic name that nobody has confirmed away, in one edit.

    Nothing is said against these people: the faces are asked about again, but never named
    automatically again. Raises Refused("nothing_to_do") if there are none.
    """
    with transaction.atomic():
        # Locked, so that none is taken from whom somebody confirms at this moment.
        # In the order in which every edit locks them, so that no two wait for each other.
        rows = faces().select_for_update(of=("self",)).order_by("pk")
        expected = dict(rows.values_list("pk", "person_id"))
        if not expected:
            raise Refused("nothing_to_do")
        return assigning.unassign(
            face_ids=expected, user=user, expected=expected,
            reason=reason or "All automatic names were taken back.",
        )  # fmt: skip


def _similarity(scale: Scale, size: int) -> float | None:
    """From which similarity on suggestions are certain enough; None: they never are."""
    if scale.rates.automatic_fmr is None or scale.calibration is None:
        return None
    return scale.calibration.similarity_at(scale.rates.automatic_fmr / max(size, 1))


def _certain(scale: Scale, size: int) -> dict[int, list[int]]:
    """The faces whose suggestion is certain enough, by the person they would get."""
    similarity = _similarity(scale, size)
    if similarity is None:
        return {}
    by_person: dict[int, list[int]] = {}
    seen: set[tuple[int, int]] = set()
    certain = _open().filter(similarity__gte=similarity).order_by("-similarity", "pk")
    for face, person, photo in certain.values_list("face_id", "person_id", "face__photo_id"):
        # Of two faces in one photo at most one is this person: the more alike.
        if (person, photo) not in seen:
            seen.add((person, photo))
            by_person.setdefault(person, []).append(face)
    return by_person


def _least(face_ids: list[int]) -> list[Suggestion]:
    """The least certain of the suggestions for these faces."""
    found: list[tuple[float, int]] = []
    for chunk in in_chunks(face_ids):
        rows = Suggestion.objects.filter(face__in=chunk)
        found = sorted([*found, *rows.values_list("similarity", "pk")])[:_SHOWN]
    rows = Suggestion.objects.filter(pk__in=[pk for _, pk in found]).order_by("similarity")
    return list(rows.select_related("person", "face__photo", "example__photo"))


def _open() -> QuerySet[Suggestion]:
    """Suggestions for good faces that nobody took a name from before.

    They must rest on what a person said: one automatic name never leads to the next.
    """
    good = Q(face__quality=None) | Q(face__quality__gte=DEFINING_QUALITY)
    undone = Q(edit__kind="assign", edit__user=None, edit__undone_by__isnull=False)
    taken = Q(edit__kind="unassign", edit__undone_by=None)
    about = EditSubject.objects.filter(kind=EditSubject.Kind.FACE, subject_id=OuterRef("face"))
    return (
        Suggestion.objects.open()
        .filter(good, ~Exists(about.filter(undone | taken)))
        .exclude(example__assigned_by=Face.AssignedBy.AUTOMATIC)
    )


def _assign(person: Person, face_ids: list[int]) -> bool:
    try:
        assigning.assign(
            face_ids=face_ids, person=person, user=None, how=Face.AssignedBy.AUTOMATIC,
            expected=dict.fromkeys(face_ids),
        )  # fmt: skip
    except Refused as refusal:
        # Somebody was quicker. What is still open is looked at again next time.
        log.info("not named automatically: %s", refusal)
        return False
    return True


def _by_person(face_ids: Iterable[int]) -> list[tuple[Person, list[int]]]:
    """Those of the faces that still have an automatic name, by person."""
    found: dict[int, list[int]] = {}
    for pk, person in faces().filter(pk__in=list(face_ids)).values_list("pk", "person_id"):
        found.setdefault(person or 0, []).append(pk)
    return [(person, found[person.pk]) for person in Person.objects.filter(pk__in=found)]
