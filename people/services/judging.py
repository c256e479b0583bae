"""Judging the quality of faces that have none yet, as in archives from before. Worker only."""

import logging
from collections.abc import Sequence
from typing import BinaryIO, cast

import numpy as np
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from faceweb.recognition.detection import Detections
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import WORKING_SIDE, decode
from faceweb.recognition.pipeline import judge
from faceweb.recognition.quality import Quality
from people import files
from people.models import Face, Photo

log = logging.getLogger("faceweb.photos")

# Photos in one task: short enough that a search hardly waits for it.
_AT_ONCE = 20


def is_due() -> bool:
    """Whether there are faces that can be judged."""
    return _unjudged().exists()


def judge_faces(*, after: int) -> int | None:
    """Judge the faces of the next few photos whose ids come after this one.

    Returns the last of these ids, or None when there are no more. It looks at the previews, not
    at the photos themselves, and so is quick; faces that have a quality are left alone.
    """
    wanted = _unjudged().filter(photo__gt=after).order_by("photo").values_list("photo").distinct()
    photos = Photo.objects.filter(pk__in=[pk for (pk,) in wanted[:_AT_ONCE]]).order_by("pk")
    last = None
    for photo in photos:
        faces = [face for face in _unjudged().filter(photo=photo) if len(face.landmarks) == 5]
        for face, quality in zip(faces, _qualities(photo, faces), strict=False):
            Face.objects.filter(pk=face.pk, quality=None).update(
                quality=quality.score, quality_reasons=list(quality.reasons)
            )
        last = photo.pk
    return last


def _unjudged() -> QuerySet[Face]:
    return Face.objects.active().filter(quality=None).exclude(landmarks=[])


def _qualities(photo: Photo, faces: Sequence[Face]) -> list[Quality]:
    """What the photo's preview says about its faces; nothing if there is none."""
    if not faces or not photo.width or not photo.height:
        return []
    try:
        with default_storage.open(files.picture(photo.key, "preview")) as file:
            pixels = decode(cast(BinaryIO, file)).pixels
    except (ImageError, FileNotFoundError) as error:
        log.warning("photo %d %r cannot be judged: %s", photo.pk, photo.original_name, error)
        return []
    # Sizes count as they are where faces are embedded, which is in a larger picture.
    working = min(1.0, WORKING_SIDE / max(photo.width, photo.height))
    shown = pixels.shape[1] / photo.width
    boxes = np.array([(face.x1, face.y1, face.x2, face.y2) for face in faces], np.float32)
    found = Detections(
        boxes=boxes * np.float32(working),
        landmarks=np.array([face.landmarks for face in faces], np.float32) * np.float32(shown),
        scores=np.array([face.detection_score for face in faces], np.float32),
    )
    return judge([pixels], [found])[0]
