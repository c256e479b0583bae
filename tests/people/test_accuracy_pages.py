"""The pages about accuracy and thresholds."""

import pytest
from django.test import Client
from django.urls import reverse

from people.models import Calibration, Evaluation, Rates
from people.services import evaluating, rates, scoring
from tests.people.test_accuracy import checked, gallery

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client, django_user_model) -> Client:
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))
    return client


def test_the_page_explains_itself_before_the_first_check(signed_in: Client) -> None:
    text = signed_in.get(reverse("accuracy")).content.decode()
    assert "Nothing has been checked yet" in text
    assert text.count(f'href="{reverse("accuracy")}"') == 2  # the account menu and the tab
    assert "the one that comes with faceweb" in text
    assert "2,209 comparisons of one person" in text
    response = signed_in.post(reverse("accuracy-check"), follow=True)
    assert "two named faces each" in response.content.decode()
    assert not Evaluation.objects.exists()


def test_a_check_is_started_shown_and_put_to_use(staff: Client) -> None:
    gallery(40, 3)
    staff.post(reverse("accuracy-check"))
    job = Evaluation.objects.get()
    for name in ("accuracy", "accuracy-status"):
        text = staff.get(reverse(name)).content.decode()
        assert "Comparing the named faces" in text and reverse("accuracy-status") in text
    evaluating.run_evaluation(evaluation_id=job.pk, worker="w")
    text = staff.get(reverse("accuracy")).content.decode()
    assert "hx-trigger" not in text.split('id="accuracy-body"')[1][:200]
    for words_ in ("100 %", "<svg", "Too few faces", "Use this as the calibration", "120 faces"):
        assert words_ in text, words_
    assert "style=" not in text
    text = staff.post(reverse("accuracy-use", args=[job.pk]), follow=True).content.decode()
    assert "this archive’s own" in text and "put to use by staff" in text
    assert "Use this as the calibration" not in text
    text = staff.post(reverse("accuracy-go-back"), follow=True).content.decode()
    assert "the one that comes with faceweb" in text
    assert Calibration.objects.filter(is_active=False).count() == 1


def test_a_failed_check_is_told(signed_in: Client) -> None:
    gallery(2, 2)
    Evaluation.objects.filter(pk=evaluating.request_evaluation().pk).fail("unexpected", "x")
    text = signed_in.get(reverse("accuracy")).content.decode()
    assert "did not foresee" in text and "Check now" in text


def test_only_staff_changes_what_scores_mean(signed_in: Client) -> None:
    gallery(40, 3)
    job = checked()
    assert "Use this as the calibration" not in signed_in.get(reverse("accuracy")).content.decode()
    for name, arguments in (
        ("accuracy-use", [job.pk]), ("accuracy-go-back", []),
        ("thresholds", []), ("thresholds-reset", []),
    ):  # fmt: skip
        assert signed_in.post(reverse(name, args=arguments)).status_code == 403, name
    assert not Calibration.objects.exists()


def test_rates_are_previewed_then_saved_then_reset(staff: Client) -> None:
    url, chosen = reverse("thresholds"), {"match_fmr": "1e-05", "possible_fmr": "0.001"}
    assert "As it is now" in staff.get(url).content.decode()
    for address in (url, reverse("thresholds-preview")):
        text = staff.get(address, chosen).content.decode()
        assert "What would change" in text and "Save these rates" in text
        assert "1 in 100,000 strangers" in text
    assert not Rates.objects.exists()
    staff.post(url, chosen)
    assert scoring.active_rates() == scoring.ActiveRates(1e-5, 1e-3)
    text = staff.get(url).content.decode()
    assert 'value="1e-05" selected' in text and "last changed by staff" in text
    staff.post(reverse("thresholds-reset"))
    assert not Rates.objects.exists()


def test_of_who_changed_something_pages_do_not_say_that_they_chose_the_rest(
    staff: Client, django_user_model
) -> None:
    ana, rui = (django_user_model.objects.create_user(name) for name in ("ana", "rui"))
    rates.choose(match_fmr=1e-5, possible_fmr=1e-3, user=ana)
    rates.choose_automatic(rate=1e-3, user=rui)
    for name in ("thresholds", "automatic"):
        text = staff.get(reverse(name)).content.decode()
        assert "The thresholds, or the rate of automatic names, were last changed by rui on" in text
    assert "These rates were chosen here." in staff.get(reverse("thresholds")).content.decode()
    staff.post(reverse("thresholds-reset"))
    text = staff.get(reverse("automatic")).content.decode()
    assert "The thresholds, or the rate of automatic names, were last changed by staff on" in text


@pytest.mark.parametrize(
    "chosen",
    [
        {"match_fmr": "0.001", "possible_fmr": "0.0001"},
        {"match_fmr": "0.5", "possible_fmr": "0.01"},
        {"match_fmr": "no", "possible_fmr": ""},
        {},
    ],
)
def test_rates_that_make_no_sense_are_refused(staff: Client, chosen: dict[str, str]) -> None:
    assert staff.post(reverse("thresholds"), chosen).status_code == 200
    assert staff.get(reverse("thresholds-preview"), chosen).status_code == 200
    assert not Rates.objects.exists()
    if chosen.get("match_fmr") == "0.001":
        text = staff.post(reverse("thresholds"), chosen).content.decode()
        assert "must not ask for more" in text


def test_rates_of_the_settings_are_offered_too(staff: Client, settings) -> None:
    settings.FACEWEB_MATCH_FMR = 3e-5
    assert 'value="3e-05" selected' in staff.get(reverse("thresholds")).content.decode()


def test_pages_without_a_calibration_say_so(staff: Client, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "shipped_calibration", lambda spec: None)
    gallery(3, 2)
    checked()
    assert "no confidence, and no verdict" in staff.get(reverse("accuracy")).content.decode()
    assert "has no calibration" in staff.get(reverse("thresholds")).content.decode()


def test_of_an_embedder_for_pictures_in_general_pages_say_that_it_can_have_none(
    staff: Client, settings
) -> None:
    settings.FACEWEB_EMBEDDER = "dino-vitb16"
    assert "it cannot have one" in staff.get(reverse("accuracy")).content.decode()
    page = staff.get(reverse("thresholds")).content.decode()
    assert "it is for pictures in general" in page and "nothing to show" in page


def test_the_page_asks_the_database_no_more_for_more(
    staff: Client, django_assert_max_num_queries
) -> None:
    gallery(40, 3)
    for _ in range(4):
        checked()
    with django_assert_max_num_queries(12):
        staff.get(reverse("accuracy"))
    with django_assert_max_num_queries(12):
        staff.get(reverse("thresholds"))


def test_other_rates_have_suggestions_worked_out_anew(staff: Client, monkeypatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("people.tasks.enqueue_guesses", lambda: sent.append("guesses"))
    staff.post(reverse("thresholds"), {"match_fmr": "0.001", "possible_fmr": "0.01"})
    staff.post(reverse("thresholds-reset"))
    assert sent == ["guesses", "guesses"]
