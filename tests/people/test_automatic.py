"""Names without asking: off by default, marked, careful, and taken back in bulk."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from people.models import Edit, Face, Person, Rates, Rejection, Suggestion
from people.problems import Refused
from people.services import assigning, automatic, guesses, history, people_edits, rates, scoring
from tests.factories import direction, make_face, make_person, make_photo, near

pytestmark = pytest.mark.django_db

ANA = direction(1)
AUTOMATIC = Face.AssignedBy.AUTOMATIC


@pytest.fixture
def ana() -> Person:
    person = make_person("Ana Silva")
    make_face(person=person, vector=ANA)
    return person


def turn_on(rate: float = 1e-3) -> None:
    Rates.objects.create(match_fmr=1e-4, possible_fmr=1e-2, automatic_fmr=rate)


def named() -> dict[int, int]:
    return dict(Face.objects.filter(assigned_by=AUTOMATIC).values_list("pk", "person_id"))


def test_nothing_is_assigned_unless_somebody_turned_it_on(ana) -> None:
    make_face(vector=near(ANA, 0.95, 20))
    guesses.refresh_all()
    assert named() == {} and not Edit.objects.exists()


def test_what_is_certain_enough_gets_the_name_and_says_so(ana) -> None:
    turn_on()
    threshold = scoring.scale().calibration.similarity_at(1e-3)
    sure = make_face(vector=near(ANA, threshold + 0.02, 20))
    make_face(vector=near(ANA, threshold - 0.02, 21))
    make_face(vector=near(ANA, 0.9, 22), quality=0.01)
    guesses.refresh_all()
    assert named() == {sure.pk: ana.pk}
    edit = Edit.objects.get()
    assert edit.user is None and "automatically" in edit.summary
    assert list(automatic.faces()) == [sure]


def test_the_rate_holds_for_the_whole_gallery(ana) -> None:
    turn_on()
    for n in range(20):
        make_face(person=make_person(f"Person {n}"), vector=direction(60 + n))
    among_many = scoring.scale().calibration.similarity_at(1e-3 / 21)
    make_face(vector=near(ANA, among_many - 0.02, 20))
    sure = make_face(vector=near(ANA, among_many + 0.02, 21))
    guesses.refresh_all()
    assert list(named()) == [sure.pk]


def test_of_two_faces_in_a_photo_only_one_is_this_person(ana) -> None:
    turn_on()
    photo = make_photo()
    make_face(photo, vector=near(ANA, 0.7, 20))
    best = make_face(photo, vector=near(ANA, 0.8, 21))
    guesses.refresh_all()
    assert list(named()) == [best.pk]


def test_one_automatic_name_does_not_lead_to_the_next(ana) -> None:
    turn_on()
    first = make_face(vector=near(ANA, 0.6, 20))
    second = make_face(vector=near(ANA, 0.2, 20))
    assert guesses.refresh_all() and guesses.refresh_all()
    assert list(named()) == [first.pk]
    automatic.confirm(face_ids=[first.pk], user=None)
    guesses.refresh_all()
    assert Face.objects.get(pk=first.pk).assigned_by == Face.AssignedBy.SUGGESTION
    assert list(named()) == [second.pk]


def test_taken_back_in_bulk_and_never_again(ana) -> None:
    turn_on()
    faces = [make_face(vector=near(ANA, 0.8, n)) for n in (20, 21, 22)]
    guesses.refresh_all()
    assert len(named()) == 3
    edits = automatic.take_back(face_ids=[face.pk for face in faces[:2]], user=None)
    assert len(edits) == 1 and Rejection.objects.count() == 2
    guesses.refresh_all()
    assert list(named()) == [faces[2].pk]


def test_an_undone_automatic_name_does_not_come_back(ana) -> None:
    turn_on()
    make_face(vector=near(ANA, 0.8, 20))
    guesses.refresh_all()
    history.undo(edit=Edit.objects.get())
    guesses.refresh_all()
    assert named() == {}


def test_all_of_it_is_taken_back_at_once_and_asked_about_again(ana, user) -> None:
    turn_on()
    rui = make_person("Rui")
    make_face(person=rui, vector=direction(2))
    faces = [make_face(vector=near(ANA, 0.8, n)) for n in (20, 21)]
    faces.append(make_face(vector=near(direction(2), 0.8, 22)))
    confirmed = make_face(vector=near(ANA, 0.8, 23))
    guesses.refresh_all()
    automatic.confirm(face_ids=[confirmed.pk], user=user)
    edit = automatic.take_all_back(user=user)
    assert named() == {} and Rejection.objects.count() == 0
    assert Face.objects.get(pk=confirmed.pk).person == ana
    assert (edit.kind, edit.user, edit.subjects.filter(kind="face").count()) == (
        "unassign", user, 3,
    )  # fmt: skip
    guesses.refresh_all()
    assert named() == {}
    assert set(Suggestion.objects.values_list("face", flat=True)) == {face.pk for face in faces}
    history.undo(edit=edit, user=user)
    assert set(named()) == {face.pk for face in faces}
    with pytest.raises(Refused, match="nothing_to_do"):
        automatic.take_back(face_ids=[face.pk for face in faces], user=user)
        automatic.take_all_back(user=user)


def test_a_name_that_somebody_took_away_is_not_given_again(ana, user) -> None:
    face = make_face(person=ana, vector=near(ANA, 0.8, 20), assigned_by="hand")
    edit = assigning.unassign(face_ids=[face.pk], user=user)
    turn_on()
    guesses.refresh_all()
    assert named() == {}
    history.undo(edit=edit, user=user)
    assert Face.objects.get(pk=face.pk).person == ana


def test_the_preview_is_what_then_happens(ana) -> None:
    for n in range(12):
        make_face(person=make_person(f"Person {n}"), vector=direction(60 + n))
    make_face(person=make_person("Hidden", is_searchable=False), vector=direction(90))
    make_face(person=ana, vector=direction(91), quality=0.01)  # she has a good one
    photo = make_photo()
    for similarity in (0.7, 0.9):
        make_face(photo, vector=near(ANA, similarity, 20))
    for n, similarity in enumerate((0.3, 0.36, 0.42, 0.48, 0.54, 0.8)):
        make_face(vector=near(ANA, similarity, 30 + n))
    make_face(vector=near(direction(60), 0.85, 40))
    make_face(vector=near(direction(61), 0.85, 41), quality=0.01)
    guesses.refresh_all()
    scale = scoring.scale()
    seen = {rate: automatic.preview(rate=rate, scale=scale) for rate in (1e-2, 1e-4, None)}
    assert seen[1e-2].gallery_size == 13
    assert seen[1e-2].faces > seen[1e-4].faces > 0
    assert (seen[None].faces, seen[None].similarity, named()) == (0, None, {})
    least = [one.similarity for one in seen[1e-2].least]
    assert least == sorted(least) and least[0] >= seen[1e-2].similarity
    turn_on(1e-2)
    guesses.refresh_all()
    assert len(named()) == seen[1e-2].faces
    assert len(set(named().values())) == seen[1e-2].people


@pytest.mark.parametrize("rate", [0, 1, -1, 7])
def test_a_rate_that_makes_no_sense_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        rates.choose_automatic(rate=rate)


def test_turning_it_on_and_off_leaves_the_other_rates(user, settings) -> None:
    rates.choose_automatic(rate=1e-3, user=user)
    settings.FACEWEB_MATCH_FMR = 1e-5
    rates.choose(match_fmr=1e-6, possible_fmr=1e-3, user=user)
    assert scoring.active_rates() == scoring.ActiveRates(1e-6, 1e-3, 1e-3)
    rates.reset()
    assert scoring.active_rates() == scoring.ActiveRates(1e-5, 1e-2, 1e-3)
    assert rates.chosen() is None
    rates.choose_automatic(rate=None, user=user)
    assert not Rates.objects.exists()


@pytest.mark.parametrize("first_chosen_then_reset", [False, True])
def test_with_automatic_naming_the_settings_still_say_what_a_match_is(
    settings, first_chosen_then_reset: bool
) -> None:
    rates.choose_automatic(rate=1e-3)
    if first_chosen_then_reset:
        rates.choose(match_fmr=1e-6, possible_fmr=1e-3)
        rates.reset()
    settings.FACEWEB_MATCH_FMR, settings.FACEWEB_POSSIBLE_FMR = 1e-5, 1e-3
    assert scoring.active_rates() == scoring.ActiveRates(1e-5, 1e-3, 1e-3)
    assert rates.chosen() is None
    rates.choose_automatic(rate=None)
    assert not Rates.objects.exists()


def test_taking_all_back_locks_faces_in_the_order_of_every_edit(ana, user) -> None:
    turn_on()
    for n in (20, 21):
        make_face(vector=near(ANA, 0.8, n))
    guesses.refresh_all()
    with CaptureQueriesContext(connection) as queries:
        automatic.take_all_back(user=user)
    first = next(sql for q in queries if (sql := q["sql"]).startswith("SELECT"))
    assert first.startswith('SELECT "people_face"."id"') and first.endswith("ORDER BY 1 ASC")


def test_only_automatic_names_are_taken_back(ana, user) -> None:
    by_hand = make_face(person=ana, vector=near(ANA, 0.8, 20), assigned_by="hand")
    assert automatic.take_back(face_ids=[by_hand.pk], user=user) == []
    assert automatic.confirm(face_ids=[by_hand.pk], user=user) == []
    assert Face.objects.get(pk=by_hand.pk).person == ana


def test_what_another_embedder_found_certain_names_nobody(ana, settings) -> None:
    sure = make_face(vector=near(ANA, 0.95, 20))
    guesses.refresh_all()
    assert Suggestion.objects.get().face == sure
    turn_on(1e-2)
    settings.FACEWEB_EMBEDDER = "dlib-resnet"
    renamed = people_edits.rename(person=ana, name="Ana")
    guesses.refresh_after_edit(edit_id=renamed.pk)
    assert named() == {} and not Suggestion.objects.exists()


def test_a_quicker_person_wins(ana, monkeypatch) -> None:
    turn_on()
    face = make_face(vector=near(ANA, 0.8, 20))
    assign = assigning.assign

    def late(**values):
        if values["how"] == AUTOMATIC:
            Face.objects.filter(pk=face.pk).update(person=make_person("Rui"), assigned_by="hand")
        return assign(**values)

    monkeypatch.setattr(automatic.assigning, "assign", late)
    assert guesses.refresh_all()
    assert named() == {} and Face.objects.get(pk=face.pk).person.name == "Rui"


# --- the page ------------------------------------------------------------------------------------


@pytest.fixture
def staff(client: Client, django_user_model) -> Client:
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))
    return client


def test_it_is_off_previewed_turned_on_and_turned_off(staff: Client, ana, monkeypatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("people.tasks.enqueue_guesses", lambda: sent.append("guesses"))
    make_face(vector=near(ANA, 0.8, 20))
    guesses.refresh_all()
    url = reverse("automatic")
    text = staff.get(url).content.decode()
    assert "Nothing is named without asking" in text and "Turn it o" not in text
    for address in (url, reverse("automatic-preview")):
        text = staff.get(address, {"rate": "0.001"}).content.decode()
        assert "<strong>1 face</strong> that has no name now" in text and "Turn it on" in text
        assert "stays marked" in text and "Ana Silva" in text
    assert not Rates.objects.exists() and sent == []
    text = staff.post(url, {"rate": "0.001"}, follow=True).content.decode()
    assert "Automatic naming is on, for at most 1 in 1,000 strangers" in text
    assert scoring.active_rates().automatic_fmr == 1e-3 and "by staff" in text
    assert "Turn it off" in staff.get(url, {"rate": ""}).content.decode()
    staff.post(url, {"rate": ""})
    assert not Rates.objects.exists() and sent == ["guesses"] * 2


@pytest.mark.parametrize("rate", ["0.5", "no", "-1"])
def test_a_rate_that_is_not_offered_is_refused(staff: Client, rate: str) -> None:
    assert staff.get(reverse("automatic-preview"), {"rate": rate}).status_code == 200
    assert (
        "not one of the available"
        in staff.post(reverse("automatic"), {"rate": rate}).content.decode()
    )
    assert not Rates.objects.exists()


def test_only_staff_turns_it_on(signed_in: Client) -> None:
    text = signed_in.get(reverse("automatic"), {"rate": "0.001"}).content.decode()
    assert "Turn it on" not in text and "Somebody from the staff" in text
    assert signed_in.post(reverse("automatic"), {"rate": "0.001"}).status_code == 403
    assert not Rates.objects.exists()


def test_without_a_calibration_there_is_nothing_to_turn_on(staff: Client, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "shipped_calibration", lambda spec: None)
    text = staff.get(reverse("automatic"), {"rate": "0.001"}).content.decode()
    assert "has no calibration" in text and "Turn it on" not in text


def test_everything_is_taken_back_from_the_page(signed_in: Client, user, ana) -> None:
    turn_on()
    for n in (20, 21):
        make_face(vector=near(ANA, 0.8, n))
    guesses.refresh_all()
    assert "Take all 2 back" in signed_in.get(reverse("review-automatic")).content.decode()
    answer = signed_in.post(reverse("automatic-back"), {"reason": "Twins"}, follow=True)
    text = answer.content.decode()
    assert named() == {} and "Undo" in text
    assert Edit.objects.first().reason == "Twins"
    text = signed_in.post(reverse("automatic-back"), follow=True).content.decode()
    assert "It is like that already" in text


def test_staff_can_turn_it_off_on_the_way(staff: Client, signed_in: Client, ana) -> None:
    turn_on()
    photo = make_photo()
    for similarity in (0.7, 0.8):
        make_face(photo, vector=near(ANA, similarity, 20))
    guesses.refresh_all()
    url = reverse("automatic-back")
    # Whoever is not staff has no say in the rates.
    signed_in.post(url, {"off": "on"})
    assert scoring.active_rates().automatic_fmr == 1e-3
    guesses.refresh_all()  # the other face of the photo
    assert len(named()) == 1
    staff.force_login(get_user_model().objects.get(username="staff"))
    assert "Turn automatic naming off" in staff.get(reverse("review-automatic")).content.decode()
    staff.post(url, {"off": "on"})
    guesses.refresh_all()
    assert scoring.active_rates().automatic_fmr is None and named() == {}


def test_the_pages_ask_the_database_no_more_for_more(
    staff: Client, ana, django_assert_max_num_queries
) -> None:
    for n in range(12):
        make_face(vector=near(ANA, 0.8, 20 + n))
    guesses.refresh_all()
    with django_assert_max_num_queries(14):
        staff.get(reverse("automatic"), {"rate": "0.01"})
