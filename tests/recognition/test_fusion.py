"""The fused score: support raises it, an outlier hardly moves it, numbers alone do not win."""

import dataclasses

import numpy as np
import pytest

from faceweb.recognition import calibration, fusion
from faceweb.recognition.embedders import SFACE
from faceweb.recognition.fusion import Footing, fused

CALIBRATION = calibration.shipped(SFACE.slug, SFACE.version)
assert CALIBRATION is not None


@pytest.mark.parametrize("similarity", [-0.2, 0.0, 0.3, 0.71])
def test_one_face_scores_its_own_similarity(similarity: float) -> None:
    assert fused([similarity]) == pytest.approx(similarity)


def test_faces_that_agree_raise_the_score() -> None:
    assert fused([0.5]) < fused([0.5, 0.48]) < fused([0.5, 0.48, 0.47])


def test_a_wrong_member_among_a_persons_faces_takes_little_away() -> None:
    assert fused([0.6, 0.58, 0.02]) == pytest.approx(fused([0.6, 0.58]), abs=0.03)
    assert fused([0.6, 0.02]) == pytest.approx(0.6, abs=0.02)


def test_one_stray_face_that_agrees_does_not_beat_three_that_do() -> None:
    stray = fused([0.62, 0.05, 0.02, -0.04, 0.01])
    assert stray < 0.62
    assert stray < fused([0.55, 0.53, 0.5, 0.02])


def test_a_hundred_strangers_under_one_name_do_not_win_by_their_number() -> None:
    rng = np.random.default_rng(3)
    strangers = rng.normal(0.02, 0.1, (200, 100))
    scores = [fused(row) for row in strangers]
    assert max(scores) < strangers.max()
    assert np.median(scores) < 0.25


def test_many_faces_raise_no_further_than_their_correlation_lets_them() -> None:
    assert fused([0.3] * 10_000) == pytest.approx(0.3 / np.sqrt(0.6), abs=1e-3)


def test_order_does_not_matter() -> None:
    assert fused([0.1, 0.5, 0.4]) == pytest.approx(fused([0.5, 0.4, 0.1]))


def test_groups_are_scored_as_if_alone() -> None:
    values = np.array([0.5, 0.1, 0.4, 0.45, 0.3])
    groups = np.array([1, 0, 1, 1, 2])
    expected = [fused([0.1]), fused([0.5, 0.4, 0.45]), fused([0.3])]
    assert fusion.fused_groups(values, groups) == pytest.approx(expected)
    assert fusion.fused_groups(np.zeros(0), np.zeros(0, np.int64)).shape == (0,)


def test_the_default_embedder_stands_on_the_default_footing() -> None:
    on = fusion.footing(CALIBRATION)
    assert on.stretch == pytest.approx(1, abs=0.05)
    assert on.shift == pytest.approx(0, abs=0.02)


def test_embedders_whose_strangers_are_alike_are_fused_by_the_same_measure() -> None:
    """As with dlib's network: strangers at 0.8, one person from 0.92 on."""
    on = Footing(stretch=3.5, shift=-2.8)
    alike = fused([0.93, 0.925, 0.92], on)
    assert fused([0.93], on) == pytest.approx(0.93)
    assert 0.93 < alike < 0.97
    assert fused([0.82, 0.81, 0.8, 0.79], on) < 0.84


def test_the_footing_comes_from_the_false_match_rates() -> None:
    shifted = dataclasses.replace(
        CALIBRATION,
        table=tuple(
            dataclasses.replace(row, similarity=0.8 + row.similarity / 5)
            for row in CALIBRATION.table
        ),
    )
    usual, there = fusion.footing(CALIBRATION), fusion.footing(shifted)
    assert there.stretch == pytest.approx(5 * usual.stretch, rel=1e-3)
    values = np.array([0.4, 0.38, 0.1])
    assert fused(0.8 + values / 5, there) == pytest.approx(0.8 + fused(values, usual) / 5, abs=1e-3)
