"""Non-maximum suppression without a loop over boxes: of rivals the best one stays."""

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Float32

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


def best(boxes: Float32, scores: Float32, owners: Indices, threshold: float) -> Indices:
    """Of boxes of one owner whose intersection over union is above the threshold, the best.

    `boxes` (n, 4), `scores` and `owners` (n,). Gives indices of those that stay, best first.
    """
    one, other = _pairs(owners)
    rivals = over_union(boxes, one, other) > threshold
    return _in_order(scores, one[rivals], other[rivals])


def best_contained(boxes: Float32, scores: Float32, owners: Indices, threshold: float) -> Indices:
    """The same by the share of the smaller box that both cover; edges are pixels of the box."""
    one, other = _pairs(owners)
    shared, areas = _areas(boxes, one, other, edge=1)
    rivals = shared / np.minimum(*areas) > threshold
    return _in_order(scores, one[rivals], other[rivals])


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


def _pairs(owners: Indices) -> tuple[Indices, Indices]:
    """All pairs of boxes of one owner."""
    ones, others = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for owner in np.unique(owners):
        mine = np.flatnonzero(owners == owner)
        first, second = np.nonzero(np.arange(len(mine))[:, None] < np.arange(len(mine)))
        ones.append(mine[first])
        others.append(mine[second])
    return np.concatenate(ones), np.concatenate(others)


def _areas(
    boxes: Float32, one: Indices, other: Indices, edge: int
) -> tuple[Float32, tuple[Float32, Float32]]:
    """The area that pairs of boxes share, and the area of each."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    width = np.minimum(x2[one], x2[other]) - np.maximum(x1[one], x1[other]) + edge
    height = np.minimum(y2[one], y2[other]) - np.maximum(y1[one], y1[other]) + edge
    area = (x2 - x1 + edge) * (y2 - y1 + edge)
    return np.maximum(width, 0) * np.maximum(height, 0), (area[one], area[other])
