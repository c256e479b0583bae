"""Looking at photos: decode, find and embed the faces, store what was found. Worker only.

Rows are committed first, then the index follows; every step can be done again.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from faceweb import runtime
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import DecodedImage, decode, encode_jpeg
from faceweb.recognition.pipeline import FoundFace
from people import files
from people.jobs import Status
from people.models import Face, FaceEmbedding, FileRemoval, Photo
from people.services import deletion, indexing, matching

log = logging.getLogger("faceweb.photos")

# Photos looked at as one batch hold at most this many decoded pixels together.
_BATCH_PIXELS = 24_000_000


@dataclass(frozen=True, eq=False)
class _Decoded:
    photo: Photo
    image: DecodedImage
    seconds: float


@dataclass(frozen=True, eq=False)
class _Seen:
    photo: Photo
    image: DecodedImage
    faces: list[FoundFace]
    seconds: float


def process_photos(*, photo_ids: Sequence[int], worker: str) -> set[int]:
    """Look at those of the photos that are queued; return the ids of the imports they belong to.

    Photos that another worker has, or that are done, are passed over.
    """
    claimed = list(Photo.objects.claim(list(photo_ids), worker=worker))
    try:
        embeddings = [row for batch in _decoded_batches(claimed) for row in _look(batch)]
    except BaseException:
        # Not the photos' fault (those are caught one by one): others may have them at once.
        claims = {photo.claim for photo in claimed}
        Photo.objects.filter(claim__in=claims, status=Status.PROCESSING).release(crashed=False)
        raise
    if embeddings:
        indexing.add_embeddings(rows=embeddings)
    return {photo.batch_id for photo in claimed if photo.batch_id}


def _decoded_batches(photos: list[Photo]) -> Iterator[list[_Decoded]]:
    """Decode photos into batches that fit in memory; those that cannot be decoded fail."""
    batch: list[_Decoded] = []
    pixels = 0
    for photo in photos:
        start = time.perf_counter()
        image = _decode(photo)
        if image is None:
            continue
        batch.append(_Decoded(photo, image, time.perf_counter() - start))
        pixels += image.pixels.shape[0] * image.pixels.shape[1]
        if pixels >= _BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _decode(photo: Photo) -> DecodedImage | None:
    """The decoded photo, or None after its row was failed with the reason."""
    try:
        return decoded(photo)
    except ImageError as error:
        _fail(photo, error.problem.value, error.detail)
    except FileNotFoundError as error:
        _fail(photo, "file_missing", str(error))
    return None


def decoded(photo: Photo) -> DecodedImage:
    """The picture, upright. Raises ImageError or FileNotFoundError."""
    with default_storage.open(photo.file.name or "") as file:
        return decode(cast(BinaryIO, file), max_pixels=settings.FACEWEB_MAX_PIXELS)


def _fail(photo: Photo, code: str, detail: str) -> None:
    Photo.objects.filter(pk=photo.pk, claim=photo.claim).fail(code, detail)
    log.warning("photo %d %r failed: %s %s", photo.pk, photo.original_name, code, detail)


def _look(batch: list[_Decoded]) -> list[FaceEmbedding]:
    """Find the faces of one batch of photos and store them; return rows for the index."""
    start = time.perf_counter()
    try:
        found = runtime.pipeline().analyse([one.image for one in batch])
    except Exception as error:
        if len(batch) > 1:  # find out which one it is
            return [row for one in batch for row in _look([one])]
        log.exception("photo %d cannot be looked at", batch[0].photo.pk)
        _fail(batch[0].photo, "unexpected", f"{type(error).__name__}: {error}")
        return []
    share = (time.perf_counter() - start) / len(batch)
    seen = [
        _Seen(one.photo, one.image, faces, one.seconds + share)
        for one, faces in zip(batch, found, strict=True)
    ]
    for one in seen:
        _store_pictures(one)
    embeddings = _commit(seen)
    for one in seen:
        log.info(
            "photo %d %r done: %d faces, %.0f ms",
            one.photo.pk, one.photo.original_name, len(one.faces), one.seconds * 1000,
        )  # fmt: skip
    return embeddings


def _store_pictures(seen: _Seen) -> None:
    """Write the preview, the thumbnail and the crops, over what an earlier try left."""
    key, pixels = seen.photo.key, seen.image.pixels
    sizes = {"preview": files.PREVIEW_SIDE, "thumb": files.THUMB_SIDE}
    for kind, side in sizes.items():
        _write(files.picture(key, kind), encode_jpeg(pixels, longest_side=side))
    for number, face in enumerate(seen.faces, start=1):
        _write(files.crop(key, number), encode_jpeg(face.crop, longest_side=files.CROP_SIDE))


def _write(name: str, content: bytes) -> None:
    default_storage.save(name, ContentFile(content))


def _commit(seen: list[_Seen]) -> list[FaceEmbedding]:
    """Store what was found for those photos that are still ours, in one transaction."""
    spec = runtime.pipeline().spec
    with transaction.atomic():
        claims = {one.photo.claim for one in seen}
        ours = set(
            Photo.objects.select_for_update()
            .filter(pk__in=[one.photo.pk for one in seen], claim__in=claims)
            .values_list("pk", flat=True)
        )
        kept = [one for one in seen if one.photo.pk in ours]
        _forget_lost([one for one in seen if one.photo.pk not in ours])
        deletion.forget_faces(photos=[one.photo for one in kept])
        faces = Face.objects.bulk_create(
            [_face(one.photo, n, f) for one in kept for n, f in enumerate(one.faces, start=1)]
        )
        vectors = [face.embedding for one in kept for face in one.faces]
        embeddings = FaceEmbedding.objects.bulk_create(
            [
                FaceEmbedding(
                    face=face, embedder=spec.slug, version=spec.version, vector=vector.tobytes()
                )
                for face, vector in zip(faces, vectors, strict=True)
            ]
        )
        for one in kept:
            photo = one.photo
            photo.width, photo.height = one.image.width, one.image.height
            photo.status, photo.claim, photo.claimed_by = Status.DONE, None, ""
            photo.lease_expires_at, photo.finished_at = None, timezone.now()
            photo.seconds, photo.error_code, photo.error_detail = one.seconds, "", ""
        Photo.objects.bulk_update(
            [one.photo for one in kept],
            ["width", "height", "status", "claim", "claimed_by", "lease_expires_at",
             "finished_at", "seconds", "error_code", "error_detail"],
        )  # fmt: skip
        for one in kept:
            own = [face for face in faces if face.photo_id == one.photo.pk]
            matching.decide_alone(photo=one.photo, faces=own)
    return embeddings


def _face(photo: Photo, number: int, found: FoundFace) -> Face:
    x1, y1, x2, y2 = (float(v) for v in found.box)
    return Face(
        photo=photo,
        number=number,
        x1=x1, y1=y1, x2=x2, y2=y2,
        landmarks=[[round(float(x), 2), round(float(y), 2)] for x, y in found.landmarks],
        detection_score=found.score,
        crop=files.crop(photo.key, number),
    )  # fmt: skip


def _forget_lost(lost: list[_Seen]) -> None:
    """Photos deleted while they were looked at: what was written for them must go too."""
    gone = [one for one in lost if not Photo.objects.filter(pk=one.photo.pk).exists()]
    FileRemoval.objects.bulk_create(
        FileRemoval(name=name)
        for one in gone
        for name in files.of_photo(
            one.photo.key, one.photo.file.name or "",
            [files.crop(one.photo.key, n) for n in range(1, len(one.faces) + 1)],
        )
    )  # fmt: skip
