"""Bringing a face to the place and size that an embedder was trained on."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.geometry import Box, Crop, FivePoints, quarter_turns

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]


def cut(picture: Pixels, boxes: Float32, landmarks: Float32, crop: Crop) -> Pixels:
    """Cut faces out of a picture (height, width, 3) as an embedder wants them.

    `boxes` (n, 4) and `landmarks` (n, 5, 2) are pixels of the picture. Returns uint8
    (n, size, size, 3); n may be zero.
    """
    if isinstance(crop, FivePoints):
        return align(picture, landmarks, crop.template, crop.size)
    crops = np.zeros((len(boxes), crop.size, crop.size, 3), np.uint8)
    for target, box, points in zip(crops, boxes, landmarks, strict=True):
        part = np.rot90(_around(picture, box, crop), quarter_turns(points))
        # The same code reduces by averaging and enlarges by interpolating.
        cv2.resize(
            np.ascontiguousarray(part), (crop.size, crop.size), dst=target,
            interpolation=cv2.INTER_AREA,
        )  # fmt: skip
    return crops


def similarity_transform(source: Float32, target: Float32) -> Float32:
    """The rotation, scale and shift (2, 3) that brings points (n, 2) closest to others (n, 2).

    Least squares without shear or mirroring. In the plane this is a line fit with complex numbers:
    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    1991, comes to the same.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    (x, y), (u, v) = (source - source_mean).T, (target - target_mean).T
    spread = max(float(x @ x + y @ y), 1e-9)
    cosine, sine = (x @ u + y @ v) / spread, (x @ v - y @ u) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shift = target_mean - turn @ source_mean
    return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)


def align(
    picture: Pixels, landmarks: Float32, template: Sequence[tuple[float, float]], size: int
) -> Pixels:
    """Cut faces out of a picture (height, width, 3) so that their landmarks meet a template.

    `landmarks` (n, 5, 2) are pixels of the picture, `template` five points of the crop.
    Returns uint8 (n, size, size, 3); n may be zero. Beyond the edge the picture is black.
    """
    target = np.asarray(template, np.float32)
    crops = np.zeros((len(landmarks), size, size, 3), np.uint8)
    for crop, points in zip(crops, landmarks, strict=True):
        source = picture
        transform = similarity_transform(points, target)
        # Bilinear sampling skips pixels where a face is much larger than the crop, so such
        # faces are first reduced by averaging.
        reduction = int(1 / max(float(np.hypot(transform[0, 0], transform[0, 1])), 1e-6))
        if reduction >= 2:
            left, top, right, bottom = _source_of(transform, size, picture.shape)
            if left >= right or top >= bottom:
                continue
            source, points = _reduced(
                picture[top:bottom, left:right], points - np.array([left, top]), reduction
            )
            transform = similarity_transform(points, target)
        cv2.warpAffine(source, transform, (size, size), dst=crop, flags=cv2.INTER_LINEAR)
    return crops


def _around(picture: Pixels, box: Float32, crop: Box) -> Pixels:
    """The part of a picture around a box, with the crop's margin; at least one pixel."""
    height, width = picture.shape[:2]
    box = box.clip(0, [width, height] * 2)
    sides = box[2:] - box[:2]
    if crop.square:
        middle, reach = (box[:2] + box[2:]) / 2, float(sides.max()) * (0.5 + crop.margin)
        box = np.concatenate([middle - reach, middle + reach])
    else:
        margin = sides * crop.margin
        box = np.concatenate([box[:2] - margin, box[2:] + margin]).clip(0, [width, height] * 2)
    left, top, right, bottom = (int(v) for v in box)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    within = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if within.shape[:2] == (bottom - top, right - left):
        return within
    part = np.zeros((bottom - top, right - left, 3), np.uint8)
    row, column = max(-top, 0), max(-left, 0)
    part[row : row + within.shape[0], column : column + within.shape[1]] = within
    return part


def _source_of(transform: Float32, size: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part of a picture that a crop is taken from: left, top, right, bottom, within it."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32)
    back = cv2.invertAffineTransform(transform)
    places = corners @ back[:, :2].T + back[:, 2]
    # A margin for what neighbouring pixels lend to the average.
    margin = 2 * float(np.hypot(back[0, 0], back[0, 1]))
    left, top = np.maximum(np.floor(places.min(axis=0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(places.max(axis=0) + margin), (shape[1], shape[0])).astype(
        int
    )
    return int(left), int(top), int(right), int(bottom)


def _reduced(part: Pixels, points: Float32, reduction: int) -> tuple[Pixels, Float32]:
    """A part of a picture reduced by a whole factor, and its landmarks there."""
    columns, rows = max(part.shape[1] // reduction, 1), max(part.shape[0] // reduction, 1)
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    ratio = np.array([columns / part.shape[1], rows / part.shape[0]], np.float32)
    return np.asarray(small, np.uint8), ((points + 0.5) * ratio - 0.5).astype(np.float32)
