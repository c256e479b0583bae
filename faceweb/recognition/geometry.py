"""Where faces are in a photo, and where they are when it is turned."""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


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
