"""Looking at the boxes that people drew or moved. Worker only.

It can be done again at any time: a box that has been looked at has a crop.
"""

import logging
from collections.abc import Iterable

import numpy as np
from django.db import transaction

from faceweb import runtime
from faceweb.recognition.errors import ImageError
from faceweb.recognition.pipeline import FoundFace
from people import files
from people.jobs import Status
from people.models import Face, FaceEmbedding, Photo
from people.services import indexing, ingest, leftovers, storing

log = logging.getLogger("faceweb.photos")


def look(*, photo_ids: Iterable[int]) -> int:
    """Look at the boxes that wait in these photos; return how many faces have all they need now.

    A photo that waits itself is passed over: its own look takes the boxes along.
    """
    waiting = Face.objects.waiting().filter(photo__in=list(photo_ids), photo__status=Status.DONE)
    photos = Photo.objects.filter(pk__in=waiting.values("photo")).order_by("pk")
    return sum(_look(photo) for photo in photos)


def _look(photo: Photo) -> int:
    faces = list(photo.faces.waiting().order_by("pk"))
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    try:
        found = runtime.pipeline().embed_boxes(ingest.decoded(photo), boxes)
    except ImageError as error:
        return _failed(photo, error.problem.value, error.detail)
    except FileNotFoundError as error:
        return _failed(photo, "file_missing", str(error))
    except Exception as error:
        log.exception("the boxes of photo %d cannot be looked at", photo.pk)
        return _failed(photo, "unexpected", f"{type(error).__name__}: {error}")
    crops = {
        files.crop_of_box(photo.key, face.box, turns=photo.turns): each.crop
        for face, each in zip(faces, found, strict=True)
    }
    ingest.store_crops(crops=crops.items())
    embeddings = _store(photo, list(zip(faces, found, strict=True)))
    leftovers.note_files(names=set(crops) - {row.face.crop.name for row in embeddings})
    if embeddings:
        indexing.add_embeddings(rows=embeddings)
    log.info("photo %d: looked at %d boxes that were drawn", photo.pk, len(embeddings))
    return len(embeddings)


def _failed(photo: Photo, code: str, detail: str) -> int:
    """Note on the photo why its boxes stay without faces."""
    Photo.objects.filter(pk=photo.pk, status=Status.DONE).fail(code, detail)
    log.warning("photo %d failed: %s %s", photo.pk, code, detail)
    return 0


def _store(photo: Photo, pairs: list[tuple[Face, FoundFace]]) -> list[FaceEmbedding]:
    """Store what was seen in those boxes that are still where they were."""
    with transaction.atomic():
        locked = Photo.objects.select_for_update().filter(pk=photo.pk, turns=photo.turns).first()
        now = {
            face.pk: face
            for face in Face.objects.select_for_update().filter(pk__in=[f.pk for f, _ in pairs])
        }
        still = []
        for face, found in pairs:
            row = now.get(face.pk)
            if locked is not None and row is not None and row.is_waiting and row.box == face.box:
                row.photo = locked
                still.append((row, found))
        return storing.renew(found=[], asked=still, spec=runtime.pipeline().spec)
