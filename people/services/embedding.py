"""Showing faces to an embedder that has not seen them yet, after it was changed. Worker only.

Nothing is looked for: the places of the faces are known, and so are their names, which stay.
Embeddings by other embedders stay too. A photo is claimed for this while it is and remains done;
a photo that cannot be opened any more keeps its faces and gets the reason as its error code.
"""

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from faceweb import runtime
from faceweb.recognition.detection import Detections
from faceweb.recognition.embedders import EmbedderSpec
from faceweb.recognition.errors import ImageError
from faceweb.recognition.geometry import in_hundredths
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import FoundFace, Pipeline
from people.jobs import LEASE, MAX_CRASHES, Status
from people.models import Face, FaceEmbedding, Photo, Suggestion
from people.services import indexing, leftovers

log = logging.getLogger("faceweb.photos")

Float32 = NDArray[np.float32]

_CRASHED = "crashed_worker"


@dataclass(frozen=True, eq=False)
class _Seen:
    """A face and its embedding; and what else was seen if its landmarks were found just now."""

    face: Face
    vector: Float32
    found: FoundFace | None = None


def embed_photos(*, photo_ids: Sequence[int], worker: str) -> int:
    """Show the active embedder those faces of these photos that it has not seen.

    Photos that another worker has are passed over. Returns for how many photos something
    changed: faces were embedded, or it was noted why they cannot be. Raises OSError, when the
    others are done, if the storage failed for one: that passes, so the photo is not set aside.
    """
    claimed = list(_claim(photo_ids, worker=worker))
    try:
        outcomes, faults = _embed_each(claimed)
    finally:
        claims = {photo.claim for photo in claimed}
        _held().filter(claim__in=claims).update(**_FREE)
    if rows := [row for rows in outcomes for row in rows or ()]:
        indexing.add_embeddings(rows=rows)
    if faults:
        raise faults[0]
    return sum(rows is not None for rows in outcomes)


def release(*, worker: str | None = None) -> None:
    """Free photos that a dead worker held for this, and set aside what killed it twice.

    `worker` is the name of a worker that has just started: what it held in a former life is
    freed at once, and photos that could not be opened get another chance.
    """
    lost = Q(lease_expires_at__lt=timezone.now())
    if worker is not None:
        lost |= Q(claimed_by=worker)
        failed = Photo.objects.filter(status=Status.DONE).exclude(error_code__in=("", _CRASHED))
        failed.update(error_code="", error_detail="")
    held = _held().filter(lost)
    held.filter(crashes__gte=MAX_CRASHES - 1).update(error_code=_CRASHED, **_FREE)
    held.update(crashes=F("crashes") + 1, **_FREE)


_FREE: dict[str, Any] = {"claim": None, "claimed_by": "", "lease_expires_at": None}


def _held() -> QuerySet[Photo]:
    """Photos that are done, and claimed for this."""
    return Photo.objects.filter(status=Status.DONE).exclude(claim=None)


def _claim(photo_ids: Sequence[int], *, worker: str) -> QuerySet[Photo]:
    """Those of the photos that are free. One that was in hand at a crash is taken alone."""
    free = Photo.objects.filter(
        pk__in=list(photo_ids), status=Status.DONE, error_code="", claim=None
    )
    if len(photo_ids) > 1:
        free = free.filter(crashes=0)
    token = uuid.uuid4()
    free.update(claim=token, claimed_by=worker, lease_expires_at=timezone.now() + LEASE)
    return Photo.objects.filter(claim=token, status=Status.DONE).order_by("pk")


def _embed_each(
    claimed: Iterable[Photo],
) -> tuple[list[list[FaceEmbedding] | None], list[OSError]]:
    """What became of each photo, and the faults of the storage."""
    outcomes: list[list[FaceEmbedding] | None] = []
    faults: list[OSError] = []
    for photo in claimed:
        try:
            outcomes.append(_embed(photo))
        except OSError as error:
            log.warning("photo %d cannot be read just now: %s", photo.pk, error)
            faults.append(error)
    return outcomes, faults


def _embed(photo: Photo) -> list[FaceEmbedding] | None:
    """Rows for the index, none if the photo was set aside; None if there was nothing to do."""
    pipeline = runtime.pipeline()
    spec = pipeline.spec
    unseen = photo.faces.without_embedding(spec.slug, spec.version)
    faces = list(unseen.exclude(crop="").order_by("number"))
    if not faces:
        return None
    try:
        image = _image(photo)
    except ImageError as error:
        return _set_aside(photo, error.problem.value, error.detail)
    except FileNotFoundError as error:
        return _set_aside(photo, "file_missing", str(error))
    try:
        seen = _see(pipeline, image, faces)
    except Exception as error:
        log.exception("the faces of photo %d cannot be embedded", photo.pk)
        return _set_aside(photo, "unexpected", f"{type(error).__name__}: {error}")
    return _store(photo, seen, spec)


def _image(photo: Photo) -> DecodedImage:
    """The picture. Raises ImageError, FileNotFoundError, and OSError if the storage fails."""
    # Read whole before it is decoded: to a decoder a fault of the storage is a damaged picture.
    with default_storage.open(photo.file.name or "") as file:
        content = file.read()
    return decode(content, max_pixels=settings.FACEWEB_MAX_PIXELS, turns=photo.turns)


def _see(pipeline: Pipeline, image: DecodedImage, faces: list[Face]) -> list[_Seen]:
    """Embed faces from where they are in the photo."""
    placed = [face for face in faces if _has_landmarks(face)]
    known = Detections(
        boxes=_boxes(placed) / np.float32(image.scale),
        landmarks=np.array([face.landmarks for face in placed], np.float32).reshape(-1, 5, 2)
        / np.float32(image.scale),
        scores=np.array([face.detection_score for face in placed], np.float32),
    )
    vectors = pipeline.embed(image.pixels, known)
    seen = [_Seen(face, vector) for face, vector in zip(placed, vectors, strict=True)]
    # Faces that came with a box alone: their landmarks are looked for.
    bare = [face for face in faces if not _has_landmarks(face)]
    for face, found in zip(bare, pipeline.embed_boxes(image, _boxes(bare)), strict=True):
        seen.append(_Seen(face, found.embedding, found if found.score else None))
    return seen


def _boxes(faces: Sequence[Face]) -> Float32:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def _has_landmarks(face: Face) -> bool:
    """Whether five different places are known."""
    return len(face.landmarks) == 5 and len({tuple(point) for point in face.landmarks}) == 5


def _set_aside(photo: Photo, code: str, detail: str) -> list[FaceEmbedding]:
    """Note why the faces of a photo cannot be embedded; they are there all the same."""
    _held().filter(pk=photo.pk, claim=photo.claim).update(
        error_code=code, error_detail=detail[:500]
    )
    log.warning("photo %d %r cannot be embedded: %s", photo.pk, photo.original_name, code)
    return []


def _store(photo: Photo, seen: list[_Seen], spec: EmbedderSpec) -> list[FaceEmbedding]:
    """Store embeddings of those faces that are still there; return rows for the index."""
    with transaction.atomic():
        ours = _held().select_for_update().filter(pk=photo.pk, claim=photo.claim)
        if not ours.exists():
            return []
        faces = {one.face.pk: one for one in seen}
        still = _unmoved(faces)
        _forget_other_versions(still, spec)
        for pk in still:
            if (found := faces[pk].found) is not None:
                Face.objects.filter(pk=pk).update(
                    landmarks=in_hundredths(found.landmarks),
                    quality=found.quality,
                    quality_reasons=list(found.quality_reasons),
                )
        FaceEmbedding.objects.bulk_create(
            [
                FaceEmbedding(
                    face_id=pk,
                    embedder=spec.slug,
                    version=spec.version,
                    vector=faces[pk].vector.tobytes(),
                )
                for pk in sorted(still)
            ],
            ignore_conflicts=True,
        )
        # Made with the other embedder; by this one's similarities they say something else.
        Suggestion.objects.filter(face__in=still).delete()
        Face.objects.filter(pk__in=still).exclude(fit=None).update(fit=None)
        ours.update(crashes=0)
        rows = FaceEmbedding.objects.filter(
            face__in=still, embedder=spec.slug, version=spec.version, indexed_at=None
        )
        return list(rows)


def _unmoved(seen: Mapping[int, _Seen]) -> set[int]:
    """Those faces that are still there, with the box that was looked at."""
    now = Face.objects.filter(pk__in=seen).exclude(crop="")
    return {face.pk for face in now if face.box == seen[face.pk].face.box}


def _forget_other_versions(face_ids: Iterable[int], spec: EmbedderSpec) -> None:
    """What other weights of the same embedder made of these faces is replaced."""
    rows = FaceEmbedding.objects.filter(face__in=face_ids, embedder=spec.slug)
    old = rows.exclude(version=spec.version)
    leftovers.note_points(embeddings=old)
    old.delete()
