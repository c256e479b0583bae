"""Where faces are in a photo and when it is turned, and which part an embedder is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class FivePoints:
    """A face moved, turned and scaled until its five landmarks come closest to a template.

    `template` holds the places of the landmarks in the crop of `size` x `size` pixels.
    """

    size: int
    template: tuple[tuple[float, float], ...]

    def resized(self, size: int) -> "FivePoints":
        """The same part of the face in a crop of another size."""
        share = size / self.size
        return FivePoints(size, tuple((x * share, y * share) for x, y in self.template))


@dataclass(frozen=True)
class Box:
    """The part of the picture around a face's box, upright to a quarter turn.

    `margin` is added on each side, as a share of the box's own side. With `square` the longer
    side counts for both, and what lies beyond the picture is black; without, the part is
    stretched to the crop of `size` x `size` pixels, and ends where the picture does.
    """

    size: int
    margin: float
    square: bool


Crop = FivePoints | Box


def prominence(boxes: Float32, *, width: int, height: int) -> Float32:
    """How much each of the boxes (n, 4) looks like the subject of its photo, as weights (n,).

    The area of the box in pixels, less the further its middle is from the photo's: a face
    half-way to a corner counts about a third.
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    off_centre = np.hypot(*((middle - np.array([width, height]) / 2).T / max(width, height) * 2))
    area = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    weights: Float32 = area * np.exp(-((off_centre / 0.5) ** 2))
    return weights


def turned(points: Float32, turns: int, *, width: float, height: float) -> Float32:
    """Points (..., 2) of a picture of that size, on the picture after quarter turns to the left.

    Coordinates run along the edges of pixels: the bottom right corner is (width, height).
    """
    x, y = points[..., 0], points[..., 1]
    x, y = ((x, y), (y, width - x), (width - x, height - y), (height - y, x))[turns % 4]
    return np.stack([x, y], axis=-1)


def turned_boxes(boxes: Float32, turns: int, *, width: float, height: float) -> Float32:
    """Boxes (n, 4) of a picture of that size, after quarter turns to the left."""
    corners = turned(boxes.reshape(-1, 2, 2), turns, width=width, height=height)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def overlaps(boxes: Float32, others: Float32) -> Float32:
    """What each of the boxes (n, 4) has in common with each of the others (m, 4), as (n, m).

    Intersection over union: 1 where they are the same, 0 where they do not touch.
    """
    shared = _shared(boxes, others)
    together = _areas(boxes)[:, None] + _areas(others)[None] - shared
    return np.asarray(shared / np.maximum(together, 1e-9), np.float32)


def containment(boxes: Float32, others: Float32) -> Float32:
    """How much of the smaller of two boxes the other one covers, 0 to 1, as (n, m)."""
    smaller = np.minimum(_areas(boxes)[:, None], _areas(others)[None])
    return np.asarray(_shared(boxes, others) / np.maximum(smaller, 1e-9), np.float32)


def _shared(boxes: Float32, others: Float32) -> Float32:
    top_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray((bottom_right - top_left).clip(0).prod(axis=2), np.float32)


def _areas(boxes: Float32) -> Float32:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1), np.float32)


def upright_box(box: Float32, orientation: int, *, width: int, height: int) -> Float32:
    """A box (4,) of the stored pixels, in the upright picture of that size.

    `orientation` is as in EXIF, 1 to 8: from 5 on, the stored picture lies on its side.
    """
    across, down = (height, width) if orientation >= 5 else (width, height)
    x, y = box[[0, 2]], box[[1, 3]]
    x, y = {
        1: (x, y), 2: (across - x, y), 3: (across - x, down - y), 4: (x, down - y),
        5: (y, x), 6: (down - y, x), 7: (down - y, across - x), 8: (y, across - x),
    }[orientation]  # fmt: skip
    return np.array([x.min(), y.min(), x.max(), y.max()], np.float32)


def quarter_turns(landmarks: Float32) -> int:
    """By how many quarter turns to the right a face (5, 2) leans, -2 to 2."""
    down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)  # from the eyes to the mouth
    return -round(float(np.degrees(np.arctan2(down[0], down[1]))) / 90)


def in_hundredths(points: Float32) -> list[list[float]]:
    """Points (n, 2) as plain numbers, to a hundredth of a pixel: so they are stored."""
    return [[round(x, 2), round(y, 2)] for x, y in points.tolist()]
