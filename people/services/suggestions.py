"""Whom unassigned faces may be: for each the person it resembles most. Runs in the worker.

A suggestion is never made for a person who was rejected for the face, has a face in the same
photo, is hidden from search or deleted.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from faceweb.recognition import fusion
from faceweb.recognition.resemblance import Fuse, Resemblances, resemblances
from people.models import Face, NotSame, Person, Rejection, Suggestion
from people.services import vectors
from people.services.changes import in_chunks
from people.services.scoring import Scale
from people.services.vectors import Bool, Faces

# How many strangers may be expected to be alike enough to be suggested, for each face. At ten
# times as many, hardly any suggestion that is right is gained, and most would be wrong.
SUGGESTED_STRANGERS = 0.1

_FIELDS = ["person", "example", "similarity", "confidence", "score", "skipped_at"]


@dataclass(frozen=True)
class _Guess:
    """Whom a face may be, and which of their faces says so."""

    person_id: int
    example_id: int
    similarity: float
    score: float


def fuse_of(scale: Scale) -> Fuse:
    """How similarities of a face to one person's faces become the score that people are ranked by,
    as in a search. The scale must have a calibration."""
    assert scale.calibration is not None
    return functools.partial(fusion.fused, footing=fusion.footing(scale.calibration))


def threshold(*, scale: Scale, gallery_size: int) -> float:
    """The similarity from which somebody is suggested, where so many faces have a name."""
    fmr = min(scale.rates.possible_fmr, SUGGESTED_STRANGERS / max(gallery_size, 1))
    return scale.thresholds_at(fmr, fmr).possible


def refresh(
    *,
    gallery: Faces,
    scale: Scale,
    face_ids: Iterable[int] | None = None,
    person_ids: Iterable[int] = (),
) -> None:
    """Suggest anew for every unassigned face, or where something changed about some.

    With `face_ids`, these faces, and those for whom one of the people `person_ids` was
    suggested, are compared with everybody; all others only with these people, who may be more
    like them than what was suggested. `gallery` are the faces of all who may be suggested.
    """
    probes = vectors.load(faces=Face.objects.unassigned(), scale=scale)
    asked = np.ones(len(probes), np.bool_)
    better: dict[int, _Guess] = {}
    if face_ids is not None:
        people = sorted(set(person_ids))
        theirs = Suggestion.objects.filter(person__in=people).values_list("face_id", flat=True)
        asked = np.isin(probes.ids, [*face_ids, *theirs])
        changed = gallery.where(np.isin(gallery.people, people))
        better = _guesses(probes.where(~asked), changed, scale, len(gallery))
    found = _guesses(probes.where(asked), gallery, scale, len(gallery))
    with transaction.atomic():
        Suggestion.objects.exclude(face__in=Face.objects.unassigned()).delete()
        known = dict(Suggestion.objects.values_list("face_id", "score")) if better else {}
        found |= {pk: guess for pk, guess in better.items() if guess.score > known.get(pk, -1.0)}
        _write(found, asked=probes.ids[asked].tolist(), scale=scale)


def suggest_again(*, face_id: int, person_id: int, scale: Scale) -> None:
    """Make the suggestion of one person for one face, where an undo took back its answer.

    So that it can be asked again at once; the worker looks at the rest.
    """
    probes = vectors.load(faces=Face.objects.unassigned().filter(pk=face_id), scale=scale)
    theirs = Face.objects.searchable().filter(person=person_id)
    gallery = vectors.load(faces=theirs, scale=scale)
    found = _guesses(probes, gallery, scale, Face.objects.exclude(person=None).count())
    with transaction.atomic():
        _write(found, asked=[], scale=scale)


def _guesses(probes: Faces, gallery: Faces, scale: Scale, size: int) -> dict[int, _Guess]:
    """The best allowed person of each probe that has one, by the id of its face."""
    pairs = resemblances(
        probes.vectors, gallery.vectors, gallery.people,
        threshold=threshold(scale=scale, gallery_size=size), fuse=fuse_of(scale),
    )  # fmt: skip
    best: dict[int, _Guess] = {}
    faces = probes.ids[pairs.probes].tolist()
    examples = gallery.ids[pairs.best].tolist()
    rows = zip(
        _allowed(pairs, probes).tolist(), faces, pairs.people.tolist(), examples,
        pairs.similarities.tolist(), pairs.scores.tolist(), strict=True,
    )  # fmt: skip
    for allowed, face, person, example, similarity, score in rows:
        if allowed and (face not in best or score > best[face].score):
            best[face] = _Guess(person, example, similarity, score)
    return best


def _allowed(pairs: Resemblances, probes: Faces) -> Bool:
    """Which pairs nothing speaks against: no face of that person in the photo, and nobody said
    that the face is not this person, or not the person of one of theirs."""
    photos, faces = probes.photos[pairs.probes].tolist(), probes.ids[pairs.probes].tolist()
    people = pairs.people.tolist()
    said = contradicted(face_ids=set(faces))
    there: set[tuple[int, int]] = set()
    for chunk in in_chunks(sorted(set(photos))):
        named = Face.objects.active().exclude(person=None).filter(photo__in=chunk)
        there |= set(named.values_list("photo_id", "person_id"))
    return np.array(
        [
            (face, person) not in said and (photo, person) not in there
            for face, photo, person in zip(faces, photos, people, strict=True)
        ],
        np.bool_,
    )


def contradicted(*, face_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Pairs of one of these faces and a person of whom somebody said that it is not them."""
    found: set[tuple[int, int | None]] = set()
    for chunk in in_chunks(sorted(face_ids)):
        rejected = Rejection.objects.filter(face__in=chunk)
        found |= set(rejected.values_list("face_id", "person_id"))
        for one, other in (("face", "other"), ("other", "face")):
            apart = NotSame.objects.filter(**{f"{one}__in": chunk})
            found |= set(apart.values_list(f"{one}_id", f"{other}__person_id"))
    return {(face, person) for face, person in found if person is not None}


def _write(found: dict[int, _Guess], *, asked: list[int], scale: Scale) -> None:
    """Store what was found; of the faces that were asked for, the others have none now."""
    there = {row.face_id: row for row in _rows(found.keys() | set(asked))}
    for chunk in in_chunks(pk for pk in asked if pk in there and pk not in found):
        Suggestion.objects.filter(face__in=chunk).delete()
    for chunk in in_chunks(pk for pk, guess in found.items() if not _is(there.get(pk), guess)):
        rows = [_row(pk, found[pk], there.get(pk), scale) for pk in chunk]
        Suggestion.objects.bulk_create(
            _whole(rows), update_conflicts=True, unique_fields=["face"], update_fields=_FIELDS
        )
        _forbid(chunk)


def _rows(face_ids: Iterable[int]) -> Iterable[Suggestion]:
    for chunk in in_chunks(sorted(face_ids)):
        yield from Suggestion.objects.filter(face__in=chunk)


def _is(row: Suggestion | None, guess: _Guess) -> bool:
    return row is not None and (
        (row.person_id, row.example_id) == (guess.person_id, guess.example_id)
        and abs(row.score - guess.score) + abs(row.similarity - guess.similarity) < 1e-5
    )


def _row(face_id: int, guess: _Guess, before: Suggestion | None, scale: Scale) -> Suggestion:
    same = before is not None and before.person_id == guess.person_id
    return Suggestion(
        face_id=face_id,
        person_id=guess.person_id,
        example_id=guess.example_id,
        similarity=guess.similarity,
        confidence=scale.confidence(guess.similarity),
        score=guess.score,
        # Who was skipped for one person comes up again for another.
        skipped_at=before.skipped_at if before is not None and same else None,
    )


def _whole(rows: list[Suggestion]) -> list[Suggestion]:
    """Without those about rows that went while they were compared."""
    faces = {pk for row in rows for pk in (row.face_id, row.example_id)}
    there = set(Face.objects.filter(pk__in=faces).values_list("pk", flat=True))
    people = set(
        Person.objects.filter(pk__in={row.person_id for row in rows}).values_list("pk", flat=True)
    )
    return [r for r in rows if {r.face_id, r.example_id} <= there and r.person_id in people]


def _forbid(face_ids: list[int]) -> None:
    """Take out what was decided while it was worked out."""
    said = Rejection.objects.filter(face=OuterRef("face"), person=OuterRef("person"))
    rows = Suggestion.objects.filter(face__in=face_ids)
    settled = ~Q(face__person=None) | ~Q(face__state=Face.State.ACTIVE)
    stray = ~Q(example__person=F("person"))
    rows.filter(Exists(said) | settled | stray).delete()
