"""Measures of accuracy and of calibration, each defined where it is computed."""

import numpy as np

from faceweb.recognition.comparisons import Comparisons, Float64

# Bins of equal width for the calibration error, as in Guo et al., "On Calibration of Modern
# Neural Networks" (2017).
ECE_BINS = 15


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
