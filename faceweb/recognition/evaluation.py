"""Measures of accuracy and of calibration, each defined where it is computed.

Verification compares two faces: are they one person? Identification looks one face up among
many: whose is it?
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faceweb.recognition.comparisons import Bool, Comparisons, Float32, Float64, Int64

# Bins of equal width for the calibration error, as in Guo et al., "On Calibration of Modern
# Neural Networks" (2017).
ECE_BINS = 15

FOLDS = 10

# Probes compared with the whole gallery at once: about 20 MB for 20,000 faces.
_BLOCK = 256


@dataclass(frozen=True)
class Accuracy:
    """The share of pairs that are judged rightly: the mean over the folds, and its spread."""

    mean: float
    deviation: float


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Every face looked up among all the others; a person stands with the most similar face.

    For each face (n,): `mated`: whether its person has another face; `own`: the similarity to
    the own person; `best_other`: to the most similar other one, who is `other`; `ahead`: how
    many others are at least as similar as the own one.
    """

    people: int
    mated: Bool
    own: Float64
    best_other: Float64
    other: Int64
    ahead: Int64


@dataclass(frozen=True)
class Identification:
    """What `identification` measures; None where there is nothing to measure it on.

    `mated`: probes whose person is in the gallery; `unmated`: searches without that person.
    `threshold`: the similarity from which an answer counts in the open set.
    """

    gallery: int
    people: int
    mated: int
    unmated: int
    rank_1: float | None
    rank_5: float | None
    threshold: float | None
    fpir: float | None
    fnir: float | None


def ten_fold_accuracy(similarities: Float64, same: Bool) -> Accuracy:
    """The share of pairs (n,) judged rightly, each fold by the threshold that is best on the
    other nine (the LFW protocol).

    Folds are fixed: the first tenth of the pairs of one person and the first tenth of the
    others, and so on. Raises ValueError with fewer than ten pairs of either kind.
    """
    if min(same.sum(), (~same).sum()) < FOLDS:
        raise ValueError(f"{FOLDS} pairs of each kind are needed")
    folds = np.zeros(len(same), np.int64)
    for kind in (same, ~same):
        for number, places in enumerate(np.array_split(np.flatnonzero(kind), FOLDS)):
            folds[places] = number
    shares = []
    for number in range(FOLDS):
        mine = folds == number
        threshold = best_threshold(similarities[~mine], same[~mine])
        shares.append(float(((similarities[mine] >= threshold) == same[mine]).mean()))
    return Accuracy(float(np.mean(shares)), float(np.std(shares)))


def best_threshold(similarities: Float64, same: Bool) -> float:
    """The similarity that judges most of the pairs (n,) rightly, half-way between two pairs; the
    least of several."""
    order = np.argsort(similarities, kind="stable")
    known, hits = similarities[order], same[order]
    # With the threshold before place i, all pairs from i on are taken for one person.
    right = np.concatenate([[0], (~hits).cumsum()]) + np.concatenate(
        [hits[::-1].cumsum()[::-1], [0]]
    )
    edges = np.concatenate([[known[0] - 1e-6], (known[1:] + known[:-1]) / 2, [known[-1] + 1e-6]])
    # Between equals there is no place for a threshold.
    right[1:-1][known[1:] == known[:-1]] = -1
    return float(edges[int(np.argmax(right))])


def equal_error_rate(comparisons: Comparisons) -> float:
    """The rate (EER) at which as many comparisons of one person are refused as comparisons of
    different people are accepted; between two steps, where the lines that join them cross."""
    refused = np.concatenate([[0], comparisons.same.cumsum()]) / comparisons.same_total
    below = np.concatenate([[0], comparisons.different.cumsum()])
    accepted = 1 - below / comparisons.different_total
    surplus = accepted - refused  # falls from 1 to -1
    place = int(np.flatnonzero(surplus <= 0)[0])
    part = surplus[place - 1] / (surplus[place - 1] - surplus[place])
    return float(accepted[place - 1] + part * (accepted[place] - accepted[place - 1]))


def area_under_curve(comparisons: Comparisons) -> float:
    """The chance that faces of one person are more similar than faces of different people (AUC);
    equals count one half."""
    below = comparisons.different.cumsum() - comparisons.different / 2
    possible = comparisons.same_total * comparisons.different_total
    return float((comparisons.same * below).sum() / possible)


def leave_one_out(
    vectors: Float32,
    identities: Int64,
    *,
    progress: Callable[[float], None] | None = None,
) -> LeaveOneOut:
    """Look every face up among all the others: unit vectors (n, d), whose they are (n,)."""
    order = np.argsort(identities, kind="stable")
    people, starts, counts = np.unique(identities[order], return_index=True, return_counts=True)
    gallery = vectors[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    column = np.searchsorted(people, identities)
    own, best = np.zeros((2, len(vectors)))
    nearest, ahead = np.zeros((2, len(vectors)), np.int64)
    for start in range(0, len(vectors), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(vectors)))
        similarities = vectors[rows] @ gallery.T
        similarities[np.arange(len(rows)), place[rows]] = -2  # not with itself
        by_person = np.maximum.reduceat(similarities, starts, axis=1)
        mine = (np.arange(len(rows)), column[rows])
        own[rows] = by_person[mine]
        by_person[mine] = -2
        nearest[rows] = by_person.argmax(axis=1)
        best[rows] = by_person.max(axis=1)
        ahead[rows] = (by_person >= own[rows][:, None]).sum(axis=1)
        if progress is not None:
            progress((int(rows[-1]) + 1) / len(vectors))
    return LeaveOneOut(
        people=len(people),
        mated=counts[column] > 1,
        own=own,
        best_other=best,
        other=people[nearest] if len(people) else nearest,
        ahead=ahead,
    )


def identification(found: LeaveOneOut, *, fpir: float = 0.01) -> Identification:
    """How well people are found among others.

    Closed set: the share of probes with their own person first (rank 1), or among the first
    five, over the probes whose person has another face. Open set: each face is also looked up
    without its person's faces. The threshold is the least at which at most the share `fpir` of
    those searches bring up anyone (FPIR, the false-positive identification rate); FNIR is the
    share of the others that do not bring up the right person first and above it.
    """
    ahead, own = found.ahead[found.mated], found.own[found.mated]
    unmated = found.best_other if found.people > 1 else found.best_other[:0]
    threshold = reached = fnir = None
    if len(unmated):
        allowed = int(fpir * len(unmated) + 1e-9)
        # Just above the first one that may not come up.
        threshold = float(np.nextafter(np.sort(unmated)[::-1][allowed], np.inf))
        reached = float((unmated >= threshold).mean())
    if len(own) and threshold is not None:
        fnir = float(((ahead > 0) | (own < threshold)).mean())
    return Identification(
        gallery=len(found.own),
        people=found.people,
        mated=len(own),
        unmated=len(unmated),
        rank_1=float((ahead < 1).mean()) if len(own) else None,
        rank_5=float((ahead < 5).mean()) if len(own) else None,
        threshold=threshold,
        fpir=reached,
        fnir=fnir,
    )


def even_odds(comparisons: Comparisons) -> tuple[Float64, Float64]:
    """Weights of the counts, of one person and of different people: each kind has half of 1."""
    same = 0.5 * comparisons.same / max(comparisons.same_total, 1)
    different = 0.5 * comparisons.different / max(comparisons.different_total, 1)
    return same, different


def calibration_error(confidences: Float64, comparisons: Comparisons) -> float:
    """The expected calibration error (ECE) at even odds, 0 to 1.

    `confidences` (BINS,) are those of the similarities that are counted. Comparisons are sorted
    into 15 bins of equal width by their confidence. In each, the mean confidence is held
    against the share that is of one person; the error is the mean of the differences, by the
    weight of the bins.
    """
    same, different = even_odds(comparisons)
    bins = (confidences * ECE_BINS).astype(np.int64).clip(0, ECE_BINS - 1)
    surplus = (same + different) * confidences - same
    return float(np.abs(np.bincount(bins, surplus, minlength=ECE_BINS)).sum())


def brier(confidences: Float64, comparisons: Comparisons) -> float:
    """The Brier score at even odds: the mean squared distance of the confidence (BINS,) from
    the truth, 1 for one person and 0 for different people. 0 is perfect; always saying one half
    gets 0.25."""
    same, different = even_odds(comparisons)
    return float((same * (1 - confidences) ** 2 + different * confidences**2).sum())
