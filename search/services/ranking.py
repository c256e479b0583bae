"""Whose face is it? The nearest stored faces, whose they are, and the people in order. Worker only.

The index says which stored faces are near; the database says whose they are, and whether they
may be shown. People are ranked by all of their faces (faceweb.recognition.fusion), and judged by
the one that is most alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from numpy.typing import NDArray

from faceweb.recognition import fusion
from faceweb.recognition.calibration import Thresholds
from faceweb.recognition.embedders import EmbedderSpec
from faceweb.recognition.fusion import Footing
from faceweb.recognition.quality import defines_person
from faceweb.vectors.base import Hit, VectorIndex
from people.models import FaceEmbedding
from people.services import scoring
from people.services.scoring import Scale
from search.models import Verdict
from search.services.searches import live_faces

Float32 = NDArray[np.float32]

# Hits asked for at first, and for each person wanted; more are fetched while people are missing.
_FEWEST_HITS, _HITS_PER_PERSON, _MOST_HITS = 100, 8, 10_000
# People whose faces are all looked at, though fewer are wanted: the right one is always among the
# first five by the most similar face.
_PEOPLE_CONSIDERED = 20
# A person's best faces that are looked at; further ones add nothing but time.
_FACES_EACH = 200
# A face speaks for its person where so small a share of strangers is that alike.
SUPPORT_FMR = 1e-3


@dataclass(frozen=True)
class Found:
    """A person (or nobody yet) with the stored face that is most like a probe face.

    `score` is what people are ranked by. `support`: the faces of the person that agree, the most
    similar first; `compared`: how many were compared. `verdict`, `confidence` and `strangers` are
    None without a calibration.
    """

    face_id: int
    person_id: int | None
    similarity: float
    score: float
    verdict: Verdict | None = None
    confidence: float | None = None
    strangers: float | None = None
    support: tuple[int, ...] = ()
    compared: int = 1


@dataclass(frozen=True)
class Answer:
    """Who a probe face resembles, best first. `margin`: how far the first score is ahead of the
    best one of another person, in the default embedder's measure; None if there is no other."""

    found: list[Found] = field(default_factory=list)
    margin: float | None = None


@dataclass(frozen=True)
class _Known:
    """A stored face and whose it is."""

    face_id: int
    person_id: int | None
    similarity: float
    defining: bool


@dataclass(frozen=True)
class _Gallery:
    """What a search is held against, and what its similarities mean."""

    index: VectorIndex
    spec: EmbedderSpec
    scale: Scale
    size: int
    thresholds: Thresholds
    # From these similarities on, two faces are one person, and a face speaks for its person.
    same: float
    support: float
    footing: Footing | None


def identify(
    *, vectors: Float32 | None, top: int, index: VectorIndex, spec: EmbedderSpec, size: int = 1
) -> list[Answer]:
    """For each probe vector (n, d), the `top` people it resembles most.

    `size` is the number of faces compared with: the more there are, the more alike must be what
    is called a match. A face of nobody stands alone.
    """
    if vectors is None or not len(vectors):
        return []
    scale = scoring.scale(spec.slug)
    known = scale.calibration
    gallery = _Gallery(
        index, spec, scale, size,
        thresholds=scale.thresholds(size),
        same=scale.thresholds().match,
        support=known.similarity_at(SUPPORT_FMR) if known else np.inf,
        footing=fusion.footing(known) if known else None,
    )  # fmt: skip
    return [_identify_one(vector, top, gallery) for vector in vectors]


def _identify_one(vector: Float32, top: int, gallery: _Gallery) -> Answer:
    """Ask for more and more hits until there are enough people or no more points."""
    limit = max(top * _HITS_PER_PERSON, _FEWEST_HITS)
    while True:
        hits = gallery.index.search(gallery.spec.collection, vector[None], limit=limit)[0]
        near = _near(hits, gallery.spec)
        owners = {one.person_id or -one.face_id for one in near}
        if len(owners) >= top or len(hits) < limit or limit >= _MOST_HITS:
            break
        limit = min(limit * 4, _MOST_HITS)
    found = _people(near, vector, max(top, _PEOPLE_CONSIDERED), gallery)
    nobody = [one for one in near if one.person_id is None][: max(top, _PEOPLE_CONSIDERED)]
    found += [_found([one], gallery) for one in nobody]
    vectors = _vectors(_rows(gallery.spec).filter(face__in=[one.face_id for one in found]))
    ordered = _names_first(found, vectors, gallery)
    return Answer(ordered[:top], _margin(ordered, vectors, gallery))


def _near(hits: Sequence[Hit], spec: EmbedderSpec) -> list[_Known]:
    """Join hits to live rows, nearest first."""
    rows = _rows(spec).filter(pk__in=[hit.id for hit in hits])
    owners = {
        pk: (face, person, quality)
        for pk, face, person, quality in rows.values_list(
            "pk", "face_id", "face__person_id", "face__quality"
        )
    }
    return [
        _Known(face, person, hit.similarity, defines_person(quality))
        for hit in hits
        if hit.id in owners
        for face, person, quality in [owners[hit.id]]
    ]


def _people(near: list[_Known], vector: Float32, most: int, gallery: _Gallery) -> list[Found]:
    """The first `most` people among the nearest faces, with all of their faces looked at."""
    faces: dict[int, dict[int, _Known]] = {}
    for one in near:
        person = one.person_id
        if person is not None and (person in faces or len(faces) < most):
            faces.setdefault(person, {})[one.face_id] = one
    place = Window(
        RowNumber(), partition_by=F("face__person"),
        order_by=(F("face__quality").desc(nulls_last=True), "face_id"),
    )  # fmt: skip
    rows = _rows(gallery.spec).filter(face__person__in=list(faces))
    rows = rows.annotate(place=place).filter(place__lte=_FACES_EACH)
    for face, person, quality, blob in rows.values_list(
        "face_id", "face__person_id", "face__quality", "vector"
    ):
        similarity = float(np.frombuffer(bytes(blob), np.float32) @ vector)
        faces[person][face] = _Known(face, person, similarity, defines_person(quality))
    return [_found(list(of_one.values()), gallery) for of_one in faces.values()]


def _found(faces: list[_Known], gallery: _Gallery) -> Found:
    """Judge one person by the faces that define a person; by all if there are none."""
    ranked = sorted(faces, key=lambda one: -one.similarity)
    ranked = [one for one in ranked if one.defining] or ranked
    best, scale = ranked[0], gallery.scale
    similarities = [one.similarity for one in ranked]
    support = [one.face_id for one in ranked if one.similarity >= gallery.support]
    return Found(
        face_id=best.face_id,
        person_id=best.person_id,
        similarity=best.similarity,
        score=best.similarity
        if gallery.footing is None
        else fusion.fused(similarities, gallery.footing),
        verdict=verdict_of(best.similarity, gallery.thresholds) if scale.calibration else None,
        confidence=scale.confidence(best.similarity),
        strangers=scale.strangers(best.similarity, gallery.size),
        support=tuple(support) or (best.face_id,),
        compared=len(ranked),
    )


def verdict_of(similarity: float, thresholds: Thresholds) -> Verdict:
    if similarity >= thresholds.match:
        return Verdict.MATCH
    return Verdict.POSSIBLE if similarity >= thresholds.possible else Verdict.UNKNOWN


def _names_first(found: list[Found], vectors: dict[int, Float32], gallery: _Gallery) -> list[Found]:
    """Matches, then possible matches, then the rest, each by score; but prefer names where that
    does not mislead.

    A matching person comes before unnamed faces that match that person too: those are most
    likely more pictures of the same person. Among merely possible answers, which differ by
    little more than chance, all names come first.
    """
    by_score = sorted(found, key=lambda one: -one.score)
    ordered: list[Found] = []
    for one in (one for one in by_score if one.verdict == Verdict.MATCH):
        place = len(ordered)
        while one.person_id is not None and place > 0:
            before = ordered[place - 1]
            if before.person_id is not None or not _alike(one, before, vectors, gallery.same):
                break
            place -= 1
        ordered.insert(place, one)
    possible = [one for one in by_score if one.verdict == Verdict.POSSIBLE]
    rest = [one for one in by_score if one.verdict not in (Verdict.MATCH, Verdict.POSSIBLE)]
    return ordered + sorted(possible, key=lambda one: one.person_id is None) + rest


def _margin(ordered: list[Found], vectors: dict[int, Float32], gallery: _Gallery) -> float | None:
    """How far the first is ahead of the best other person, not of more pictures of the first."""
    if not ordered:
        return None
    first = ordered[0]
    others = [
        one.score
        for one in ordered[1:]
        if None not in (one.person_id, first.person_id)
        or not _alike(first, one, vectors, gallery.same)
    ]
    stretch = 1.0 if gallery.footing is None else gallery.footing.stretch
    return max(first.score - max(others), 0.0) * stretch if others else None


def _alike(one: Found, other: Found, vectors: dict[int, Float32], same: float) -> bool:
    if one.face_id not in vectors or other.face_id not in vectors:
        return False  # deleted a moment ago
    return float(vectors[one.face_id] @ vectors[other.face_id]) >= same


def _rows(spec: EmbedderSpec) -> QuerySet[FaceEmbedding]:
    """The embeddings that may be shown now."""
    return FaceEmbedding.objects.filter(
        embedder=spec.slug, version=spec.version, face__in=live_faces()
    )


def _vectors(rows: QuerySet[FaceEmbedding]) -> dict[int, Float32]:
    pairs = rows.values_list("face_id", "vector")
    return {face: np.frombuffer(bytes(vector), np.float32) for face, vector in pairs}
