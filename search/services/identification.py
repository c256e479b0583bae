"""Answering a search: the probe photo's faces, and for each the most similar known people.

Worker only. The index says which stored faces are near; the database says whose they are,
and whether they may be shown.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from faceweb import runtime
from faceweb.recognition.embedders import EmbedderSpec
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import DecodedImage, decode, encode_jpeg
from faceweb.recognition.pipeline import FoundFace
from faceweb.recognition.thresholds import Thresholds
from faceweb.vectors.base import Hit
from people.files import CROP_SIDE, PREVIEW_SIDE
from people.jobs import Status
from people.models import FaceEmbedding, FileRemoval
from search import files
from search.models import Candidate, ProbeFace, Search, Verdict
from search.services.searches import live_faces

log = logging.getLogger("faceweb.search")

Float32 = NDArray[np.float32]

# Hits asked for at first for each person wanted; more are fetched while people are missing.
_HITS_PER_PERSON = 8
_MOST_HITS = 10_000


@dataclass(frozen=True)
class Found:
    """A person (or nobody yet) with the stored face of theirs that is most like a probe face."""

    face_id: int
    person_id: int | None
    similarity: float
    verdict: Verdict


def run_search(*, search_id: uuid.UUID, worker: str) -> None:
    """Answer a queued search; one that is in other hands or answered is passed over."""
    search = Search.objects.claim([search_id], worker=worker).first()
    if search is None:
        return
    start = time.perf_counter()
    try:
        with default_storage.open(search.file.name or "") as file:
            image = decode(cast(BinaryIO, file), max_pixels=settings.FACEWEB_MAX_PIXELS)
        faces = runtime.pipeline().analyse([image], mirrored=True)[0]
        gallery_size = runtime.index().count(runtime.pipeline().spec.collection)
        vectors = np.stack([face.embedding for face in faces]) if faces else None
        found = identify(vectors=vectors, top=search.top, gallery_size=gallery_size)
    except ImageError as error:
        _fail(search, error.problem.value, error.detail)
        return
    except FileNotFoundError as error:
        _fail(search, "file_missing", str(error))
        return
    except Exception as error:
        log.exception("search %s failed", search.pk)
        _fail(search, "unexpected", f"{type(error).__name__}: {error}")
        return
    _store_pictures(search, image, faces)
    search.gallery_size, search.seconds = gallery_size, time.perf_counter() - start
    _commit(search, image, faces, found)
    log.info(
        "search %s %r done: %d faces, %.0f ms",
        search.pk, search.original_name, len(faces), (time.perf_counter() - start) * 1000,
    )  # fmt: skip


def identify(*, vectors: Float32 | None, top: int, gallery_size: int = 1) -> list[list[Found]]:
    """For each probe vector (n, d), the `top` most similar people, best first.

    `gallery_size` is the number of faces compared with: the more there are, the more alike
    must be what is called a match.

    Faces are grouped by person, each person standing with the best face; a face of nobody
    stands alone.
    """
    if vectors is None or not len(vectors):
        return []
    spec = runtime.pipeline().spec
    thresholds = spec.thresholds_among(gallery_size)
    return [_identify_one(vector, top, spec, thresholds) for vector in vectors]


def verdict_of(similarity: float, thresholds: Thresholds) -> Verdict:
    if similarity >= thresholds.match:
        return Verdict.MATCH
    return Verdict.POSSIBLE if similarity >= thresholds.possible else Verdict.UNKNOWN


def _identify_one(
    vector: Float32, top: int, spec: EmbedderSpec, thresholds: Thresholds
) -> list[Found]:
    """Ask for more and more hits until there are enough people or no more points."""
    limit = top * _HITS_PER_PERSON
    while True:
        hits = runtime.index().search(spec.collection, vector[None], limit=limit)[0]
        found = _grouped(hits, spec, thresholds)
        if len(found) >= top or len(hits) < limit or limit >= _MOST_HITS:
            return _names_first(found, spec)[:top]
        limit = min(limit * 4, _MOST_HITS)


def _names_first(found: list[Found], spec: EmbedderSpec) -> list[Found]:
    """Prefer answers that are names, where that does not mislead.

    A matching person comes before unnamed faces that match that person too: those are most
    likely more pictures of the same person. Among merely possible answers, which differ by
    little more than chance, all names come first. Otherwise the more similar comes first.
    """
    ordered: list[Found] = []
    matches = [one for one in found if one.verdict == Verdict.MATCH]
    vectors = _vectors_of(matches, spec)
    for one in matches:
        place = len(ordered)
        while one.person_id is not None and place > 0:
            before = ordered[place - 1]
            if before.person_id is not None or not _alike(one, before, vectors, spec):
                break
            place -= 1
        ordered.insert(place, one)
    possible = [one for one in found if one.verdict == Verdict.POSSIBLE]
    unknown = [one for one in found if one.verdict == Verdict.UNKNOWN]
    return ordered + sorted(possible, key=lambda one: one.person_id is None) + unknown


def _vectors_of(found: list[Found], spec: EmbedderSpec) -> dict[int, Float32]:
    rows = FaceEmbedding.objects.filter(
        face__in=[one.face_id for one in found], embedder=spec.slug, version=spec.version
    )
    pairs = rows.values_list("face_id", "vector")
    return {face: np.frombuffer(bytes(vector), np.float32) for face, vector in pairs}


def _alike(one: Found, other: Found, vectors: dict[int, Float32], spec: EmbedderSpec) -> bool:
    if one.face_id not in vectors or other.face_id not in vectors:
        return False  # deleted a moment ago
    similarity = float(vectors[one.face_id] @ vectors[other.face_id])
    return similarity >= spec.thresholds.match


def _grouped(hits: Sequence[Hit], spec: EmbedderSpec, thresholds: Thresholds) -> list[Found]:
    """Join hits to live rows and keep the best face of each person."""
    rows = FaceEmbedding.objects.filter(
        pk__in=[hit.id for hit in hits],
        embedder=spec.slug,
        version=spec.version,
        face__in=live_faces(),
    )
    owners = {pk: (face, person) for pk, face, person in
              rows.values_list("pk", "face_id", "face__person_id")}  # fmt: skip
    found: list[Found] = []
    seen: set[int] = set()
    for hit in hits:
        if hit.id not in owners:
            continue
        face_id, person_id = owners[hit.id]
        if person_id is not None:
            if person_id in seen:
                continue
            seen.add(person_id)
        verdict = verdict_of(hit.similarity, thresholds)
        found.append(Found(face_id, person_id, hit.similarity, verdict))
    return found


def _fail(search: Search, code: str, detail: str) -> None:
    Search.objects.filter(pk=search.pk, claim=search.claim).fail(code, detail)
    log.warning("search %s %r failed: %s %s", search.pk, search.original_name, code, detail)


def _store_pictures(search: Search, image: DecodedImage, faces: list[FoundFace]) -> None:
    pictures = {files.picture(search.pk): encode_jpeg(image.pixels, longest_side=PREVIEW_SIDE)}
    for number, face in enumerate(faces, start=1):
        pictures[files.crop(search.pk, number)] = encode_jpeg(face.crop, longest_side=CROP_SIDE)
    for name, content in pictures.items():
        default_storage.save(name, ContentFile(content))


def _commit(
    search: Search, image: DecodedImage, faces: list[FoundFace], found: list[list[Found]]
) -> None:
    with transaction.atomic():
        mine = Search.objects.select_for_update().filter(pk=search.pk, claim=search.claim)
        if not mine.exists():
            # Deleted while it was answered: what was written for it must go too.
            numbers = range(1, len(faces) + 1)
            names = [files.picture(search.pk), *(files.crop(search.pk, n) for n in numbers)]
            FileRemoval.objects.bulk_create(FileRemoval(name=name) for name in names)
            return
        ProbeFace.objects.filter(search=search).delete()
        for number, (face, candidates) in enumerate(zip(faces, found, strict=True), start=1):
            probe = _probe(search, number, face, candidates)
            Candidate.objects.bulk_create(
                Candidate(
                    probe=probe, rank=rank, person_id=one.person_id, face_id=one.face_id,
                    similarity=one.similarity, verdict=one.verdict,
                )
                for rank, one in enumerate(candidates, start=1)
            )  # fmt: skip
        mine.update(
            status=Status.DONE, claim=None, claimed_by="", lease_expires_at=None,
            width=image.width, height=image.height, seconds=search.seconds,
            gallery_size=search.gallery_size, finished_at=timezone.now(),
            embedder=runtime.pipeline().spec.slug,
        )  # fmt: skip


def _probe(search: Search, number: int, face: FoundFace, candidates: list[Found]) -> ProbeFace:
    x1, y1, x2, y2 = (float(v) for v in face.box)
    return ProbeFace.objects.create(
        search=search,
        number=number,
        x1=x1, y1=y1, x2=x2, y2=y2,
        landmarks=[[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        detection_score=face.score,
        verdict=candidates[0].verdict if candidates else Verdict.UNKNOWN,
    )  # fmt: skip
