"""Verdicts keep what they say, however large the gallery is."""

import pytest

from faceweb.recognition.thresholds import FalseMatchCurve

CURVE = FalseMatchCurve(points=((0.3, 1e-2), (0.4, 1e-3), (0.5, 1e-4)), source="made up")


def test_measured_points_are_met_and_the_rate_falls_exponentially_between() -> None:
    assert CURVE.similarity_at(1e-3) == pytest.approx(0.4)
    assert CURVE.similarity_at(10**-2.5) == pytest.approx(0.35)
    assert CURVE.similarity_at(1e-6) == pytest.approx(0.7)
    assert CURVE.similarity_at(1e-1) == pytest.approx(0.2)


def test_a_single_comparison_uses_the_plain_rates() -> None:
    assert (CURVE.thresholds().match, CURVE.thresholds().possible) == (0.5, 0.4)
    assert CURVE.thresholds(0) == CURVE.thresholds(1) == CURVE.thresholds(500)


def test_more_faces_ask_for_more_similarity() -> None:
    large = CURVE.thresholds(50_000)
    # 0.05 strangers in 50,000 comparisons is a rate of 1e-6, one stranger a rate of 2e-5.
    assert large.match == pytest.approx(0.7, abs=1e-3)
    assert large.possible == pytest.approx(0.57, abs=1e-3)
    sizes = [CURVE.thresholds(n).match for n in (1, 1_000, 10_000, 1_000_000)]
    assert sizes == sorted(set(sizes))
