"""Non-maximum suppression without a loop over boxes: of rivals the best one stays."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Float32

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

_PAIRS_AT_ONCE = 200_000


def best(boxes: Float32, scores: Float32, owners: Indices, threshold: float) -> Indices:
    """Of boxes of one owner whose intersection over union is above the threshold, the best.

    `boxes` (n, 4), `scores` and `owners` (n,). Gives indices of those that stay, best first.
    """
    return _in_order(
        scores, *_rivals(owners, lambda one, other: over_union(boxes, one, other) > threshold)
    )


def best_contained(boxes: Float32, scores: Float32, owners: Indices, threshold: float) -> Indices:
    """The same by the share of the smaller box that both cover; edges are pixels of the box."""

    def are_rivals(one: Indices, other: Indices) -> Flags:
        shared, areas = _areas(boxes, one, other, edge=1)
        contained: Flags = shared / np.minimum(*areas) > threshold
        return contained

    return _in_order(scores, *_rivals(owners, are_rivals))


def over_union(boxes: Float32, one: Indices, other: Indices) -> Float32:
    """The intersection over union of pairs of boxes, given as indices (m,): (m,)."""
    shared, (area, other_area) = _areas(boxes, one, other, edge=0)
    ratio: Float32 = shared / np.maximum(area + other_area - shared, 1e-9)
    return ratio


def unrivalled(scores: Float32, one: Indices, other: Indices) -> Flags:
    """Which of n boxes stay if, best score first, each that stays sends its rivals away.

    `one` and `other` (m,) are the pairs of boxes that are rivals.
    """
    rank = np.empty(len(scores), np.int64)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    swapped = rank[one] > rank[other]
    better, worse = np.where(swapped, other, one), np.where(swapped, one, other)
    stays = np.ones(len(scores), bool)
    # A box with no better rival left stays for good, and its rivals go for good. Each round
    # settles the best of those still open; a handful of rounds settles all.
    while len(better):
        threatened = np.zeros(len(scores), bool)
        threatened[worse] = True
        stays[worse[~threatened[better]]] = False
        open_pairs = stays[better] & stays[worse]
        better, worse = better[open_pairs], worse[open_pairs]
    return stays


def _in_order(scores: Float32, one: Indices, other: Indices) -> Indices:
    kept = np.flatnonzero(unrivalled(scores, one, other))
    return kept[np.argsort(-scores[kept], kind="stable")]


def _rivals(
    owners: Indices, are_rivals: Callable[[Indices, Indices], Flags]
) -> tuple[Indices, Indices]:
    """The pairs of boxes of one owner that are rivals."""
    ones, others = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for one, other in _pairs(owners):
        chosen = are_rivals(one, other)
        ones.append(one[chosen])
        others.append(other[chosen])
    return np.concatenate(ones), np.concatenate(others)


def _pairs(owners: Indices) -> Iterator[tuple[Indices, Indices]]:
    """All pairs of boxes of one owner, some at a time: a crowd has millions of them."""
    for owner in np.unique(owners):
        mine = np.flatnonzero(owners == owner)
        numbers = np.arange(len(mine))
        step = max(1, _PAIRS_AT_ONCE // len(mine))
        for start in range(0, len(mine), step):
            first, second = np.nonzero(numbers[start : start + step, None] < numbers)
            yield mine[first + start], mine[second]


def _areas(
    boxes: Float32, one: Indices, other: Indices, edge: int
) -> tuple[Float32, tuple[Float32, Float32]]:
    """The area that pairs of boxes share, and the area of each."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    width = np.minimum(x2[one], x2[other]) - np.maximum(x1[one], x1[other]) + edge
    height = np.minimum(y2[one], y2[other]) - np.maximum(y1[one], y1[other]) + edge
    area = (x2 - x1 + edge) * (y2 - y1 + edge)
    return np.maximum(width, 0) * np.maximum(height, 0), (area[one], area[other])
