"""Turning a photo by quarters: its boxes turn with it at once, its pictures in the worker."""

from typing import Any

import numpy as np
from django.db import transaction

from faceweb.recognition.geometry import in_hundredths, turned, turned_boxes
from people.jobs import Status
from people.models import Edit, Face, Photo
from people.problems import Refused
from people.services import history
from people.services.changes import updated, values_of, write

_WORDS = {1: "to the left", 2: "upside down", 3: "to the right"}


def turn(*, photo: Photo, by: int, shown: int, user: Any = None, reason: str = "") -> Edit:
    """Turn a photo by quarters to the left; its faces keep their names.

    `shown` is how many turns it had on the page that asked. Raises Refused("changed_meanwhile")
    if it has others by now, "photo_busy" while it is looked at, and "nothing_to_do".
    """
    if by % 4 == 0:
        raise Refused("nothing_to_do")
    with transaction.atomic():
        before = values_of("photo", [photo.pk], lock=True, fields=("turns",)).get(photo.pk)
        if before is None or before["turns"] != shown:
            raise Refused("changed_meanwhile", f"photo {photo.pk}")
        if not Photo.objects.filter(pk=photo.pk, status=Status.DONE).exists():
            raise Refused("photo_busy")
        after = {"turns": (shown + by) % 4}
        write("photo", [photo.pk], after)
        follow(photo_id=photo.pk, by=by)
        return history.record(
            kind="rotate",
            summary=f"Turned a photo {_WORDS[by % 4]}",
            user=user,
            reason=reason,
            changes=[updated("photo", photo.pk, before, after)],
            photos=[photo.pk],
        )


def follow(*, photo_id: int, by: int) -> None:
    """Turn everything of a photo whose `turns` changed, and queue it to be looked at again.

    Within the transaction of the edit.
    """
    photo = Photo.objects.select_for_update().get(pk=photo_id)
    width, height = photo.width or 1, photo.height or 1
    faces = list(Face.objects.select_for_update().filter(photo=photo).order_by("pk"))
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    boxes = turned_boxes(boxes, by, width=width, height=height)
    for face, box in zip(faces, boxes.tolist(), strict=True):
        face.x1, face.y1, face.x2, face.y2 = box
        points = np.array(face.landmarks, np.float32).reshape(-1, 2)
        points = turned(points, by, width=width, height=height)
        face.landmarks = in_hundredths(points)
    Face.objects.bulk_update(faces, ["x1", "y1", "x2", "y2", "landmarks"], batch_size=200)
    if by % 2 and photo.width is not None:
        photo.width, photo.height = photo.height, photo.width
    photo.status, photo.claim, photo.claimed_by = Status.QUEUED, None, ""
    photo.lease_expires_at, photo.crashes = None, 0
    photo.save(
        update_fields=["width", "height", "status", "claim", "claimed_by", "lease_expires_at",
                       "crashes"]
    )  # fmt: skip
