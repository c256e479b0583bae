"""A face in a box that a person drew: where its landmarks are.

A detector that looks at the drawn box alone, large enough and from every side, finds most of
the faces that it missed in the whole picture.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Detections, Detector
from faceweb.recognition.geometry import overlaps, turned, turned_boxes

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# Where the landmarks of an upright face are in its box, as shares of the box's sides: the mean
# over the faces that the detector mtcnn finds in LFW, and over their mirror images.
_USUAL_PLACES = ((0.27, 0.38), (0.73, 0.38), (0.5, 0.58), (0.3, 0.757), (0.7, 0.757))

# The box is looked at with this share of its longer side added all round, at these sizes.
_MARGIN = 0.5
_SIDES = (112, 224)
# Enlarging a few pixels further shows nothing new.
_LARGEST_ENLARGEMENT = 8.0
# A detection is the drawn face if it covers this share of what both boxes cover together.
# People draw round the whole head as often as round the face.
_LEAST_OVERLAP = 0.25


def face_in_box(picture: Pixels, box: Float32, detector: Detector) -> Detections:
    """The one face that a person says is in `box`, (4,) pixels of `picture`.

    Its box is the drawn one. Its landmarks are the detector's, else where they usually are in
    an upright face; its score is the detector's, else 0.
    """
    for region, corner, scale in _regions(picture, box):
        looks = [np.ascontiguousarray(np.rot90(region, turns)) for turns in range(4)]
        best: tuple[float, Float32] = (0.0, box)
        for turns, (look, found) in enumerate(zip(looks, detector.detect(looks), strict=True)):
            size = {"width": look.shape[1], "height": look.shape[0]}
            boxes = turned_boxes(found.boxes, -turns, **size) / scale + np.tile(corner, 2)
            there = overlaps(boxes, box[None])[:, 0] >= _LEAST_OVERLAP
            scores = np.where(there, found.scores, 0)
            # A face is seen from a wrong side too, but less clearly.
            if scores.max(initial=0) > best[0]:
                chosen = int(scores.argmax())
                # Landmarks are at the middles of pixels.
                points = turned(found.landmarks[chosen] + 0.5, -turns, **size)
                best = (float(scores[chosen]), points / scale - 0.5 + corner)
        if best[0]:
            return _one(box, best[1], best[0])
    return _one(box, usual_landmarks(box), 0.0)


def usual_landmarks(box: Float32) -> Float32:
    """Where the landmarks (5, 2) of an upright face in a box (4,) usually are."""
    places = box[:2] + np.array(_USUAL_PLACES, np.float32) * (box[2:] - box[:2])
    return np.asarray(places, np.float32)


def _regions(picture: Pixels, box: Float32) -> Iterator[tuple[Pixels, Float32, float]]:
    """The box with a margin at several sizes: pixels, top left corner, and their scale."""
    height, width = picture.shape[:2]
    side = float((box[2:] - box[:2]).max())
    centre = (box[:2] + box[2:]) / 2
    reach = side * (0.5 + _MARGIN)
    left, top = np.floor(np.maximum(centre - reach, 0)).astype(int)
    right, bottom = np.ceil(np.minimum(centre + reach, (width, height))).astype(int)
    part = picture[top:bottom, left:right]
    if not part.size:
        return
    for wanted in _SIDES:
        scale = min(wanted / side, _LARGEST_ENLARGEMENT)
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        resized = cv2.resize(part, size, interpolation=way)
        yield np.asarray(resized, np.uint8), np.array([left, top], np.float32), scale


def _one(box: Float32, landmarks: NDArray[np.floating], score: float) -> Detections:
    return Detections(
        box[None].astype(np.float32),
        landmarks[None].astype(np.float32),
        np.array([score], np.float32),
    )
