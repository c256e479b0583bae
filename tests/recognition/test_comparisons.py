"""Counting comparisons, on cases worked out by hand."""

import numpy as np
import pytest

from faceweb.recognition import comparisons
from faceweb.recognition.comparisons import Comparisons, wilson


def of(same: list[float], different: list[float]) -> Comparisons:
    labels = np.array([True] * len(same) + [False] * len(different))
    return comparisons.of_pairs(np.array(same + different), labels)


def test_rates_are_read_off_the_counts() -> None:
    counted = of([0.3, 0.6, 0.7, 0.8], [0.1] * 6 + [0.2, 0.3, 0.5, 0.9])
    assert (counted.same_total, counted.different_total) == (4, 10)
    assert [counted.false_matches(s) for s in (-1, 0.25, 0.4, 0.6, 1)] == [10, 3, 2, 1, 0]
    assert [counted.false_non_matches(s) for s in (-1, 0.4, 0.65, 1)] == [0, 1, 2, 4]


def test_the_similarity_of_a_rate_lets_no_more_pass() -> None:
    counted = of([0.3, 0.6, 0.7, 0.8], [0.1] * 6 + [0.2, 0.3, 0.5, 0.9])
    # A fifth may pass: those at 0.5 and 0.9, but not the one at 0.3.
    assert counted.similarity_at(0.2) == pytest.approx(0.3001, abs=1e-4)
    assert counted.tmr_at(0.2) == pytest.approx(3 / 4)
    assert counted.similarity_at(0.05) == pytest.approx(0.9001, abs=1e-4)
    assert counted.tmr_at(0.05) == 0
    assert counted.similarity_at(1) == -1
    with pytest.raises(ValueError, match="no comparisons"):
        of([0.5], []).similarity_at(0.1)


def test_every_pair_is_counted_once() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(1100, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = rng.integers(0, 40, 1100)
    told: list[float] = []
    counted = comparisons.of_all_pairs(vectors, people, progress=told.append)
    similarities = vectors @ vectors.T
    pairs = np.triu(np.ones((1100, 1100), bool), 1)
    alike = people[:, None] == people
    assert counted.same_total == (pairs & alike).sum()
    assert counted.different_total == (pairs & ~alike).sum()
    expected = (pairs & ~alike & (similarities >= 0.5)).sum()
    assert counted.false_matches(0.5) == pytest.approx(expected, abs=3)
    assert told == sorted(told)
    assert told[-1] == 1


def test_groups_share_no_person() -> None:
    vectors = np.eye(6, dtype=np.float32)
    groups = comparisons.of_groups(vectors, np.array([0, 0, 1, 1, 2, 3]), 2)
    # 0 and 2 (three faces) are one group, 1 and 3 (three faces) the other.
    assert [(one.same_total, one.different_total) for one in groups] == [(1, 2), (1, 2)]
    both = groups[0] + groups[1]
    assert (both.same_total, both.different_total) == (2, 4)


def test_no_faces_are_no_comparisons() -> None:
    counted = comparisons.of_all_pairs(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert (counted.same_total, counted.different_total) == (0, 0)


def test_wilsons_interval() -> None:
    # The published example of Newcombe (1998): 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)
    assert wilson(5, 5)[1] == 1
    assert wilson(0, 0) == (0, 1)
