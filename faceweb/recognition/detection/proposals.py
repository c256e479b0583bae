"""MTCNN's first network: windows of pictures that may hold a face.

On a processor with instructions for 16 bits it computes in these, in three fifths of the time. That
is enough to see that a window holds no face, or that a rival is better by far. But neighbours have
nearly equal scores, and which of them stays, and where exactly it lies, decides what the networks
behind it see: so all that may stay are computed again in 32 bits (docs/adr/0004).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from faceweb.recognition import engine
from faceweb.recognition.detection import Float32, networks, pyramid, suppression
from faceweb.recognition.detection.pyramid import STRIDE, WINDOW, Level
from faceweb.recognition.detection.resampling import Tables
from faceweb.recognition.engine import Device

_LEAST_SCORE = math.log(0.6 / 0.4)  # a probability of 0.6, as log-odds
_RIVALS = 0.5  # windows of one level that overlap by more
# Smaller differences between scores than this, four deviations of their error, 16 bits leave open.
_CLEAR = 0.15
_AT_ONCE = 64  # windows of a pass in 32 bits
_NO_PIXELS = np.zeros((0, WINDOW, WINDOW, 3), np.float32)

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Windows:
    """Windows that may be proposed.

    `boxes` (n, 4), `owners` (n,), the network's `outputs` (n, 5), and as numbers in `one` and
    `other` (m,) the pairs that are rivals. If it computes in 16 bits, `pixels` (n, 12, 12, 3).
    """

    boxes: Float32
    owners: Indices
    outputs: Float32
    one: Indices
    other: Indices
    pixels: Float32


class Proposer:
    """The loaded network."""

    def __init__(self, device: Device) -> None:
        network = networks.load(networks.PNet(), networks.PNET)
        ready = partial(engine.compiled, network, device=device, dtype=torch.float32, copies=True)
        self._in_16_bits = device == "cpu" and engine.has_bfloat16()
        self._network = ready(example=(1, 64, 64, 3), fixed_size=False, half=self._in_16_bits)
        if self._in_16_bits:
            self._exact = ready(example=(1, WINDOW, WINDOW, 3))

    def propose(self, tables: Tables, levels: Sequence[Level]) -> tuple[Float32, Indices]:
        """Boxes (n, 4) that may hold a face, in pixels of the tables, and whose they are (n,)."""
        if not levels:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
        found = _together([self._on_a_canvas(tables, some) for some in pyramid.by_canvas(levels)])
        for start in range(0, len(found.pixels), _AT_ONCE):
            part = np.arange(start, min(start + _AT_ONCE, len(found.pixels)))
            [output] = self._exact(found.pixels[filled_up(part, _AT_ONCE)])
            found.outputs[part] = output[: len(part), :, 0, 0]
        scores = found.outputs[:, 0]
        keep = suppression.unrivalled(scores, found.one, found.other) & (scores >= _LEAST_SCORE)
        boxes, offsets = found.boxes[keep], found.outputs[keep, 1:]
        size = boxes[:, 2:] - boxes[:, :2]
        return boxes + offsets * np.concatenate([size, size], 1), found.owners[keep]

    def _on_a_canvas(self, tables: Tables, levels: Sequence[Level]) -> _Windows:
        canvas, layout = pyramid.drawn(levels, tables)
        [[output]] = self._network(canvas)
        least = _LEAST_SCORE - _CLEAR if self._in_16_bits else _LEAST_SCORE
        places = np.flatnonzero(output[0] >= least)
        places = places[layout.levels.ravel()[places] >= 0]
        rows, columns = np.divmod(places, layout.levels.shape[1])
        level = layout.levels[rows, columns]
        origins = np.array(layout.origins, np.int64)[level]
        scale = np.array([one.scale for one in levels], np.float32)[level, None]
        corner = (np.stack([columns, rows], 1) * STRIDE - origins[:, ::-1] + 1).astype(np.float32)
        boxes = np.floor(np.concatenate([corner, corner + WINDOW - 1], 1) / scale)
        owners = np.array([one.owner for one in levels], np.int64)[level]
        outputs = output[:, rows, columns].T
        one, other = _neighbours(rows, columns, layout.levels.shape)
        rivals = suppression.over_union(boxes, one, other) > _RIVALS
        one, other = one[rivals], other[rivals]
        if not self._in_16_bits:
            return _Windows(boxes, owners, outputs, one, other, _NO_PIXELS)
        stay = _may_stay(outputs[:, 0], one, other)
        number = np.cumsum(stay) - 1
        both = stay[one] & stay[other]
        pixels = sliding_window_view(canvas[0], (WINDOW, WINDOW, 3))[::STRIDE, ::STRIDE, 0]
        return _Windows(
            boxes[stay],
            owners[stay],
            outputs[stay],
            number[one[both]],
            number[other[both]],
            pixels[rows[stay], columns[stay]],
        )


def _together(parts: Sequence[_Windows]) -> _Windows:
    counts = np.array([len(part.boxes) for part in parts])
    before = np.cumsum(counts) - counts
    return _Windows(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.owners for part in parts]),
        np.concatenate([part.outputs for part in parts]),
        np.concatenate([part.one + more for part, more in zip(parts, before, strict=True)]),
        np.concatenate([part.other + more for part, more in zip(parts, before, strict=True)]),
        np.concatenate([part.pixels for part in parts]),
    )


def filled_up(indices: Indices, step: int) -> Indices:
    """Indices and repeats of them, a multiple of `step`, so that networks see few numbers."""
    return np.resize(indices, -(-len(indices) // step) * step)


def _may_stay(scores: Float32, one: Indices, other: Indices) -> Flags:
    """Which windows may stay in the end, where scores (n,) are off by less than half of `_CLEAR`.

    The others have a rival that stays for sure, because it beats all of its own clearly. `one` and
    `other` (m,) are the pairs of rivals.
    """
    swapped = scores[one] < scores[other]
    better, worse = np.where(swapped, other, one), np.where(swapped, one, other)
    is_close = scores[better] - scores[worse] < _CLEAR
    stays_for_sure = scores >= _LEAST_SCORE + _CLEAR
    stays_for_sure[worse] = stays_for_sure[better[is_close]] = False
    may_stay = np.ones(len(scores), bool)
    may_stay[worse[stays_for_sure[better]]] = False
    return may_stay


def _neighbours(rows: Indices, columns: Indices, shape: tuple[int, ...]) -> tuple[Indices, Indices]:
    """All pairs of windows near enough to overlap by half: at most two steps either way.

    Windows of different levels are never that near, because a window has six steps.
    """
    reach = 2
    width = shape[1] + reach
    numbers = np.full((shape[0] + reach) * width + reach, -1, np.int32)
    places = rows * width + columns
    numbers[places] = np.arange(len(rows))
    ahead = [down * width + right for down in range(reach + 1)
             for right in range(-reach, reach + 1) if (down, right) > (0, 0)]  # fmt: skip
    other = numbers[places[:, None] + np.array(ahead)]
    one = np.flatnonzero(other >= 0)
    return one // len(ahead), other.ravel()[one].astype(np.int64)
