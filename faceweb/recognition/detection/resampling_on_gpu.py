"""Reducing pictures and cutting windows on a GPU, so that pixels go there once and stay."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceweb.recognition.detection.resampling import GRAY, Indices, Pixels, Tables, whole
from faceweb.recognition.engine import Device

_STEP = 128


class TablesOnGpu(Tables):
    """The same tables, and tensors instead of arrays where pixels are given."""

    device: Device = "cuda"

    @staticmethod
    def filled_up(side: int) -> int:
        # 1, 2, 3, 4, 6, 8, 12 and so on steps: sides cost their square, so they are closer together
        # than the numbers of pictures.
        steps = -(-side // _STEP)
        power = 1 << (steps - 1).bit_length()
        return (power * 3 // 4 if steps <= power * 3 // 4 else power) * _STEP

    def blank(self, height: int, width: int) -> Any:
        return torch.zeros((1, height, width, 3), device=self.device)

    def reduce(self, owner: int, to: Any) -> None:
        width, height = (int(side) for side in self.sizes[owner])
        left, right, across = _whole_there(width, to.shape[1] // 3, self.device)
        top, bottom, down = _whole_there(height, len(to), self.device)
        first = int(self._tops[owner])
        sums = self._there[first : first + height + 1]
        rows = sums[bottom] - sums[top]
        totals = rows[:, right] - rows[:, left]
        means = totals * across[:, None] * down[:, None, None] - GRAY
        to.copy_(means.reshape(to.shape))

    def _fill(self, pictures: Sequence[Pixels], shape: tuple[int, ...]) -> None:
        self._there = torch.zeros(shape, dtype=torch.int32, device=self.device)
        for picture, top in zip(pictures, self._tops.tolist(), strict=True):
            height, width = picture.shape[:2]
            pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device)
            sums = pixels.cumsum(0, dtype=torch.int32).cumsum(1, dtype=torch.int32)
            self._there[top + 1 : top + height + 1, 1 : width + 1] = sums

    def _means(
        self, owners: Indices, left: Indices, right: Indices, top: Indices, bottom: Indices
    ) -> Any:
        first = self._tops[owners, None]
        edges = np.stack([left, right, first + top, first + bottom])
        there = torch.from_numpy(edges).to(self.device)
        left_, right_, top_, bottom_ = there[0, :, None], there[1, :, None], there[2], there[3]
        above, below = top_[:, :, None], bottom_[:, :, None]
        sums = self._there
        totals = sums[below, right_] - sums[below, left_] - sums[above, right_]
        totals += sums[above, left_]
        areas = ((below - above) * (right_ - left_))[..., None]
        return (totals - GRAY * areas) / areas.clamp(min=1)


@functools.lru_cache(maxsize=1024)
def _whole_there(length: int, parts: int, device: Device) -> tuple[Tensor, Tensor, Tensor]:
    start, end, share = (torch.from_numpy(one).to(device) for one in whole(length, parts))
    return start, end, share
