"""One score for a person with several faces.

A probe is compared with each of them. Their similarities are averaged, the higher ones with more
weight, so that a face that does not agree takes little away; and the average is raised by as
much as averages of so many faces of one person spread less than single similarities do. A person
with one face scores that face's similarity. How it was chosen: docs/adr/0013.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.calibration import Calibration

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

# How fast weights fall: a face 0.1 less alike than the best one counts 0.55 of it.
_SHARPNESS = 6.0
# How much the similarities of one person's faces to a stranger go together, as a correlation.
# Were it 0, every further face would speak for itself, and people with many faces would win by
# their number; were it 1, a second face would say nothing new.
_TOGETHER = 0.6

# What ties an embedder's similarities to those of the default one, on which these figures were
# measured: two false-match rates, and the default embedder's similarities there.
_USUAL_FMR, _USUAL = 0.5, 0.1
_RARE_FMR, _RARE = 1e-4, 0.425


@dataclass(frozen=True)
class Footing:
    """How an embedder's similarities become the default one's: stretched, then shifted."""

    stretch: float = 1.0
    shift: float = 0.0


def footing(calibration: Calibration) -> Footing:
    """The footing of the embedder that a calibration is for."""
    usual, rare = (calibration.similarity_at(fmr) for fmr in (_USUAL_FMR, _RARE_FMR))
    stretch = (_RARE - _USUAL) / (rare - usual)
    return Footing(stretch, _USUAL - stretch * usual)


def fused(similarities: Sequence[float] | Float64, footing: Footing | None = None) -> float:
    """A person's score from the similarities of one probe to the person's faces, at least one.

    It is for ranking people, not for thresholds: with several faces that agree it is above the
    best similarity, and may be above 1.
    """
    groups = np.zeros(len(similarities), np.int64)
    return float(fused_groups(np.asarray(similarities, np.float64), groups, footing)[0])


def fused_groups(similarities: Float64, groups: Int64, footing: Footing | None = None) -> Float64:
    """The scores of several people at once: `groups` (n,) says whose each similarity (n,) is, by
    numbers from 0 on without gaps. Returns one score for each number."""
    on = footing or Footing()
    values = similarities * on.stretch + on.shift
    count = int(groups.max(initial=-1)) + 1
    best = np.full(count, -np.inf)
    np.maximum.at(best, groups, values)
    weights = np.exp(_SHARPNESS * (values - best[groups]))
    total = np.bincount(groups, weights, count)
    mean = np.bincount(groups, weights * values, count) / total
    faces = total**2 / np.bincount(groups, weights**2, count)  # as if so many counted equally
    spread = np.sqrt((1 + (faces - 1) * _TOGETHER) / faces)
    scores: Float64 = (mean / spread - on.shift) / on.stretch
    return scores
