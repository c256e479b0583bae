"""Checks of accuracy on the archive's own named faces, and the rates of verdicts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from faceweb import sweeping
from faceweb.recognition import calibration as calibrations
from faceweb.recognition import embedders
from faceweb.recognition.embedders import SFACE
from people import words
from people.models import Evaluation, Face, FaceEmbedding, Person, Rates, Suggestion
from people.problems import Refused
from people.services import calibrating, evaluating, rates, scoring
from people.views.charts import distributions
from tests.factories import direction, make_face, make_person, make_photo, near
from tests.weights import make_onnx

pytestmark = pytest.mark.django_db


def gallery(people: int, faces: int, *, noise: float = 0.5, seed: int = 1) -> list[Person]:
    """People whose faces lie around a direction of their own."""
    rng = np.random.default_rng(seed)
    made = Person.objects.bulk_create(
        Person(name=f"P{n}", name_key=f"p{n}", search_key=f"p{n}") for n in range(people)
    )
    photo = make_photo()
    first = photo.faces.count() + 1
    rows = Face.objects.bulk_create(
        Face(photo=photo, number=first + n, person=made[n // faces], x1=0, y1=0, x2=9, y2=9,
             landmarks=[], detection_score=1, crop="")
        for n in range(people * faces)
    )  # fmt: skip
    middles = rng.normal(size=(people, 128))
    vectors = middles.repeat(faces, axis=0) + noise * rng.normal(size=(people * faces, 128))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    FaceEmbedding.objects.bulk_create(
        FaceEmbedding(face=face, embedder="sface", version=SFACE.version, vector=vector.tobytes())
        for face, vector in zip(rows, vectors, strict=True)
    )
    return made


def checked(**values) -> Evaluation:
    job = evaluating.request_evaluation(**values)
    evaluating.run_evaluation(evaluation_id=job.pk, worker="w")
    job.refresh_from_db()
    assert job.status == "done", job.error_detail
    return job


# --- the check ----------------------------------------------------------------------------------


def test_every_named_face_is_looked_up_among_the_others() -> None:
    gallery(40, 3)
    for n in range(5):
        make_face(vector=direction(n))  # of nobody
    results = checked().results
    assert (results["faces"], results["people"], results["people_with_several"]) == (120, 40, 40)
    assert (results["same"], results["different"]) == (120, 120 * 119 // 2 - 120)
    assert results["identification"]["rank_1"] == 1
    assert results["eer"] < 0.01
    assert results["rates"][0]["tmr"] == 1
    assert results["rates"][-1] == {"fmr": 1e-5, "tmr": None}
    assert sum(results["bars"]["different"]) == results["different"]
    match, possible = results["in_use"]["verdicts"]
    assert match["similarity"] > possible["similarity"]
    assert match["same"] <= possible["same"] <= 120
    assert results["in_use"]["gallery_size"] == 125
    assert json.dumps(results)  # it is stored as plain values


def test_who_is_hidden_or_not_a_face_is_left_out() -> None:
    people = gallery(4, 2)
    Person.objects.filter(pk=people[0].pk).update(is_searchable=False)
    Face.objects.filter(pk=people[1].faces.first().pk).update(state="not_a_face")
    results = checked().results
    assert (results["faces"], results["people"], results["people_with_several"]) == (5, 3, 2)


def test_names_given_for_their_likeness_are_counted() -> None:
    people = gallery(3, 2)
    people[0].faces.update(assigned_by=Face.AssignedBy.SUGGESTION)
    assert checked().results["by_similarity"] == 2


def test_of_many_faces_of_one_person_few_are_taken(monkeypatch) -> None:
    monkeypatch.setattr(evaluating, "MOST_FACES_EACH", 4)
    gallery(3, 9)
    results = checked().results
    assert (results["faces"], results["named"]) == (12, 27)


def test_of_many_people_some_are_taken_whole_and_the_same_ones_again(monkeypatch) -> None:
    gallery(30, 2)
    monkeypatch.setattr(evaluating, "MOST_FACES", 20)
    first, again = (evaluating.load_gallery(SFACE) for _ in range(2))
    assert len(first.faces) == 20
    assert set(np.unique(first.people, return_counts=True)[1]) == {2}
    assert first.faces.tolist() == again.faces.tolist()


def test_people_who_look_like_one_are_listed_while_they_are_two() -> None:
    gallery(40, 3)
    one, other = make_person("Sepp Blatter"), make_person("Joseph Blatter")
    vector = direction(3)
    for person in (one, other):
        make_face(person=person, vector=near(vector, 0.97, towards=4))
        make_face(person=person, vector=near(vector, 0.95, towards=5))
    results = checked().results
    [found] = evaluating.look_alikes_of(results)
    assert {found.person, found.other} == {one, other}
    assert found.face.person == found.person
    assert found.similarity > 0.8
    Person.objects.filter(pk=one.pk).update(merged_into=other)
    assert evaluating.look_alikes_of(results) == []


def test_a_check_needs_two_people_with_two_faces() -> None:
    gallery(1, 5)
    with pytest.raises(Refused) as refusal:
        evaluating.request_evaluation()
    assert refusal.value.code == "too_few_named"


def test_a_check_that_is_under_way_is_not_started_twice() -> None:
    gallery(2, 2)
    assert evaluating.request_evaluation() == evaluating.request_evaluation()


def test_few_faces_make_no_calibration_and_say_why() -> None:
    gallery(3, 2)
    job = checked()
    assert job.results["proposed"] is None
    assert "too few" in job.results["proposed_problem"]
    with pytest.raises(Refused) as refusal:
        calibrating.adopt(check=job)
    assert refusal.value.code == "no_such_calibration"


def test_without_a_calibration_the_rest_is_measured(monkeypatch) -> None:
    monkeypatch.setattr(scoring, "shipped_calibration", lambda spec: None)
    gallery(40, 3)
    results = checked().results
    assert results["in_use"] is None
    assert results["look_alikes"] == []
    assert results["proposed"]["same"] == 120


# --- the check as a job -------------------------------------------------------------------------


def test_a_check_is_done_once_and_notes_how_far_it_is(monkeypatch) -> None:
    monkeypatch.setattr(evaluating, "_SECONDS_BETWEEN_NOTES", 0)
    gallery(2, 2)
    job = evaluating.request_evaluation()
    noted: list[float] = []
    measure = evaluating.measure

    def watched(*, spec, progress):
        def note(share: float) -> None:
            progress(share)
            noted.append(Evaluation.objects.get(pk=job.pk).results["progress"])

        return measure(spec=spec, progress=note)

    monkeypatch.setattr(evaluating, "measure", watched)
    evaluating.run_evaluation(evaluation_id=job.pk, worker="a")
    assert noted == [0.5, 1]
    monkeypatch.setattr(evaluating, "measure", None)
    evaluating.run_evaluation(evaluation_id=job.pk, worker="b")
    assert Evaluation.objects.get(pk=job.pk).status == "done"


def test_a_check_that_is_taken_away_stops_and_writes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(evaluating, "_SECONDS_BETWEEN_NOTES", 0)
    gallery(2, 2)
    job = evaluating.request_evaluation()
    load = evaluating.load_gallery

    def taken_away(spec):
        Evaluation.objects.all().release(crashed=True)
        return load(spec)

    monkeypatch.setattr(evaluating, "load_gallery", taken_away)
    evaluating.run_evaluation(evaluation_id=job.pk, worker="a")
    job.refresh_from_db()
    assert (job.status, job.results, job.crashes) == ("queued", None, 1)


def test_a_check_that_fails_says_so(monkeypatch) -> None:
    gallery(2, 2)
    job = evaluating.request_evaluation()
    monkeypatch.setattr(evaluating, "load_gallery", lambda spec: 1 / 0)
    evaluating.run_evaluation(evaluation_id=job.pk, worker="a")
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "unexpected")
    assert "ZeroDivisionError" in job.error_detail


def test_the_sweeper_returns_a_check_that_a_dead_worker_held(index) -> None:
    gallery(2, 2)
    job = evaluating.request_evaluation()
    Evaluation.objects.claim([job.pk], worker="a")
    sweeping.sweep(worker="a")
    job.refresh_from_db()
    assert (job.status, job.crashes) == ("queued", 1)


# --- calibrations and rates ---------------------------------------------------------------------


def test_the_calibration_of_a_check_can_be_used_and_given_up(user) -> None:
    gallery(40, 3)
    row = calibrating.adopt(check=checked(), user=user)
    assert row.source == "120 named faces of this archive"
    assert row.created_by == user
    assert scoring.scale().calibration.source == row.source
    assert calibrating.deactivate(embedder="sface", version=SFACE.version) == 1
    assert scoring.scale().calibration == scoring.shipped_calibration(SFACE)


def test_a_check_of_another_embedder_is_not_used() -> None:
    gallery(40, 3)
    job = checked()
    job.version = "2020"
    with pytest.raises(Refused) as refusal:
        calibrating.adopt(check=job)
    assert refusal.value.code == "outdated_check"


def test_an_embedder_for_pictures_in_general_has_no_calibration(settings, tmp_path) -> None:
    weights = tmp_path / "weights"
    make_onnx(weights, purpose="general")
    settings.FACEWEB_EMBEDDER = f"onnx:{weights / 'tiny.onnx'}"
    spec = embedders.get_spec(settings.FACEWEB_EMBEDDER)
    gallery(40, 3)
    FaceEmbedding.objects.update(embedder=spec.slug, version=spec.version)
    job = checked()
    assert job.results["proposed"] is None
    assert job.results["proposed_problem"] == "its embedder is for pictures in general"
    made = calibrations.shipped("sface", SFACE.version)
    job.results["proposed"] = made.to_data()
    with pytest.raises(Refused) as refusal:
        calibrating.adopt(check=job)
    assert refusal.value.code == "general_embedder"
    calibrating.activate(made=replace(made, embedder=spec.slug, version=spec.version))
    assert scoring.scale().calibration is None
    assert scoring.known_calibration(spec) is None


def test_rates_are_chosen_and_reset(user) -> None:
    rates.choose(match_fmr=1e-5, possible_fmr=1e-3, user=user)
    rates.choose(match_fmr=1e-6, possible_fmr=1e-3, user=user)
    assert Rates.objects.count() == 1
    assert scoring.active_rates() == scoring.ActiveRates(1e-6, 1e-3)
    rates.reset()
    assert scoring.active_rates() == scoring.default_rates()
    assert not Rates.objects.exists()


def test_automatic_assignment_is_not_touched() -> None:
    Rates.objects.create(match_fmr=1e-5, possible_fmr=1e-3, automatic_fmr=1e-8)
    rates.choose(match_fmr=1e-6, possible_fmr=1e-2)
    assert scoring.active_rates() == scoring.ActiveRates(1e-6, 1e-2, 1e-8)
    rates.reset()
    assert scoring.active_rates() == scoring.ActiveRates(1e-4, 1e-2, 1e-8)


def test_a_possible_match_asks_for_no_more_than_a_match() -> None:
    with pytest.raises(Refused) as refusal:
        rates.choose(match_fmr=1e-2, possible_fmr=1e-3)
    assert refusal.value.code == "rates_order"


def test_the_preview_counts_unnamed_faces() -> None:
    person = make_person()
    example = make_face(person=person)
    for similarity in (0.6, 0.45, 0.4, 0.33, 0.2):
        Suggestion.objects.create(
            face=make_face(), person=person, example=example, similarity=similarity,
            score=similarity,
        )  # fmt: skip
    make_face()  # without a suggestion
    found = rates.preview(match_fmr=1e-5, possible_fmr=1e-3)
    assert (found.gallery_size, found.unnamed, found.suggested) == (7, 6, 5)
    assert (found.now.matches, found.now.possible) == (2, 2)  # from 0.425 and 0.304
    assert (found.then.matches, found.then.possible) == (1, 2)  # from 0.477 and 0.371
    assert not found.then.match_is_raised


# --- words and charts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.9872, "98.7 %"), (0.5, "50.0 %"), (1, "100 %"), (0, "0 %"), (0.99996, "99.996 %"),
     (0.0004, "0.040 %"), (1 - 1e-9, "over 99.999 %"), (1e-9, "below 0.001 %"),
        (None, "not known")],
)  # fmt: skip
def test_shares_in_words(share, text) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1e-4, "1 in 10,000"), (0.01, "1 in 100"), (0.1, "1 in 10"), (8.441e-6, "1 in 120,000"),
     (3e-3, "1 in 330"), (0.4, "1 in 2"), (0, "none")],
)  # fmt: skip
def test_rates_in_words(rate, text) -> None:
    assert words.one_in(rate) == text


def test_a_chart_draws_both_kinds_between_its_edges() -> None:
    bars = {"same": [0] * 100, "different": [0] * 100}
    assert distributions(bars, []) is None
    bars["same"][80], bars["different"][55] = 5, 1000
    chart = distributions(
        bars,
        [{"verdict": "match", "similarity": 0.4}, {"verdict": "possible", "similarity": 2.0}],
    )
    # Both are one bar of the same height, since each is drawn by its own total.
    assert chart.same.count(f"V{34}.0") == chart.different.count(f"V{34}.0") == 1
    [line] = chart.thresholds
    assert 0 < line.x < chart.width
    assert [tick.label for tick in chart.ticks] == ["0.2", "0.4", "0.6"]
