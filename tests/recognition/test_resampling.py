"""Means of pixels, against PyTorch's own."""

import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

from faceweb.recognition.detection.resampling import GRAY, Tables, reduced


def means(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    pixels = torch.from_numpy(picture).permute(2, 0, 1).double()
    return adaptive_avg_pool2d(pixels, (height, width)).permute(1, 2, 0).numpy() - GRAY


@pytest.mark.parametrize("divisor", [1, 1.4, 2, 7.3, 14.9, 15, 15.1, 16, 17, 60])
def test_levels_are_exact_means_whether_their_sums_fit_16_bits_or_not(divisor: float) -> None:
    random = np.random.default_rng(5)
    sizes = [(240, 330), (301, 177), (64, 400)]
    some = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    some += [np.full((*sizes[0], 3), 255, np.uint8)]  # sums cannot be larger
    tables = Tables(some)
    for owner, picture in enumerate(some):
        height, width = (max(1, round(side / divisor)) for side in picture.shape[:2])
        level = np.empty((height, 3 * width), np.float32)
        tables.reduce(owner, level)
        wanted = means(picture, height, width)
        np.testing.assert_allclose(level.reshape(wanted.shape), wanted, atol=1e-4)


def test_windows_are_exact_means() -> None:
    white = np.full((900, 1000, 3), 255, np.uint8)
    some = [white, np.random.default_rng(6).integers(0, 256, (700, 800, 3), np.uint8)]
    boxes = np.array([[0, 0, 1000, 900], [10, 20, 34, 44], [100, 50, 771, 649], [0, 0, 700, 700]])
    owners = np.array([0, 0, 1, 1])
    cut = Tables(some).windows(boxes, owners, 24)
    for (x1, y1, x2, y2), owner, window in zip(boxes, owners, cut, strict=True):
        wanted = means(some[owner][y1:y2, x1:x2], 24, 24)
        np.testing.assert_allclose(window, wanted, atol=1e-4)


@pytest.mark.parametrize("side", [320, 640, 800, 1279, 1280, 5000])
def test_a_picture_is_reduced_only_where_it_is_too_large(side: int) -> None:
    picture = np.zeros((960, 1280, 3), np.uint8)
    small, scale = reduced(picture, side)
    assert max(small.shape) == min(side, 1280)
    assert scale == max(1.0, 1280 / side)
    assert (small is picture) == (side >= 1280)
