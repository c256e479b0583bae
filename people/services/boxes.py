"""Boxes that people draw round faces, correct and take away again.

A box that was drawn or moved waits: the worker looks at it, and only then the face has a crop
and an embedding. Each function is one edit: one transaction and one entry of the history.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

from django.db import transaction

from people.jobs import Status
from people.models import Edit, Face, Photo
from people.problems import Refused
from people.services import assigning, history, undoing
from people.services.changes import gone, made, updated, values_of, write
from people.services.numbering import free_numbers

Box = tuple[float, float, float, float]

# The smallest side of a box, in pixels of the photo: less is no face that anyone could tell.
SMALLEST_SIDE = 10
# Two boxes that share this much of what they cover together are drawn round one face.
_SAME_FACE = 0.75
# Browsers round what they show.
_ROUNDING = 0.75


def draw(*, photo: Photo, box: Sequence[float], user: Any = None, reason: str = "") -> Edit:
    """Add a face that was not found. `box` is x1, y1, x2, y2 in pixels of the photo.

    Raises Refused: "photo_busy", "no_box", "box_too_small", "face_there".
    """
    with transaction.atomic():
        photo = _locked_photo(photo.pk)
        x1, y1, x2, y2 = _within(box, photo)
        faces = list(photo.faces.all())
        shown = (face for face in faces if face.state == Face.State.ACTIVE)
        if any(_shared((x1, y1, x2, y2), face.box) >= _SAME_FACE for face in shown):
            raise Refused("face_there")
        number = free_numbers(taken=[face.number for face in faces], many=1)[0]
        face = Face.objects.create(
            photo=photo, number=number, x1=x1, y1=y1, x2=x2, y2=y2, landmarks=[],
            detection_score=0.0, origin=Face.Origin.DRAWN,
        )  # fmt: skip
        return history.record(
            kind="box_add",
            summary=f"Drew a box round a face, number {number} of its photo",
            user=user,
            reason=reason,
            changes=[made("face", face)],
            faces=[face.pk],
        )


def move(
    *,
    face: Face,
    box: Sequence[float],
    expected: Sequence[float],
    user: Any = None,
    reason: str = "",
) -> Edit:
    """Correct the box of a face, which keeps its name; from now on the box counts as drawn.

    `expected` is the box that the page showed. Raises Refused: "photo_busy", "no_box",
    "box_too_small", "not_a_face", "faces_gone", "nothing_to_do", and "changed_meanwhile" if
    the face has another box by now.
    """
    with transaction.atomic():
        photo = _locked_photo(face.photo_id)
        before = values_of("face", [face.pk], lock=True).get(face.pk)
        if before is None:
            raise Refused("faces_gone")
        if before["state"] != Face.State.ACTIVE:
            raise Refused("not_a_face")
        now = tuple(before[side] for side in ("x1", "y1", "x2", "y2"))
        if not _is_near(now, expected):
            raise Refused("changed_meanwhile", f"face {face.pk}")
        x1, y1, x2, y2 = _within(box, photo)
        if _is_near(now, (x1, y1, x2, y2)):
            raise Refused("nothing_to_do")
        after = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "origin": Face.Origin.DRAWN.value}
        write("face", [face.pk], after)
        changes = [updated("face", face.pk, before, after)]
        undoing.keep_up(changes=changes)
        return history.record(
            kind="box_move",
            summary=f"Corrected the box of a face, number {before['number']} of its photo",
            user=user,
            reason=reason,
            changes=changes,
            people={before["person"]} - {None},
            faces=[face.pk],
        )


def remove(*, face: Face, user: Any = None, reason: str = "") -> Edit:
    """Take a box away: what a person drew goes, what faceweb found is marked as not a face.

    Else the next look would find it again. Raises Refused: "faces_gone", "nothing_to_do".
    """
    with transaction.atomic():
        values = values_of("face", [face.pk], lock=True).get(face.pk)
        if values is None:
            raise Refused("faces_gone")
        if not is_only_drawn(Face.objects.get(pk=face.pk)):
            return assigning.mark_not_a_face(face_ids=[face.pk], user=user, reason=reason)
        edit = history.record(
            kind="box_remove",
            summary=f"Removed a drawn face, number {values['number']} of its photo",
            user=user,
            reason=reason,
            changes=[gone("face", face.pk, values)],
            people={values["person"]} - {None},
            faces=[face.pk],
        )
        undoing.delete("face", [face.pk])
        undoing.keep_up(changes=edit.changes)
        return edit


def is_only_drawn(face: Face) -> bool:
    """Whether nobody but a person found this face: the detector never did."""
    return face.origin == Face.Origin.DRAWN and face.detection_score == 0


def _locked_photo(pk: int) -> Photo:
    """The photo, which nobody may be looking at: a box belongs to what the page shows of it."""
    photo = Photo.objects.select_for_update().filter(pk=pk).first()
    if photo is None:
        raise Refused("faces_gone")
    if photo.status != Status.DONE or photo.width is None or photo.height is None:
        raise Refused("photo_busy")
    return cast(Photo, photo)


def _within(box: Sequence[float], photo: Photo) -> Box:
    """The part of a box that is in the photo, corners in order."""
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise Refused("no_box")
    (x1, x2), (y1, y2) = sorted((box[0], box[2])), sorted((box[1], box[3]))
    limits = (photo.width or 0, photo.height or 0)
    x1, x2 = (min(max(float(x), 0.0), float(limits[0])) for x in (x1, x2))
    y1, y2 = (min(max(float(y), 0.0), float(limits[1])) for y in (y1, y2))
    if min(x2 - x1, y2 - y1) < SMALLEST_SIDE:
        raise Refused("box_too_small")
    return x1, y1, x2, y2


def _is_near(box: Sequence[float], other: Sequence[float]) -> bool:
    return len(box) == len(other) and all(
        abs(a - b) <= _ROUNDING for a, b in zip(box, other, strict=True)
    )


def _shared(box: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return shared / (areas - shared)
