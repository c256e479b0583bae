"""What a similarity means: a confidence, and how often strangers are that alike.

A calibration belongs to one embedder in one version. It is made of counted comparisons, and
kept as a small file of plain numbers: those that come with faceweb are in `calibrations/`.
"""

import functools
import json
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faceweb.recognition.comparisons import SIMILARITIES, Comparisons, Float64, wilson
from faceweb.recognition.evaluation import brier, calibration_error, even_odds

FORMAT = 1

# A false-match rate counts as measured where at least so many false matches were counted;
# its 95 % interval then reaches about 30 % to each side.
MIN_COUNTED = 50
# With fewer comparisons of either kind nothing is fitted.
MIN_PAIRS = 50

_FOLDER = Path(__file__).parent / "calibrations"


class CalibrationError(ValueError):
    """No calibration can be made or read; the message says why."""


@dataclass(frozen=True)
class Thresholds:
    """Similarities from which a face is called a match or a possible match."""

    match: float
    possible: float


@dataclass(frozen=True)
class Platt:
    """Confidence as a logistic curve of the similarity (Platt, 1999)."""

    slope: float
    intercept: float

    def confidence(self, similarities: Float64) -> Float64:
        logits = self.slope * np.asarray(similarities, np.float64) + self.intercept
        confidences: Float64 = 1 / (1 + np.exp(-logits.clip(-700, 700)))
        return confidences


@dataclass(frozen=True)
class Isotonic:
    """Confidence as a rising line through points (similarity, confidence)."""

    points: tuple[tuple[float, float], ...]

    def confidence(self, similarities: Float64) -> Float64:
        known, confidences = zip(*self.points, strict=True)
        between: Float64 = np.interp(similarities, known, confidences)
        return between


Fit = Callable[[Comparisons], Platt | Isotonic]


@dataclass(frozen=True)
class Row:
    """What was counted at one similarity, with 95 % intervals of the rates."""

    similarity: float
    false_matches: int
    fmr: float
    fmr_low: float
    fmr_high: float
    false_non_matches: int
    fnmr: float
    fnmr_low: float
    fnmr_high: float


@dataclass(frozen=True)
class Check:
    """How well the confidences did on comparisons that they were not fitted on, at even odds."""

    source: str
    same: int
    different: int
    ece: float
    brier: float


@dataclass(frozen=True)
class Calibration:
    """The meaning of one embedder's similarities.

    `source` says on which pictures it was made, `made_on` when (ISO date). It rests on `same`
    comparisons of one person and `different` of different people; the table rises in similarity.
    """

    embedder: str
    version: str
    source: str
    made_on: str
    curve: Platt | Isotonic
    same: int
    different: int
    table: tuple[Row, ...]
    check: Check | None = None

    def confidence(self, similarity: float) -> float:
        """The probability that two faces so alike are one person, where both cases are equally
        likely beforehand; 0 to 1."""
        return float(self.curve.confidence(np.array([similarity]))[0])

    def fmr(self, similarity: float) -> float:
        """The false-match rate: the share of pairs of different people at least this similar.

        Above `counted_to` it is not counted but extrapolated: the rate is taken to go on
        falling exponentially, as it does over its last tenfold fall.
        """
        last, slope = self._tail
        if similarity > last.similarity:
            return float(10 ** (math.log10(last.fmr) + slope * (similarity - last.similarity)))
        return float(10 ** np.interp(similarity, *self._counted))

    def fnmr(self, similarity: float) -> float:
        """The false-non-match rate: the share of pairs of one person less similar than this."""
        known = [row.similarity for row in self.table]
        return float(np.interp(similarity, known, [row.fnmr for row in self.table]))

    def similarity_at(self, fmr: float) -> float:
        """The similarity with this false-match rate. Raises ValueError unless 0 < fmr <= 1."""
        if not 0 < fmr <= 1:
            raise ValueError(f"a false-match rate is above 0 and at most 1, not {fmr}")
        last, slope = self._tail
        if fmr < last.fmr:
            return last.similarity + (math.log10(fmr) - math.log10(last.fmr)) / slope
        known, logs = self._counted
        return float(np.interp(-math.log10(fmr), [-log for log in logs], known))

    def thresholds(self, *, match_fmr: float, possible_fmr: float) -> Thresholds:
        """The similarities at two false-match rates, to three places."""
        return Thresholds(
            match=round(self.similarity_at(match_fmr), 3),
            possible=round(self.similarity_at(possible_fmr), 3),
        )

    @property
    def usual(self) -> float:
        """The similarity that half of the pairs of different people reach."""
        return self.similarity_at(0.5)

    @property
    def counted_to(self) -> float:
        """The greatest similarity whose false-match rate was counted."""
        return self._tail[0].similarity

    @property
    def smallest_counted_fmr(self) -> float:
        """The smallest false-match rate that was counted; smaller ones are extrapolated."""
        return self._tail[0].fmr

    @functools.cached_property
    def _counted(self) -> tuple[list[float], list[float]]:
        """Similarities and the logarithms of their counted false-match rates."""
        rows = [row for row in self.table if row.false_matches >= MIN_COUNTED]
        return [row.similarity for row in rows], [math.log10(row.fmr) for row in rows]

    @functools.cached_property
    def _tail(self) -> tuple[Row, float]:
        """The last counted row, and the slope of the rate's logarithm over its last decade."""
        known, logs = self._counted
        last = next(row for row in reversed(self.table) if row.false_matches >= MIN_COUNTED)
        end = [(s, log) for s, log in zip(known, logs, strict=True) if log <= logs[-1] + 1]
        if len(end) < 2:
            end = list(zip(known[-2:], logs[-2:], strict=True))
        x, y = np.array(end).T
        slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
        return last, float(slope)

    def to_data(self) -> dict[str, Any]:
        """Plain values for JSON."""
        method = "platt" if isinstance(self.curve, Platt) else "isotonic"
        data = asdict(self)
        data["curve"] = {"method": method, **data["curve"]}
        return {"format": FORMAT, **data}


def from_data(data: Any) -> Calibration:
    """Read what `to_data` wrote. Raises CalibrationError."""
    try:
        if data["format"] != FORMAT:
            raise CalibrationError(f"a calibration of format {FORMAT} is needed")
        values = {key: value for key, value in data.items() if key != "format"}
        curve = dict(values["curve"])
        kind = {"platt": Platt, "isotonic": Isotonic}[curve.pop("method")]
        if kind is Isotonic:
            curve["points"] = tuple((float(s), float(c)) for s, c in curve["points"])
        values["curve"] = kind(**curve)
        values["table"] = tuple(Row(**row) for row in values["table"])
        values["check"] = Check(**values["check"]) if values.get("check") else None
        calibration = Calibration(**values)
        if calibration.similarity_at(1e-4) <= calibration.similarity_at(1e-2):
            raise CalibrationError("the false-match rates of a calibration must fall")
    except CalibrationError:
        raise
    except (KeyError, TypeError, ValueError, StopIteration, IndexError, AttributeError) as error:
        raise CalibrationError(f"not a calibration ({error})") from None
    return calibration


def as_text(calibration: Calibration) -> str:
    """JSON for a file that people read: one line for each row of the table."""
    data = calibration.to_data()
    rows = ",\n    ".join(json.dumps(row) for row in data.pop("table"))
    head = "".join(
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n"
        for key, value in data.items()
    )
    return f'{{\n{head}  "table": [\n    {rows}\n  ]\n}}\n'


@functools.cache
def shipped(slug: str, version: str) -> Calibration | None:
    """The calibration that comes with faceweb for an embedder in this version, if there is one."""
    path = _FOLDER / f"{slug}.json"
    if not re.fullmatch(r"[a-z0-9-]+", slug) or not path.is_file():
        return None
    calibration = from_data(json.loads(path.read_text(encoding="utf-8")))
    return calibration if calibration.version == version else None


def fit(
    *,
    embedder: str,
    version: str,
    source: str,
    made_on: str,
    groups: Sequence[Comparisons],
    comparisons: Comparisons | None = None,
) -> Calibration:
    """Make a calibration of counted comparisons.

    `groups` are comparisons that have no people in common; `comparisons` are all there are, and
    the sum of the groups if not given. The confidence is fitted both ways, Platt's and isotonic,
    and the one is kept that has the lower calibration error on groups it has not seen. Raises
    CalibrationError.
    """
    counted = comparisons or functools.reduce(operator.add, groups)
    for kind, total in (
        ("one person", counted.same_total), ("different people", counted.different_total),
    ):  # fmt: skip
        if total < MIN_PAIRS:
            raise CalibrationError(f"{total} comparisons of {kind} are too few; {MIN_PAIRS} needed")
    fits = (_platt, _isotonic)
    errors = [_unseen_error(fitted, groups) for fitted in fits]
    return Calibration(
        embedder=embedder,
        version=version,
        source=source,
        made_on=made_on,
        curve=fits[int(np.argmin(errors))](counted),
        same=counted.same_total,
        different=counted.different_total,
        table=_table(counted),
    )


def checked(calibration: Calibration, *, source: str, comparisons: Comparisons) -> Check:
    """Hold the confidences against comparisons that they were not fitted on."""
    confidences = calibration.curve.confidence(SIMILARITIES)
    return Check(
        source=source,
        same=comparisons.same_total,
        different=comparisons.different_total,
        ece=_rounded(calibration_error(confidences, comparisons)),
        brier=_rounded(brier(confidences, comparisons)),
    )


def _unseen_error(fitted: Fit, groups: Sequence[Comparisons]) -> float:
    """The mean calibration error over the groups, each judged by a curve that was fitted on the
    others."""
    errors = []
    for number, group in enumerate(groups):
        others = [other for place, other in enumerate(groups) if place != number]
        if others and group.same_total and group.different_total:
            curve = fitted(functools.reduce(operator.add, others))
            errors.append(calibration_error(curve.confidence(SIMILARITIES), group))
    return float(np.mean(errors)) if errors else 0.0


def _platt(comparisons: Comparisons) -> Platt:
    """A logistic regression at even odds, by Newton's method with halved steps.

    The targets are Platt's, a little short of 0 and 1, which keeps the curve finite where the
    two kinds do not overlap.
    """
    same, different = even_odds(comparisons)
    weights = same + different
    used = np.flatnonzero(weights)
    known, weights = SIMILARITIES[used], weights[used]
    high = (comparisons.same_total + 1) / (comparisons.same_total + 2)
    low = 1 / (comparisons.different_total + 2)
    target = (high * same[used] + low * different[used]) / weights
    centre = float(np.average(known, weights=weights))
    spread = max(float(np.sqrt(np.average((known - centre) ** 2, weights=weights))), 1e-9)
    inputs = np.stack([(known - centre) / spread, np.ones(len(used))], axis=1)

    def loss(parameters: Float64) -> float:
        logits = inputs @ parameters
        return float((weights * (np.logaddexp(0, logits) - target * logits)).sum())

    found = np.zeros(2)
    for _ in range(100):
        guess = Platt(*found).confidence(inputs[:, 0])
        gradient = inputs.T @ (weights * (guess - target))
        curvature = (inputs * (weights * guess * (1 - guess))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        while np.abs(step).max() > 1e-8 and loss(found - step) > loss(found):
            step = step / 2
        found = found - step
        if np.abs(step).max() < 1e-8:
            break
    slope = float(found[0]) / spread
    if slope <= 0:
        raise CalibrationError("faces of one person are not more alike than others here")
    return Platt(slope=round(slope, 4), intercept=round(float(found[1]) - slope * centre, 4))


def _isotonic(comparisons: Comparisons) -> Isotonic:
    """The rising steps nearest to the truth at even odds (pool adjacent violators), each at the
    mean similarity of what it pools (centred isotonic regression, Oron and Flournoy, 2017), and
    kept off 0 and 1 by what so many comparisons of one person can show."""
    same, different = even_odds(comparisons)
    weights = same + different
    blocks: list[tuple[float, float, float]] = []  # of one person, weight, weighted similarity
    for place in np.flatnonzero(weights):
        weight = float(weights[place])
        block = (float(same[place]), weight, weight * float(SIMILARITIES[place]))
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    least = 1 / (comparisons.same_total + 2)
    points = [
        (round(middle / weight, 4), round(min(max(hits / weight, least), 1 - least), 5))
        for hits, weight, middle in blocks
    ]
    rising = [
        point for place, point in enumerate(points)
        if place == 0 or point[1] > points[place - 1][1]
    ]  # fmt: skip
    return Isotonic(tuple(rising))


def _table(comparisons: Comparisons) -> tuple[Row, ...]:
    """Rows at even similarities, in the largest step that follows the rates closely."""
    for step in (0.01, 0.005, 0.002, 0.001):
        places = [round(n * step, 3) for n in range(round(-1 / step), round(1 / step) + 1)]
        rows = [_row(comparisons, place) for place in places]
        rows = [row for row in rows if row.fmr <= 0.99 and row.fnmr < 1]
        if sum(row.false_matches >= MIN_COUNTED and row.fmr <= 0.1 for row in rows) >= 8:
            return tuple(rows)
    raise CalibrationError("too few comparisons of different people for false-match rates")


def _row(comparisons: Comparisons, similarity: float) -> Row:
    false_matches = comparisons.false_matches(similarity)
    false_non_matches = comparisons.false_non_matches(similarity)
    different, same = comparisons.different_total, comparisons.same_total
    fmr_low, fmr_high = wilson(false_matches, different)
    fnmr_low, fnmr_high = wilson(false_non_matches, same)
    return Row(
        similarity=similarity,
        false_matches=false_matches,
        fmr=_rounded(false_matches / different),
        fmr_low=_rounded(fmr_low),
        fmr_high=_rounded(fmr_high),
        false_non_matches=false_non_matches,
        fnmr=_rounded(false_non_matches / same),
        fnmr_low=_rounded(fnmr_low),
        fnmr_high=_rounded(fnmr_high),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
