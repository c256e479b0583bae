"""Finding faces in pictures whichever way they lie."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Detections, Detector, Float32
from faceweb.recognition.detection.resampling import reduced
from faceweb.recognition.geometry import turned, turned_boxes

Pixels = NDArray[np.uint8]

# A picture without a clear upright face is tried lying on its sides and on its head. Only clear
# faces of some size count then: three more looks would otherwise find three times the false ones.
# It also makes these looks cheap, because small faces are what takes a detector's time.
CLEAR_SCORE = 0.995
SIDEWAYS_SCORE = 0.97
SIDEWAYS_SHARE = 0.06

_TURNS = (1, 2, 3)  # quarters to the left
_LONGEST_SIDE = 1280  # pixels: more shows no more of faces of that size
# Boxes are found smaller than what the detector looks for, so it looks for a little less.
_SLACK = 0.8


def detect(detector: Detector, pictures: Sequence[Pixels]) -> list[Detections]:
    """The faces of each picture, also if it lies on a side or its head, in its own pixels."""
    found = detector.detect(pictures)
    best = [float(detections.scores.max(initial=0)) for detections in found]
    unclear = [number for number, score in enumerate(best) if score < CLEAR_SCORE]
    looks = _looks(detector, [pictures[number] for number in unclear])
    for number, detections in zip(unclear, looks, strict=True):
        if detections.scores.max(initial=0) > best[number]:
            found[number] = detections
    return found


def _looks(detector: Detector, pictures: Sequence[Pixels]) -> list[Detections]:
    """The clear faces of pictures, each turned the way that shows most of them."""
    small = [reduced(picture, _LONGEST_SIDE) for picture in pictures]
    ways = [np.ascontiguousarray(np.rot90(picture, n)) for picture, _ in small for n in _TURNS]
    seen = iter(detector.detect(ways, least_share=_SLACK * SIDEWAYS_SHARE))
    return [
        max(
            (_turned_back(_clear(next(seen), picture), turns, picture, scale) for turns in _TURNS),
            key=lambda detections: float(detections.scores.sum()),
        )
        for picture, scale in small
    ]


def _clear(detections: Detections, picture: Pixels) -> Detections:
    sides = detections.boxes[:, 2:] - detections.boxes[:, :2]
    is_large = sides.max(axis=1, initial=0) >= SIDEWAYS_SHARE * max(picture.shape)
    return detections.chosen(np.flatnonzero(is_large & (detections.scores >= SIDEWAYS_SCORE)))


def _turned_back(detections: Detections, turns: int, picture: Pixels, scale: float) -> Detections:
    """What was found on np.rot90(picture, turns), on a picture `scale` times as large."""
    height, width = picture.shape[:2]
    size = (
        {"width": width, "height": height} if turns % 2 == 0 else {"width": height, "height": width}
    )
    boxes: Float32 = turned_boxes(detections.boxes, -turns, **size) * scale
    # Landmarks are at the middles of pixels.
    landmarks: Float32 = turned(detections.landmarks + 0.5, -turns, **size) * scale - 0.5
    return Detections(boxes, landmarks, detections.scores)
