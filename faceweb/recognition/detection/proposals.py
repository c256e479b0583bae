"""MTCNN's first network: windows of pictures that may hold a face.

On a processor with instructions for 16 bits it computes in these, in little more than half the
time. That is enough to see that a window holds no face, or that a rival is better by far. But
neighbours have nearly equal scores, and which of them stays, and where exactly it lies, decides
what the networks behind it see: so all that may stay are computed again in 32 bits
(docs/adr/0004). On other devices it computes in 32 bits at once.
"""

from collections.abc import Sequence
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

_LEAST_SCORE = networks.log_odds(0.6)
_RIVALS = 0.5  # windows of one level that overlap by more
# Differences of scores below this are left open by 16 bits, which move them by 0.037 (deviation).
_CLEAR = 0.15
_AT_ONCE = 64  # windows of a pass in 32 bits, always, because each new number takes a moment

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Proposer:
    """The loaded network. Safe to call from several threads. Raises WeightsError when loaded."""

    def __init__(self, device: Device) -> None:
        network = networks.load(networks.PNet(), networks.PNET)
        ready = partial(engine.compiled, network, device=device, dtype=torch.float32, copies=True)
        self._in_16_bits = device == "cpu" and engine.has_bfloat16()
        self._network = ready(example=(1, 64, 64, 3), fixed_size=False, half=self._in_16_bits)
        if self._in_16_bits:
            self._exact = ready(example=(1, WINDOW, WINDOW, 3))

    def propose(self, tables: Tables, levels: Sequence[Level]) -> tuple[Float32, Indices]:
        """Boxes (n, 4) that may hold a face, in pixels of the pictures, and whose they are (n,)."""
        boxes, owners = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)]
        for group in pyramid.by_canvas(levels):
            some, whose = self._on_a_canvas(tables, group)
            boxes.append(some)
            owners.append(whose)
        return np.concatenate(boxes), np.concatenate(owners)

    def _on_a_canvas(self, tables: Tables, levels: Sequence[Level]) -> tuple[Float32, Indices]:
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
        one, other = _neighbours(rows, columns, layout.levels.shape)
        rivals = suppression.over_union(boxes, one, other) > _RIVALS
        one, other = one[rivals], other[rivals]
        found = output[:, rows, columns].T
        if self._in_16_bits:
            may_stay = _may_stay(found[:, 0], one, other)
            found[~may_stay, 0] = -np.inf
            found[may_stay] = self._exactly(canvas, rows[may_stay], columns[may_stay])
        scores = found[:, 0]
        keep = suppression.unrivalled(scores, one, other) & (scores >= _LEAST_SCORE)
        boxes, offsets, level = boxes[keep], found[keep, 1:], level[keep]
        size = boxes[:, 2:] - boxes[:, :2]
        moved = boxes + offsets * np.concatenate([size, size], 1)
        return moved, np.array([one.owner for one in levels], np.int64)[level]

    def _exactly(self, canvas: Float32, rows: Indices, columns: Indices) -> Float32:
        """What the network says (n, 5) in 32 bits of windows, by their rows and columns."""
        windows = sliding_window_view(canvas[0], (WINDOW, WINDOW, 3))[::STRIDE, ::STRIDE, 0]
        found = np.empty((len(rows), 5), np.float32)
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            seen = networks.with_repeats(np.arange(len(rows))[part], _AT_ONCE)
            [output] = self._exact(windows[rows[seen], columns[seen]])
            found[part] = output[: len(rows[part]), :, 0, 0]
        return found


def _may_stay(scores: Float32, one: Indices, other: Indices) -> Flags:
    """Which windows may stay in the end, if differences of scores (n,) are off by under `_CLEAR`.

    The others have a rival that beats all of its own clearly. `one` and `other` (m,) are the pairs
    of rivals.
    """
    swapped = scores[one] < scores[other]
    better, worse = np.where(swapped, other, one), np.where(swapped, one, other)
    is_close = scores[better] - scores[worse] < _CLEAR
    beats_all = np.ones(len(scores), bool)
    beats_all[worse] = beats_all[better[is_close]] = False
    may_stay = np.ones(len(scores), bool)
    may_stay[worse[beats_all[better]]] = False
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
