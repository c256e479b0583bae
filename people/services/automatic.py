"""Assigning without being asked, if somebody turned that on; and taking it back in bulk."""

import logging
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from faceweb.recognition.quality import DEFINING_QUALITY
from people.models import Edit, EditSubject, Face, Person, Suggestion
from people.problems import Refused
from people.services import assigning
from people.services.scoring import Scale

log = logging.getLogger("faceweb.people")


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
    if scale.rates.automatic_fmr is None or scale.calibration is None:
        return {}
    rate = scale.rates.automatic_fmr / max(gallery_size, 1)
    certain = _open().filter(similarity__gte=scale.calibration.similarity_at(rate))
    by_person: dict[int, list[int]] = {}
    seen: set[tuple[int, int]] = set()
    rows = certain.order_by("-similarity").values_list("face_id", "person_id", "face__photo_id")
    for face, person, photo in rows:
        # Of two faces in one photo at most one is this person: the more alike.
        if (person, photo) not in seen:
            seen.add((person, photo))
            by_person.setdefault(person, []).append(face)
    assigned = {
        found.pk: by_person[found.pk]
        for found in Person.objects.filter(pk__in=by_person)
        if _assign(found, by_person[found.pk])
    }
    if assigned:
        log.info("%d faces were named automatically", sum(map(len, assigned.values())))
    return assigned


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


def _open() -> QuerySet[Suggestion]:
    """Suggestions for good faces that nobody took an automatic name from before.

    They must rest on what a person said: one automatic name never leads to the next.
    """
    good = Q(face__quality=None) | Q(face__quality__gte=DEFINING_QUALITY)
    undone = EditSubject.objects.filter(
        kind=EditSubject.Kind.FACE, subject_id=OuterRef("face"),
        edit__kind="assign", edit__user=None, edit__undone_by__isnull=False,
    )  # fmt: skip
    return (
        Suggestion.objects.open()
        .filter(good, ~Exists(undone))
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
