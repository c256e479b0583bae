"""The levels of the pyramids of several pictures, side by side on a few canvases.

The first network looks at 12x12 windows at a stride of 2. What it says of a window depends on that
window only, so levels can share a canvas and a pass: windows within one level get what they would
get in a picture of its own, and those that straddle levels are left out. Canvases have few sizes,
because a network's first run at each new size costs a few milliseconds more.
"""

import functools
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Float32
from faceweb.recognition.detection.resampling import Tables

WINDOW, STRIDE = 12, 2  # of the first network
_FACTOR = 0.709  # from one level to the next: half the area

_LARGE = 30_000  # pixels of a level that gets a canvas of its own
_SHARED = 300_000  # pixels of the levels that share one
_WIDEST = 640
# Widths to try for a shared canvas, as shares of its widest level's: levels of one picture fit side
# by side in the first three.
_WIDTHS = (1.0, 1.71, 2.21, 4.0)

Size = tuple[int, int]


@dataclass(frozen=True)
class Level:
    """One reduced copy of a picture: which picture, by how much, and to which size."""

    owner: int
    scale: float
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


@dataclass(frozen=True, eq=False)
class Layout:
    """Where levels lie on a canvas of `height` x `width` pixels.

    `origins` are the rows and columns of their first pixels. `levels` says for every window, by
    row and column of the network's output, which level it lies in, or -1.
    """

    height: int
    width: int
    origins: tuple[Size, ...]
    levels: NDArray[np.int16]


def levels_of(
    owner: int, height: int, width: int, smallest: float, least: float = 0.0
) -> list[Level]:
    """The levels in which faces of at least `smallest` pixels fill a window.

    Of these, `least` leaves out levels for smaller faces and changes nothing about the others.
    """
    scale = WINDOW / smallest
    levels = []
    while min(height, width) * scale >= WINDOW:
        if scale * least <= WINDOW:
            levels.append(Level(owner, scale, int(height * scale + 1), int(width * scale + 1)))
        scale *= _FACTOR
    return levels


def by_canvas(levels: Sequence[Level]) -> list[list[Level]]:
    """Divide levels into those that shall lie on one canvas."""
    groups = [[level] for level in levels if level.pixels >= _LARGE]
    room = 0
    for level in levels:
        if level.pixels < _LARGE:
            if level.pixels > room:
                groups.append([])
                room = _SHARED
            groups[-1].append(level)
            room -= level.pixels
    return groups


def drawn(levels: Sequence[Level], tables: Tables) -> tuple[Float32, Layout]:
    """A canvas (1, height, width, 3) with every level, and where on it each lies."""
    layout = laid_out(tuple((level.height, level.width) for level in levels), tables.filled_up)
    canvas = tables.blank(layout.height, layout.width)
    flat = canvas.reshape(layout.height, -1)
    for level, (top, left) in zip(levels, layout.origins, strict=True):
        bottom, right = top + level.height, left + level.width
        tables.reduce(level.owner, flat[top:bottom, 3 * left : 3 * right])
        # Pooling looks at pairs, so the last window of an odd level needs one more pixel.
        if level.height % 2:
            canvas[0, bottom, left:right] = canvas[0, bottom - 1, left:right]
        if level.width % 2:
            after = bottom + level.height % 2
            canvas[0, top:after, right] = canvas[0, top:after, right - 1]
    return canvas, layout


@functools.lru_cache(maxsize=64)
def laid_out(sizes: tuple[Size, ...], filled_up: Callable[[int], int]) -> Layout:
    """Find places for levels of these heights and widths on as small a canvas as may be.

    `filled_up` gives the next side that a canvas may have.
    """
    even = [(height + height % 2, width + width % 2) for height, width in sizes]
    widest = max(width for _, width in even)
    if len(even) == 1:
        # Large pictures are reduced to a common longer side, so many levels have a side in common.
        [(tallest, _)] = even
        width, height = filled_up(widest - 2) + 2, filled_up(tallest - 2) + 2
        origins = [(0, 0)]
    else:
        widths = [filled_up(int(widest * share)) for share in _WIDTHS]
        packed = [(_packed(even, w), w) for w in widths if w <= _WIDEST or w == widths[0]]
        (origins, height), width = min(packed, key=lambda p: filled_up(p[0][1]) * p[1])
        height = filled_up(height)
    levels = np.full((_outputs(height), _outputs(width)), -1, np.int16)
    for number, ((top, left), (rows, columns)) in enumerate(zip(origins, even, strict=True)):
        row, column = top // STRIDE, left // STRIDE
        levels[row : row + _outputs(rows), column : column + _outputs(columns)] = number
    return Layout(height, width, tuple(origins), levels)


def _outputs(side: int) -> int:
    """How many windows there are along an even number of pixels."""
    return (side - WINDOW) // STRIDE + 1


def _packed(sizes: Sequence[Size], width: int) -> tuple[list[Size], int]:
    """Rows and columns for levels, each as near the top as it finds room, and the height.

    `lefts` and `tops` are the outline of what is taken: from which column on down to which row.
    """
    lefts, tops = [0], [0]
    origins: list[Size] = [(0, 0)] * len(sizes)
    for number in sorted(range(len(sizes)), key=lambda n: sizes[n], reverse=True):
        rows, columns = sizes[number]
        top, left = min(
            (max(tops[at : bisect_left(lefts, left + columns)]), left)
            for at, left in enumerate(lefts)
            if left + columns <= width
        )
        first, after = lefts.index(left), bisect_left(lefts, left + columns)
        right = [*lefts[after:], width][0]
        spare = [(left + columns, tops[after - 1])] if left + columns < right else []
        lefts[first:after] = [left, *(column for column, _ in spare)]
        tops[first:after] = [top + rows, *(row for _, row in spare)]
        origins[number] = (top, left)
    return origins, max(tops)
