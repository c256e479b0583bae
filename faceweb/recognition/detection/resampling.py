"""Reducing pictures and cutting windows by adaptive averaging, exactly, at a fixed cost a pixel.

MTCNN's usual implementation takes the plain mean of the pixels that a smaller picture's pixel
touches (PyTorch's "area" mode), from the full picture, for every level of the pyramid and every
window. A summed-area table gives every such mean from four of its numbers, however many pixels it
is of. Viola and Jones, "Rapid object detection using a boosted cascade of simple features", 2001.
Means are given less mid-gray, -127.5..127.5, as the networks take them.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Float32
from faceweb.recognition.engine import Device
from faceweb.recognition.reducing import fitted

Pixels = NDArray[np.uint8]
Sums = NDArray[np.int32]
Indices = NDArray[np.int64]

# Rows and columns of all tables together; beyond that 16 bits do not number them.
MOST_ROWS = 32_000

_STEP = 16
_LOW_PIXELS = 257  # of 255 each come to no more than 16 bits hold
_CACHED = 1_000_000  # bytes
GRAY = 127.5

_NO_MAP = np.zeros(0, np.int16)  # remap's second map, which whole coordinates have no use for


def reduced(picture: Pixels, longest_side: float) -> tuple[Pixels, float]:
    """The picture within `longest_side`, and how many of its pixels one pixel covers."""
    return fitted(picture, longest_side), max(1.0, max(picture.shape) / longest_side)


class Tables:
    """The summed-area tables of several pictures, one above the other.

    `sizes` (n, 2) are the pictures' widths and heights.
    """

    device: Device = "cpu"

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.sizes = np.array([picture.shape[1::-1] for picture in pictures], np.int64)
        rows = self.sizes[:, 1] + 1
        self._tops = np.cumsum(rows) - rows
        self._fill(pictures, (int(rows.sum()), int(self.sizes[:, 0].max()) + 1, 3))

    @staticmethod
    def filled_up(side: int) -> int:
        """The next side for pictures of many sizes that a network shall see, to have few sizes."""
        return -(-side // _STEP) * _STEP

    def blank(self, height: int, width: int) -> Float32:
        """A gray picture (1, height, width, 3) to write to."""
        return np.zeros((1, height, width, 3), np.float32)

    def reduce(self, owner: int, to: Float32) -> None:
        """Bring a whole picture to another size.

        `to` (height, 3 * width) is where it is written, with a pixel's three numbers in a row.
        """
        width, height = (int(side) for side in self.sizes[owner])
        left, right, across = _numbers(width, to.shape[1] // 3)
        top, bottom, down = whole(height, len(to))
        largest = int((right - left).max()) // 3 * int((bottom - top).max())
        table = self._low if largest <= _LOW_PIXELS else self._sums
        sums = table.reshape(len(table), -1)[:, : 3 * (width + 1)]
        first = self._tops[owner]
        # A few rows at a time stay in the processor's cache.
        step = max(1, _CACHED // sums[0].nbytes)
        for part in (slice(start, start + step) for start in range(0, len(to), step)):
            rows = sums[first + bottom[part]]
            rows -= sums[first + top[part]]
            totals = rows.take(right, 1)
            totals -= rows.take(left, 1)
            means = totals.astype(np.float32)
            means *= across
            means *= down[part, None]
            np.subtract(means, GRAY, out=to[part])

    def windows(self, boxes: Indices, owners: Indices, size: int) -> Float32:
        """Parts of pictures, each brought to `size` pixels square: (n, size, size, 3).

        `boxes` (n, 4) are x1, y1, x2, y2 within the picture of the owner (n,), x2 and y2 not
        included; none is empty.
        """
        left, right = _spans(boxes[:, 0], boxes[:, 2], size)
        top, bottom = _spans(boxes[:, 1], boxes[:, 3], size)
        return self._means(owners, left, right, top, bottom)

    def framed_windows(self, boxes: Indices, owners: Indices, size: int) -> Float32:
        """The same of boxes that may reach beyond their pictures, which have a gray frame here."""
        width, height = self.sizes[owners].T[:, :, None]
        left, right = (x.clip(0, width) for x in _spans(boxes[:, 0], boxes[:, 2], size))
        top, bottom = (y.clip(0, height) for y in _spans(boxes[:, 1], boxes[:, 3], size))
        return self._means(owners, left, right, top, bottom)

    def _fill(self, pictures: Sequence[Pixels], shape: tuple[int, ...]) -> None:
        self._sums = np.empty(shape, np.int32)
        for picture, top in zip(pictures, self._tops, strict=True):
            height, width = picture.shape[:2]
            # Given a place of the right size, OpenCV writes there.
            cv2.integral(picture, self._sums[top : top + height + 1, : width + 1])
        # Differences of sums of few pixels fit 16 bits, even where the sums themselves do not.
        self._low = self._sums.astype(np.uint16)

    def _means(
        self, owners: Indices, left: Indices, right: Indices, top: Indices, bottom: Indices
    ) -> Float32:
        """The means of grids of n pictures' parts, from where columns and rows begin and end.

        A part without a pixel is gray.
        """
        first = self._tops[owners, None]
        totals = self._at(first + bottom, right)
        totals -= self._at(first + bottom, left)
        totals -= self._at(first + top, right)
        totals += self._at(first + top, left)
        heights, widths = np.maximum(bottom - top, 1), np.maximum(right - left, 1)
        count, rows = heights.shape
        means = totals.reshape(count, rows, -1).astype(np.float32)
        means *= (1 / heights).astype(np.float32)[:, :, None]
        means *= (1 / widths).astype(np.float32).repeat(3, 1)[:, None]
        means -= GRAY
        shaped: Float32 = means.reshape(count, rows, -1, 3)
        no_height, no_width = bottom <= top, right <= left
        if no_height.any() or no_width.any():
            shaped[no_height[:, :, None] | no_width[:, None]] = 0
        return shaped

    def _at(self, rows: Indices, columns: Indices) -> Sums:
        """The tables' numbers where rows (n, size) and columns (n, size) of n grids cross."""
        count, size = rows.shape
        places = np.empty((count, size, size, 2), np.int16)
        places[..., 0] = columns.astype(np.int16)[:, None]
        places[..., 1] = rows.astype(np.int16)[:, :, None]
        # remap looks up int16 coordinates several times as fast as NumPy's indexing.
        grid = places.reshape(count, size * size, 2)
        return np.asarray(cv2.remap(self._sums, grid, _NO_MAP, cv2.INTER_NEAREST), np.int32)


@functools.lru_cache(maxsize=256)
def whole(length: int, parts: int) -> tuple[Indices, Indices, Float32]:
    """The spans of `parts` equal parts of a whole side, and one over their lengths."""
    (start,), (end,) = _spans(np.zeros(1, np.int64), np.full(1, length), parts)
    return start, end, (1 / (end - start)).astype(np.float32)


@functools.lru_cache(maxsize=256)
def _numbers(length: int, parts: int) -> tuple[Indices, Indices, Float32]:
    """The same in numbers, of which a pixel of a row has three."""
    start, end, shares = whole(length, parts)
    colours = np.arange(3)
    return (
        (3 * start[:, None] + colours).ravel(),
        (3 * end[:, None] + colours).ravel(),
        shares.repeat(3),
    )


def _spans(first: Indices, end: Indices, parts: int) -> tuple[Indices, Indices]:
    """Where the pixels that each of `parts` equal parts touches begin and end: two (n, parts)."""
    edges = np.arange(parts + 1) * (end - first)[:, None]
    start = first[:, None]
    return start + edges[:, :-1] // parts, start - (-edges[:, 1:] // parts)
