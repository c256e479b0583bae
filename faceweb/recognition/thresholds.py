"""From similarities to verdicts: thresholds chosen by how often strangers reach them.

The false-match rate (FMR) of a similarity is the share of pairs of different people who are
at least that similar. One search compares a probe with the whole gallery, so the strangers
to expect grow with it: FMR times the number of faces.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

# In a small gallery: the FMR of single comparisons.
MATCH_FMR, POSSIBLE_FMR = 1e-4, 1e-3
# In a large one: how many strangers a search may be expected to bring up at most.
MATCH_STRANGERS, POSSIBLE_STRANGERS = 0.05, 1.0


@dataclass(frozen=True)
class Thresholds:
    """Similarities from which a face is called a match or a possible match."""

    match: float
    possible: float


@dataclass(frozen=True)
class FalseMatchCurve:
    """Measured similarities and their false-match rates, both in ascending similarity.

    `source` says on which pairs they were measured.
    """

    points: tuple[tuple[float, float], ...]
    source: str

    def similarity_at(self, fmr: float) -> float:
        """The similarity that this share of strangers reaches.

        Between and beyond the measured points the rate is taken to fall exponentially.
        """
        wanted = math.log10(fmr)
        segments = list(pairwise((s, math.log10(rate)) for s, rate in self.points))
        for (s1, r1), (s2, r2) in segments:
            if wanted >= r2 or (s2, r2) == segments[-1][1]:
                return s1 + (wanted - r1) * (s2 - s1) / (r2 - r1)
        raise ValueError("a curve needs two points")

    def thresholds(self, gallery_size: int = 1) -> Thresholds:
        """The thresholds for searches among so many faces; 1 stands for a single comparison."""
        size = max(gallery_size, 1)
        return Thresholds(
            match=round(self.similarity_at(min(MATCH_FMR, MATCH_STRANGERS / size)), 3),
            possible=round(self.similarity_at(min(POSSIBLE_FMR, POSSIBLE_STRANGERS / size)), 3),
        )
