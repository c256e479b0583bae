"""Measures of accuracy and calibration, on cases worked out by hand."""

import numpy as np
import pytest

from faceweb.recognition import comparisons, evaluation
from faceweb.recognition.comparisons import SIMILARITIES
from tests.recognition.test_comparisons import of


def at_angles(*degrees: float) -> np.ndarray:
    """Unit vectors (n, 2); their similarity is the cosine of the angle between them."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


# --- verification -------------------------------------------------------------------------------


def test_the_best_threshold_lies_half_way_and_not_between_equals() -> None:
    similarities = np.array([0.1, 0.3, 0.5, 0.7])
    assert evaluation.best_threshold(similarities, np.array([0, 0, 1, 1], bool)) == pytest.approx(
        0.4
    )
    # One of three is misjudged anyway; at 0.5 the two kinds cannot be parted.
    threshold = evaluation.best_threshold(np.array([0.5, 0.5, 0.8]), np.array([0, 1, 1], bool))
    assert threshold <= 0.5
    assert evaluation.best_threshold(similarities, np.ones(4, bool)) < 0.1
    assert evaluation.best_threshold(similarities, np.zeros(4, bool)) > 0.7


def test_ten_folds_judge_each_by_the_others() -> None:
    same = np.arange(40) < 20
    apart = np.where(same, 0.8, 0.2)
    assert evaluation.ten_fold_accuracy(apart, same) == evaluation.Accuracy(1, 0)
    # One pair of the first fold lies on the wrong side: 3 of its 4 are right.
    apart[0] = 0.1
    found = evaluation.ten_fold_accuracy(apart, same)
    assert found.mean == pytest.approx(39 / 40)
    assert found.deviation == pytest.approx(np.std([0.75] + [1] * 9))


def test_ten_folds_need_ten_pairs_of_each_kind() -> None:
    with pytest.raises(ValueError, match="10 pairs"):
        evaluation.ten_fold_accuracy(np.zeros(29), np.arange(29) < 20)


def test_the_equal_error_rate() -> None:
    # From 0.55 to 0.6 one of four of each kind is wrong.
    assert evaluation.equal_error_rate(of([0.2, 0.6, 0.7, 0.8], [0.1, 0.3, 0.5, 0.9])) == (
        pytest.approx(0.25)
    )
    assert evaluation.equal_error_rate(of([0.8, 0.9], [0.1, 0.2])) == pytest.approx(0)
    assert evaluation.equal_error_rate(of([0.1, 0.2], [0.8, 0.9])) == pytest.approx(1)
    # All alike: the line from "accept all" to "refuse all" crosses at one half.
    assert evaluation.equal_error_rate(of([0.5, 0.5], [0.5, 0.5, 0.5])) == pytest.approx(0.5)


def test_the_area_under_the_curve() -> None:
    assert evaluation.area_under_curve(of([0.8, 0.9], [0.1, 0.2])) == 1
    assert evaluation.area_under_curve(of([0.5], [0.5])) == pytest.approx(0.5)
    # Of 4 x 2 comparisons of pairs, 0.3 is below 0.5, and all others are above: 7 of 8.
    assert evaluation.area_under_curve(of([0.3, 0.6, 0.7, 0.8], [0.1, 0.5])) == pytest.approx(7 / 8)


# --- calibration --------------------------------------------------------------------------------


def test_kinds_have_the_same_weight_however_many_they_are() -> None:
    same, different = evaluation.even_odds(of([0.5] * 3, [0.1] * 97))
    assert same.sum() == pytest.approx(0.5)
    assert different.sum() == pytest.approx(0.5)


def test_confidences_that_are_right_have_no_error() -> None:
    counted = of([0.5] * 10, [-0.5] * 10)
    truth = (SIMILARITIES > 0).astype(float)
    assert evaluation.calibration_error(truth, counted) == 0
    assert evaluation.brier(truth, counted) == 0


def test_always_saying_one_half_is_calibrated_and_of_no_use() -> None:
    counted = of([0.5] * 10, [-0.5] * 30)
    half = np.full(len(SIMILARITIES), 0.5)
    assert evaluation.calibration_error(half, counted) == pytest.approx(0)
    assert evaluation.brier(half, counted) == pytest.approx(0.25)


def test_the_error_is_the_distance_from_the_share_that_is_right() -> None:
    # Where 0.9 is said, 3/4 by weight are of one person; where 0.1 is said, 1/4 are.
    counted = of([0.5, 0.5, 0.5, -0.5], [0.5, -0.5, -0.5, -0.5])
    said = np.where(SIMILARITIES > 0, 0.9, 0.1)
    assert evaluation.calibration_error(said, counted) == pytest.approx(0.15)
    assert evaluation.brier(said, counted) == pytest.approx(0.75 * 0.01 + 0.25 * 0.81)


# --- identification -----------------------------------------------------------------------------


def identified(vectors: np.ndarray, people: np.ndarray, **options) -> evaluation.Identification:
    return evaluation.identification(evaluation.leave_one_out(vectors, people), **options)


def test_the_nearest_other_face_decides_the_rank() -> None:
    # Ana at 0 and 10 degrees, Rui at 14 and 90. Ana's second face is nearer to Rui's first one
    # than to her own, and so is Rui's to hers.
    found = identified(at_angles(0, 10, 14, 90), np.array([0, 0, 1, 1]), fpir=0.3)
    assert (found.gallery, found.people, found.mated, found.unmated) == (4, 2, 4, 4)
    # 0: Ana at 10 degrees before Rui at 14. 10: Rui. 14: Ana. 90: Rui, 76 degrees away; Ana 80.
    assert found.rank_1 == pytest.approx(2 / 4)
    assert found.rank_5 == 1


def test_the_open_set_counts_who_comes_up_wrongly_and_who_is_missed() -> None:
    # Without their own person, the best others are at 14, 4, 4 and 80 degrees. One of four may
    # come up at an FPIR of 0.3, but two are equally near, so that none does above them.
    found = identified(at_angles(0, 10, 14, 90), np.array([0, 0, 1, 1]), fpir=0.3)
    assert found.threshold == pytest.approx(np.cos(np.radians(4)), abs=1e-6)
    assert found.fpir == 0
    # Nobody's own person is nearer than 4 degrees: all are missed.
    assert found.fnir == 1
    # At 0.5 the threshold lies at 14 degrees: above it only Ana's first face finds her.
    wider = identified(at_angles(0, 10, 14, 90), np.array([0, 0, 1, 1]), fpir=0.5)
    assert wider.fpir == 0.5
    assert wider.fnir == pytest.approx(3 / 4)


def test_the_nearest_other_person_is_named() -> None:
    found = evaluation.leave_one_out(at_angles(90, 0, 80, 5), np.array([7, 3, 3, 9]))
    assert found.other.tolist() == [3, 9, 7, 3]
    assert np.degrees(np.arccos(found.best_other)) == pytest.approx([10, 5, 10, 5], abs=1e-2)
    assert found.mated.tolist() == [False, True, True, False]


def test_people_count_not_faces() -> None:
    # Six faces of Rui lie between Ana's two, and they are one person ahead of her.
    angles = (0, 20, 1, 2, 3, 4, 5, 6)
    found = identified(at_angles(*angles), np.array([0, 0, 1, 1, 1, 1, 1, 1]))
    assert found.rank_5 == 1
    assert found.rank_1 == pytest.approx(6 / 8)


def test_who_has_one_face_is_only_searched_for_in_vain() -> None:
    found = identified(at_angles(0, 5, 90), np.array([7, 7, 3]))
    assert (found.mated, found.unmated) == (2, 3)
    assert found.rank_1 == 1


def test_a_gallery_of_one_person_measures_no_strangers() -> None:
    found = identified(at_angles(0, 5), np.array([1, 1]))
    assert found.rank_1 == 1
    assert (found.unmated, found.threshold, found.fpir, found.fnir) == (0, None, None, None)
    alone = identified(at_angles(0, 5), np.array([1, 2]))
    assert (alone.mated, alone.rank_1, alone.fnir) == (0, None, None)


def test_all_blocks_are_counted() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(700, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = rng.integers(0, 200, 700)
    told: list[float] = []
    found = evaluation.identification(
        evaluation.leave_one_out(vectors, people, progress=told.append)
    )
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -2)
    mated = np.bincount(people)[people] > 1
    right = people[similarities.argmax(axis=1)] == people
    assert found.rank_1 == pytest.approx(right[mated].mean())
    assert told[-1] == 1
    assert comparisons.of_all_pairs(vectors, people).same_total > 0
