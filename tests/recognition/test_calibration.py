"""From similarities to confidences and false-match rates."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from faceweb.recognition import calibration, comparisons, embedders
from faceweb.recognition.calibration import Calibration, CalibrationError, Isotonic, Platt, Row
from faceweb.recognition.embedders import SFACE
from tests.recognition.test_comparisons import of


def row(similarity: float, false_matches: int, missed: int) -> Row:
    rate, miss = false_matches / 1_000_000, missed / 1000
    return Row(similarity, false_matches, rate, rate, rate, missed, miss, miss, miss)


# One decade for every tenth of similarity; the last row rests on too little to count.
MADE_UP = Calibration(
    embedder="sface", version="1", source="made up", made_on="2026-01-01",
    curve=Platt(slope=20.0, intercept=-8.0), same=1000, different=1_000_000,
    table=(row(0.2, 100_000, 1), row(0.3, 10_000, 3), row(0.4, 1000, 10), row(0.5, 100, 50),
           row(0.6, 9, 200)),
)  # fmt: skip


def normal(seed: int, *, people: int = 150, faces: int = 4, noise: float = 0.6):
    """Faces of made-up people: a direction each, and noise; so many that rates can be counted."""
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(people), faces)
    vectors = rng.normal(size=(people, 32))[identities] + noise * rng.normal(
        size=(people * faces, 32)
    )
    vectors = vectors.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), identities


def fitted(seed: int = 1, **shape: float) -> Calibration:
    vectors, identities = normal(seed, **shape)
    return calibration.fit(
        embedder="sface", version="1", source="made up", made_on="2026-01-01",
        groups=comparisons.of_groups(vectors, identities, 5),
        comparisons=comparisons.of_all_pairs(vectors, identities),
    )  # fmt: skip


# --- rates --------------------------------------------------------------------------------------


def test_counted_rates_are_met_and_fall_exponentially_between() -> None:
    assert MADE_UP.fmr(0.4) == pytest.approx(1e-3)
    assert MADE_UP.fmr(0.35) == pytest.approx(10**-2.5)
    assert MADE_UP.similarity_at(1e-3) == pytest.approx(0.4)
    assert MADE_UP.similarity_at(10**-2.5) == pytest.approx(0.35)


def test_beyond_what_was_counted_the_rate_goes_on_falling_and_says_so() -> None:
    assert MADE_UP.counted_to == 0.5
    assert MADE_UP.smallest_counted_fmr == pytest.approx(1e-4)
    assert MADE_UP.fmr(0.7) == pytest.approx(1e-6)
    assert MADE_UP.similarity_at(1e-6) == pytest.approx(0.7)


def test_below_the_table_the_rate_is_that_of_its_first_row() -> None:
    assert MADE_UP.fmr(-1) == MADE_UP.fmr(0.2) == pytest.approx(0.1)
    assert MADE_UP.similarity_at(0.9) == pytest.approx(0.2)


@pytest.mark.parametrize("rate", [0, -1e-3, 1.5, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="false-match rate"):
        MADE_UP.similarity_at(rate)


def test_missed_pairs_are_counted_in_straight_lines() -> None:
    assert MADE_UP.fnmr(0.4) == pytest.approx(0.01)
    assert MADE_UP.fnmr(0.45) == pytest.approx(0.03)


def test_thresholds_are_similarities_at_rates() -> None:
    found = MADE_UP.thresholds(match_fmr=1e-4, possible_fmr=1e-2)
    assert (found.match, found.possible) == (0.5, 0.3)


# --- confidence ---------------------------------------------------------------------------------


def test_platts_curve() -> None:
    assert MADE_UP.confidence(0.4) == pytest.approx(0.5)
    assert MADE_UP.confidence(0.5) == pytest.approx(1 / (1 + math.exp(-2)))


def test_isotonic_lines() -> None:
    curve = Isotonic(((0.2, 0.1), (0.4, 0.5)))
    assert curve.confidence(np.array([-1, 0.3, 1])) == pytest.approx([0.1, 0.3, 0.5])


def test_violators_are_pooled_at_their_mean_similarity() -> None:
    # 0.1 no; 0.3 yes and 0.5 no (they violate, and pool at 0.4 with one half); 0.7 yes.
    curve = calibration._isotonic(of([0.3, 0.7], [0.1, 0.5]))
    [low, middle, high] = curve.points
    assert low == pytest.approx((0.1, 0.25), abs=1e-3)  # off 0: two pairs show no more
    assert middle == pytest.approx((0.4, 0.5), abs=1e-3)
    assert high == pytest.approx((0.7, 0.75), abs=1e-3)


def test_platts_fit_finds_the_curve_that_made_the_data() -> None:
    rng = np.random.default_rng(3)
    # Two normal distributions of one width have a logistic odds curve: slope 0.4 / 0.1**2.
    counted = comparisons.of_pairs(
        np.concatenate([rng.normal(0.5, 0.1, 20_000), rng.normal(0.1, 0.1, 20_000)]).clip(-1, 1),
        np.arange(40_000) < 20_000,
    )
    curve = calibration._platt(counted)
    assert curve.slope == pytest.approx(40, rel=0.05)
    assert -curve.intercept / curve.slope == pytest.approx(0.3, abs=0.005)


def test_platts_fit_stays_finite_where_the_kinds_do_not_overlap() -> None:
    curve = calibration._platt(of([0.6, 0.7, 0.8] * 20, [0.1, 0.2, 0.0] * 20))
    assert 0 < curve.slope < 1000
    assert curve.confidence(np.array([0.1, 0.7])) == pytest.approx([0, 1], abs=0.05)


def test_faces_of_one_person_must_be_more_alike() -> None:
    with pytest.raises(CalibrationError, match="not more alike"):
        calibration._platt(of([0.1] * 9, [0.5] * 9))


# --- fitting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.5, 0.9])
def test_a_fitted_calibration_holds_for_other_people(noise: float) -> None:
    made = fitted(1, noise=noise)
    unseen = comparisons.of_all_pairs(*normal(2, noise=noise))
    assert calibration.checked(made, source="others", comparisons=unseen).ece < 0.02
    for rate in (1e-2, 1e-3):
        reached = unseen.false_matches(made.similarity_at(rate)) / unseen.different_total
        assert rate / 2 < reached < rate * 2
    assert made.same == 150 * 6
    assert made.different == 600 * 599 // 2 - made.same


def test_rates_rest_on_counts_with_intervals() -> None:
    made = fitted()
    assert [one.similarity for one in made.table] == sorted(one.similarity for one in made.table)
    for one in made.table:
        assert one.fmr == pytest.approx(one.false_matches / made.different, rel=1e-3)
        assert one.fmr_low <= one.fmr <= one.fmr_high
        assert one.fnmr_low <= one.fnmr <= one.fnmr_high
    rates = [made.fmr(s) for s in np.linspace(-1, 1, 99)]
    assert rates == sorted(rates, reverse=True)
    confidences = [made.confidence(s) for s in np.linspace(-1, 1, 99)]
    assert confidences == sorted(confidences)
    assert 0 < confidences[0] < confidences[-1] < 1


def test_similarities_that_lie_close_together_get_a_finer_table() -> None:
    vectors, identities = normal(1)
    shifted = np.concatenate([vectors, np.full((len(vectors), 1), 4, np.float32)], axis=1)
    shifted /= np.linalg.norm(shifted, axis=1, keepdims=True)
    made = calibration.fit(
        embedder="x", version="1", source="s", made_on="2026-01-01",
        groups=comparisons.of_groups(shifted, identities, 5),
    )  # fmt: skip
    step = made.table[1].similarity - made.table[0].similarity
    assert step <= 0.005
    assert made.similarity_at(1e-2) > 0.9


def test_too_few_faces_make_no_calibration() -> None:
    for people, faces in ((3, 4), (150, 1), (1, 60)):
        with pytest.raises(CalibrationError, match="too few"):
            fitted(people=people, faces=faces)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [MADE_UP, fitted(noise=0.9)], ids=["platt", "fitted"])
def test_a_calibration_survives_its_file(made: Calibration) -> None:
    assert calibration.from_data(json.loads(calibration.as_text(made))) == made
    assert calibration.from_data(json.loads(json.dumps(made.to_data()))) == made


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"curve": {"method": "guess"}},
        {"table": []},
        {"table": [{"similarity": 1}]},
        {"surprise": 1},
    ],
)
def test_what_is_no_calibration_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CalibrationError):
        calibration.from_data({**MADE_UP.to_data(), **change})
    with pytest.raises(CalibrationError):
        calibration.from_data([])


def test_sface_comes_with_a_calibration_of_its_version() -> None:
    found = calibration.shipped(SFACE.slug, SFACE.version)
    assert found is not None
    assert (found.embedder, found.version) == (SFACE.slug, SFACE.version)
    assert found.smallest_counted_fmr < 2e-5
    assert found.similarity_at(1e-4) == pytest.approx(0.427, abs=0.01)
    assert found.similarity_at(1e-5) == pytest.approx(0.480, abs=0.01)
    assert found.check is not None
    assert found.check.ece <= 0.02
    assert calibration.shipped(SFACE.slug, "another") is None


def test_dlib_resnet_too_though_strangers_are_quite_alike_to_it() -> None:
    spec = embedders.get_spec("dlib-resnet")
    found = calibration.shipped(spec.slug, spec.version)
    assert found is not None
    assert (found.embedder, found.version) == (spec.slug, spec.version)
    assert 0.8 < found.usual < found.similarity_at(1e-2) < found.similarity_at(1e-4) < 0.95
    assert found.smallest_counted_fmr < 3e-5
    assert found.check is not None
    assert found.check.ece <= 0.02


def test_each_file_belongs_to_an_embedder_for_identity() -> None:
    files = list((Path(calibration.__file__).parent / "calibrations").glob("*.json"))
    assert len(files) == 2
    for file in files:
        spec = embedders.get_spec(file.stem)
        assert spec.purpose == "identity"
        assert calibration.shipped(spec.slug, spec.version) is not None


def test_other_names_lead_to_no_file() -> None:
    assert calibration.shipped("nonesuch", "1") is None
    assert calibration.shipped("../calibrations/sface", SFACE.version) is None
