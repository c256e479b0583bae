"""What similarities mean here: which calibration and which rates are in force."""

import dataclasses
import math

import pytest

from faceweb.recognition import calibration as calibrations
from faceweb.recognition.embedders import SFACE
from people.models import Calibration, Rates
from people.services import scoring

pytestmark = pytest.mark.django_db

SHIPPED = calibrations.shipped(SFACE.slug, SFACE.version)


def stored(source: str, *, active: bool = True, **values) -> Calibration:
    data = dataclasses.replace(SHIPPED, source=source).to_data()
    return Calibration.objects.create(
        **{"embedder": SFACE.slug, "version": SFACE.version, "source": source, "data": data,
           "is_active": active, **values}
    )  # fmt: skip


def test_without_rows_the_shipped_calibration_and_the_settings_count(settings) -> None:
    scale = scoring.scale()
    assert (scale.embedder, scale.calibration) == ("sface", SHIPPED)
    assert (scale.rates.match_fmr, scale.rates.possible_fmr) == (1e-4, 1e-2)
    assert scale.rates.automatic_fmr is None
    settings.FACEWEB_MATCH_FMR = 1e-5
    assert scoring.scale().rates.match_fmr == 1e-5


def test_chosen_rates_count_at_once() -> None:
    before = scoring.scale("sface").thresholds()
    row = Rates.objects.create(match_fmr=1e-5, possible_fmr=1e-3, automatic_fmr=1e-7)
    after = scoring.scale("sface").thresholds()
    assert after.match > before.match
    assert after.possible > before.possible
    assert scoring.scale().rates.automatic_fmr == 1e-7
    row.delete()
    assert scoring.scale("sface").thresholds() == before


def test_an_active_calibration_of_this_version_counts_at_once() -> None:
    stored("another version", version="2020")
    stored("put aside", active=False)
    assert scoring.scale().calibration == SHIPPED
    row = stored("own photos")
    assert scoring.scale().calibration.source == "own photos"
    Calibration.objects.filter(pk=row.pk).update(is_active=False)
    assert scoring.scale().calibration == SHIPPED
    stored("newer photos")
    assert scoring.scale().calibration.source == "newer photos"


def test_a_scale_costs_two_small_queries(django_assert_num_queries) -> None:
    stored("own photos")
    scoring.scale()
    with django_assert_num_queries(2):
        scoring.scale()


def test_more_faces_ask_for_more_similarity() -> None:
    scale = scoring.scale()
    # 0.05 strangers in 500 comparisons is just the rate itself.
    assert scale.thresholds(0) == scale.thresholds(1)
    assert scale.thresholds(500).match == scale.thresholds().match
    large = scale.thresholds(50_000)
    assert large.match == round(SHIPPED.similarity_at(1e-6), 3)
    assert large.possible == round(SHIPPED.similarity_at(2e-5), 3)
    assert scale.strangers(large.possible, 50_000) == pytest.approx(1, rel=0.05)
    sizes = [scale.thresholds(n).match for n in (1, 1_000, 10_000, 1_000_000)]
    assert sizes == sorted(set(sizes))


def test_a_scale_speaks_as_its_calibration_does() -> None:
    scale = scoring.scale()
    assert scale.confidence(0.6) == SHIPPED.confidence(0.6)
    assert scale.strangers(0.4, 1000) == pytest.approx(1000 * SHIPPED.fmr(0.4))


def test_without_a_calibration_similarity_means_only_itself(monkeypatch) -> None:
    monkeypatch.setattr(calibrations, "shipped", lambda slug, version: None)
    scale = scoring.scale()
    assert scale.calibration is None
    assert scale.confidence(0.9) is None
    assert scale.strangers(0.9, 1000) is None
    assert scale.thresholds(10).match == scale.thresholds_at(1e-4, 1e-3).possible == math.inf


def test_an_unknown_embedder_is_named() -> None:
    with pytest.raises(KeyError, match="nonesuch"):
        scoring.scale("nonesuch")
