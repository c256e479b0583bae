"""Counting comparisons by their similarity: of one person, and of different people.

Counts stand for millions of comparisons in little memory; all rates are read off them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

# Similarities from -1 to 1 are counted in steps of 0.0001.
BINS = 20_000

# The middle of each step.
SIMILARITIES: Float64 = (np.arange(BINS) + 0.5) * 2 / BINS - 1

# Rows compared with everything at once: about 50 MB for 20,000 faces.
_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Comparisons:
    """How many comparisons had which similarity: two arrays (BINS,) of counts."""

    same: Int64
    different: Int64

    def __add__(self, other: "Comparisons") -> "Comparisons":
        return Comparisons(self.same + other.same, self.different + other.different)

    @property
    def same_total(self) -> int:
        return int(self.same.sum())

    @property
    def different_total(self) -> int:
        return int(self.different.sum())

    def false_matches(self, similarity: float) -> int:
        """How many comparisons of different people are at least this similar."""
        return int(self.different[_bin(similarity) :].sum())

    def false_non_matches(self, similarity: float) -> int:
        """How many comparisons of one person are less similar than this."""
        return int(self.same[: _bin(similarity)].sum())

    def similarity_at(self, fmr: float) -> float:
        """The least similarity that at most this share of comparisons of different people reach.

        Raises ValueError where there are none.
        """
        if not self.different_total:
            raise ValueError("no comparisons of different people")
        reached = self.different[::-1].cumsum()[::-1] / self.different_total
        allowed = np.flatnonzero(reached <= fmr)
        return float(allowed[0] if len(allowed) else BINS) * 2 / BINS - 1

    def tmr_at(self, fmr: float) -> float:
        """The true-match rate (TMR) where the false-match rate is at most `fmr`: the share of
        comparisons of one person that reach `similarity_at(fmr)`."""
        missed = self.false_non_matches(self.similarity_at(fmr))
        return 1 - missed / self.same_total if self.same_total else math.nan


def of_pairs(similarities: Float64, same: Bool) -> Comparisons:
    """Counts of labelled pairs, given as arrays (n,)."""
    return Comparisons(_counts(similarities[same]), _counts(similarities[~same]))


def in_parts(similarities: Float64, same: Bool, parts: int) -> list[Comparisons]:
    """Counts of labelled pairs in parts; neighbours, who often show the same people, stay
    together."""
    kinds = [np.array_split(similarities[kind], parts) for kind in (same, ~same)]
    return [
        Comparisons(_counts(ones), _counts(others)) for ones, others in zip(*kinds, strict=True)
    ]


def of_all_pairs(
    vectors: Float32, identities: Int64, *, progress: Callable[[float], None] | None = None
) -> Comparisons:
    """Compare every face with every other, once: unit vectors (n, d), whose they are (n,).

    `progress` is told the share that is done, 0 to 1.
    """
    same, different = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    total = len(vectors)
    for start in range(0, total, _BLOCK):
        stop = min(start + _BLOCK, total)
        similarities = vectors[start:stop] @ vectors[start:].T
        alike = identities[start:stop, None] == identities[None, start:]
        later = np.triu(np.ones(similarities.shape, bool), 1)
        same += _counts(similarities[alike & later])
        different += _counts(similarities[~alike & later])
        if progress is not None:
            # The first blocks have the most comparisons.
            progress(1 - ((total - stop) / total) ** 2)
    return Comparisons(same, different)


def of_groups(vectors: Float32, identities: Int64, groups: int) -> list[Comparisons]:
    """Sort people into groups, and compare within each: no person and no photo is in two."""
    return [
        of_all_pairs(
            vectors[identities % groups == group], identities[identities % groups == group]
        )
        for group in range(groups)
    ]


def wilson(events: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a rate that `events` of `total` show (Wilson's score).

    It takes the comparisons for independent; where many share a photo the truth is wider.
    """
    if total == 0:
        return 0.0, 1.0
    z = 1.959964
    rate = events / total
    centre = (rate + z * z / (2 * total)) / (1 + z * z / total)
    reach = z / (1 + z * z / total) * math.sqrt(
        rate * (1 - rate) / total + z * z / (4 * total * total)
    )  # fmt: skip
    low = 0.0 if events == 0 else max(centre - reach, 0.0)
    return low, 1.0 if events == total else min(centre + reach, 1.0)


def _bin(similarity: float) -> int:
    return min(max(round((similarity + 1) / 2 * BINS), 0), BINS)


def _counts(similarities: Float32 | Float64) -> Int64:
    places = ((similarities + 1) * (BINS / 2)).astype(np.int64).clip(0, BINS - 1)
    counted: Int64 = np.bincount(places, minlength=BINS).astype(np.int64)
    return counted
