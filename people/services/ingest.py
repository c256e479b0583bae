"""Looking at photos: decode, find and embed the faces, store what was found. Worker only.

Rows are committed first, then the index follows; every step can be done again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Exists, OuterRef
from numpy.typing import NDArray

from faceweb import memory, runtime
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.previews import encode_jpeg
from faceweb.recognition.reducing import fitted
from people import files
from people.jobs import Status
from people.models import Face, Import, Photo
from people.services import indexing, refinding, storing
from people.services.refinding import Plan

Pixels = NDArray[np.uint8]

log = logging.getLogger("faceweb.photos")

# Photos looked at as one batch, and the decoded pixels that they hold together: more are no faster.
_BATCH, _BATCH_PIXELS = 12, 4_000_000
# Bytes for each pixel of a photo that is its own preview. Those made here have about a fifth.
_LIGHT = 0.3


@dataclass(frozen=True, eq=False)
class _Decoded:
    photo: Photo
    image: DecodedImage
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """`through`: ids of imports of which no photo waits. `left`: photos that still wait."""

    through: set[int]
    left: list[int]


def process_photos(
    *, photo_ids: Sequence[int], worker: str, pause: Callable[[], bool] = lambda: False
) -> Outcome:
    """Look at those of the photos that are queued.

    Photos that another worker has, or that are done, are passed over. `pause` is asked from time
    to time whether there is something more urgent; then the rest of the photos is left for later.
    Raises OSError, when the others are stored, if the storage failed for one: that passes, so the
    photo goes on waiting.
    """
    claimed = list(Photo.objects.claim(list(photo_ids), worker=worker))
    in_hand = Photo.objects.filter(
        claim__in={photo.claim for photo in claimed}, status=Status.PROCESSING
    )
    plans: list[Plan] = []
    faults: list[OSError] = []
    try:
        for batch in _decoded_batches(claimed, faults):
            plans += _look(batch)
            if pause():
                break
        embeddings = storing.store(plans=plans, spec=runtime.pipeline().spec)
        left = list(in_hand.values_list("pk", flat=True))
    finally:
        # If something went wrong it is not the photos' fault (those are caught one by one): others
        # may have them at once.
        in_hand.release(crashed=False)
    if embeddings:
        indexing.add_embeddings(rows=embeddings)
    memory.give_back()
    _note(plans)
    if faults:
        raise faults[0]
    return Outcome(_through(claimed), left)


def _note(plans: Sequence[Plan]) -> None:
    """A line for the log: one for each photo is work too, of which an import has thousands."""
    if plans:
        seconds = sum(plan.seconds for plan in plans) / len(plans)
        faces = sum(plan.faces for plan in plans)
        log.info(
            "%d photos from %d on: %d faces, %.0f ms a photo",
            len(plans), min(plan.photo.pk for plan in plans), faces, seconds * 1000,
        )  # fmt: skip


def _through(photos: Iterable[Photo]) -> set[int]:
    """The ids of the imports of these photos of which none waits any more."""
    # Asked now: a photo may have come once more, in another import.
    own = Photo.objects.filter(pk__in=[photo.pk for photo in photos]).order_by().values("batch")
    waiting = Photo.objects.pending().filter(batch=OuterRef("pk"))
    imports = Import.objects.filter(~Exists(waiting), pk__in=own)
    return set(imports.values_list("pk", flat=True))


def _decoded_batches(photos: list[Photo], faults: list[OSError]) -> Iterator[list[_Decoded]]:
    """Decode photos into batches that fit in memory, without those that cannot be decoded."""
    batch: list[_Decoded] = []
    pixels = 0
    for photo in photos:
        start = time.perf_counter()
        image = _decode(photo, faults)
        if image is None:
            continue
        batch.append(_Decoded(photo, image, time.perf_counter() - start))
        pixels += image.pixels.shape[0] * image.pixels.shape[1]
        if len(batch) == _BATCH or pixels >= _BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _decode(photo: Photo, faults: list[OSError]) -> DecodedImage | None:
    """The decoded photo, or None after its row was failed with the reason.

    Nor is there one if the storage cannot give it just now: then it is left, and `faults` gets why.
    """
    try:
        return decoded(photo)
    except ImageError as error:
        _fail(photo, error.problem.value, error.detail)
    except FileNotFoundError as error:
        _fail(photo, "file_missing", str(error))
    except OSError as error:
        log.warning("photo %d cannot be read just now: %s", photo.pk, error)
        faults.append(error)
    return None


def decoded(photo: Photo) -> DecodedImage:
    """The picture, upright and turned as people turned it. Raises ImageError, FileNotFoundError."""
    with default_storage.open(photo.file.name or "") as file:
        return decode(
            cast(BinaryIO, file), max_pixels=settings.FACEWEB_MAX_PIXELS, turns=photo.turns
        )


def _fail(photo: Photo, code: str, detail: str) -> None:
    Photo.objects.filter(pk=photo.pk, claim=photo.claim).fail(code, detail)
    log.warning("photo %d %r failed: %s %s", photo.pk, photo.original_name, code, detail)


def _look(batch: list[_Decoded]) -> list[Plan]:
    """Find the faces of one batch of photos and write their pictures; return what is to be stored.

    A photo that cannot be looked at fails.
    """
    start = time.perf_counter()
    try:
        plans = _plans(batch)
    except Exception as error:
        if len(batch) > 1:  # find out which one it is
            return [plan for one in batch for plan in _look([one])]
        log.exception("photo %d cannot be looked at", batch[0].photo.pk)
        _fail(batch[0].photo, "unexpected", f"{type(error).__name__}: {error}")
        return []
    seconds = time.perf_counter() - start + sum(one.seconds for one in batch)
    for plan in plans:
        plan.seconds = seconds / len(batch)
        store_pictures(photo=plan.photo, image=plan.image)
        store_crops(crops=plan.crops)
        plan.forget_pixels()
    return plans


def _plans(batch: list[_Decoded]) -> list[Plan]:
    """Look for faces, and hold them against those that are known in each photo."""
    pipeline = runtime.pipeline()
    found = pipeline.analyse([one.image for one in batch])
    known: dict[int, list[Face]] = {one.photo.pk: [] for one in batch}
    # Photos get their width with the first look, and no face before it.
    seen = [one.photo.pk for one in batch if one.photo.width is not None]
    for face in Face.objects.filter(photo__in=seen).order_by("photo", "number"):
        known[face.photo_id].append(face)
    return [
        refinding.plan(
            photo=one.photo, known=known[one.photo.pk], found=faces,
            image=one.image, pipeline=pipeline,
        )
        for one, faces in zip(batch, found, strict=True)
    ]  # fmt: skip


def store_pictures(*, photo: Photo, image: DecodedImage) -> None:
    """Write the preview and, unless it is that small, the thumb, over those of an earlier look."""
    small = fitted(image.pixels, files.PREVIEW_SIDE)
    name = files.picture(photo.key, "preview")
    if own := _own_preview(image):
        default_storage.save(name, ContentFile(own))
    else:
        _write(name, small, files.PREVIEW_SIDE)
    if max(small.shape) > files.THUMB_SIDE:
        _write(files.picture(photo.key, "thumb"), small, files.THUMB_SIDE)


def _own_preview(image: DecodedImage) -> bytes | None:
    """The photo's own picture, if it is as small and light as a preview: nothing is lost then."""
    is_small = max(image.width, image.height) <= files.PREVIEW_SIDE
    is_light = len(image.jpeg or b"") <= _LIGHT * image.width * image.height
    return image.jpeg if is_small and is_light else None


def store_crops(*, crops: Iterable[tuple[str, Pixels]]) -> None:
    """Write the crops of faces, each under its name."""
    for name, crop in crops:
        _write(name, crop, files.CROP_SIDE)


def _write(name: str, pixels: Pixels, side: int) -> None:
    default_storage.save(name, ContentFile(encode_jpeg(pixels, longest_side=side)))
