"""Charts as the numbers of an SVG, drawn by a template."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 720, 240
# Room below for the numbers, at the left for nothing, above for the names of the lines.
_TOP, _BOTTOM = 34, 30


@dataclass(frozen=True)
class Mark:
    """A vertical line with words."""

    x: float
    label: str
    kind: str
    y: float = 0.0
    # Whether its words stand left of the line.
    end: bool = False


@dataclass(frozen=True)
class Distributions:
    """Two distributions over similarity as paths in a box of WIDTH x HEIGHT."""

    same: str
    different: str
    ticks: tuple[Mark, ...]
    thresholds: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = HEIGHT - _BOTTOM


def distributions(bars: dict[str, Any], verdicts: list[dict[str, Any]]) -> Distributions | None:
    """Both distributions as shares of their own total; None if one of them is empty.

    `bars` holds counts of even steps of the similarity from -1 to 1, `verdicts` the thresholds.
    """
    same, different = bars["same"], bars["different"]
    if not sum(same) or not sum(different):
        return None
    used = [n for n, pair in enumerate(zip(same, different, strict=True)) if any(pair)]
    step = 2 / len(same)
    first, last = max(min(used) - 1, 0), min(max(used) + 2, len(same))
    low, high = first * step - 1, last * step - 1

    def across(similarity: float) -> float:
        return round((similarity - low) / (high - low) * WIDTH, 1)

    tallest = max(max(counts) / sum(counts) for counts in (same, different))

    def outline(counts: list[int]) -> str:
        floor, room = HEIGHT - _BOTTOM, HEIGHT - _TOP - _BOTTOM
        path = [f"M0 {floor}"]
        for number in range(first, last):
            height = round(floor - counts[number] / sum(counts) / tallest * room, 1)
            path += [f"V{height}", f"H{across((number + 1) * step - 1)}"]
        return " ".join([*path, f"V{floor}", "Z"])

    tenths = [n / 5 for n in range(-5, 6) if low + 0.02 < n / 5 < high - 0.02]
    # The lower line's words stand on its left, so that the two never meet.
    marks = [
        Mark(across(one["similarity"]), one["verdict"], one["verdict"], y=16,
             end=one["verdict"] == "possible")
        for one in verdicts
        if low < one["similarity"] < high
    ]  # fmt: skip
    return Distributions(
        same=outline(same),
        different=outline(different),
        ticks=tuple(Mark(across(at), f"{at:g}", "tick") for at in tenths),
        thresholds=tuple(marks),
    )
