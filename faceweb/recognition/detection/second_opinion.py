"""MTCNN's faces, of which YuNet has to see the doubtful ones as well.

Of what MTCNN gives a score between 0.5 and 0.95, half are hands, ears, ties and patterns, and half
are blurred, dark or half-hidden faces. YuNet, trained otherwise, mistakes other things for faces
than MTCNN does. So what one doubts and the other sees is a face nearly always.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Detections, DetectorSettings, Float32, mtcnn, yunet
from faceweb.recognition.engine import Device
from faceweb.recognition.geometry import overlaps

# Scores of MTCNN: less is nothing, more is a face.
_NOTHING, _SURE = 0.5, 0.95
# Scores of YuNet from which on a doubtful face is one, and below which it is none, even if MTCNN
# gives it the least score that was asked for.
_SEEN, _UNSEEN = 0.5, 0.2

# YuNet looks at a square around the face that is three times as wide, in so many pixels.
_WIDTHS, _PIXELS = 3, 128
_OVERLAP = 0.3
_BEYOND = 127  # what lies beyond the picture's edge

Pixels = NDArray[np.uint8]


class SecondOpinion:
    """Two loaded detectors: one that finds faces, and one that is asked about doubtful ones."""

    def __init__(self, settings: DetectorSettings, device: Device) -> None:
        self._least = settings.min_score
        self._finder = mtcnn.load(replace(settings, min_score=_NOTHING), device)
        close = DetectorSettings(min_face=_PIXELS // _WIDTHS // 2, min_score=_UNSEEN)
        self._other = yunet.load(close, device)

    def detect(self, pictures: Sequence[Pixels], *, least_share: float = 0.0) -> list[Detections]:
        """See Detector.detect."""
        found = self._finder.detect(pictures, least_share=least_share)
        return [self._kept(*one) for one in zip(pictures, found, strict=True)]

    def _kept(self, picture: Pixels, found: Detections) -> Detections:
        doubtful = np.flatnonzero(found.scores < max(_SURE, self._least))
        if not len(doubtful):
            return found
        opinions = np.ones(len(found), np.float32)
        opinions[doubtful] = self._opinions(picture, found.boxes[doubtful])
        needed = np.where(found.scores < self._least, _SEEN, _UNSEEN)
        return found.chosen(np.flatnonzero(opinions >= needed))

    def _opinions(self, picture: Pixels, boxes: Float32) -> Float32:
        """The scores (n,) that the other detector gives the faces in boxes (n, 4), 0 for none."""
        looks = self._other.detect([_around(picture, box) for box in boxes])
        reach = _PIXELS / _WIDTHS / 2
        there = _PIXELS / 2 + reach * np.array([[-1, -1, 1, 1]], np.float32)
        return np.array(
            [
                look.scores[overlaps(there, look.boxes)[0] >= _OVERLAP].max(initial=0)
                for look in looks
            ],
            np.float32,
        )


def load(settings: DetectorSettings, device: Device) -> SecondOpinion:
    return SecondOpinion(settings, device)


def _around(picture: Pixels, box: Float32) -> Pixels:
    """A square around a box, (_PIXELS, _PIXELS, 3), gray where it reaches beyond the picture."""
    scale = _PIXELS / max(1.0, _WIDTHS * float((box[2:] - box[:2]).max()))
    corner = (box[:2] + box[2:]) / 2 - _PIXELS / 2 / scale
    height, width = picture.shape[:2]
    left, top = np.clip(np.round(corner), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.round(corner + _PIXELS / scale), 0, (width, height)).astype(int)
    square = np.full((_PIXELS, _PIXELS, 3), _BEYOND, np.uint8)
    x1, y1 = np.round((np.array((left, top)) - corner) * scale).astype(int)
    x2, y2 = np.round((np.array((right, bottom)) - corner) * scale).astype(int)
    there = square[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if there.size:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        part = picture[top:bottom, left:right]
        there[:] = cv2.resize(part, (there.shape[1], there.shape[0]), interpolation=way)
    return square
