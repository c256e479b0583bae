"""The pages on which people answer: suggestions, unknown people, doubles, odd faces."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from people.models import Cluster, Edit, Face, Person, PersonPair, Rates, Rejection, Suggestion
from people.services import guesses, reviewing
from tests.factories import direction, make_face, make_person, near

pytestmark = pytest.mark.django_db

ANA, RUI = direction(1), direction(2)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ana() -> Person:
    person = make_person("Ana Silva")
    make_face(person=person, vector=ANA)
    return person


def unknown(similarity: float = 0.9, towards: int = 20) -> Face:
    return make_face(vector=near(ANA, similarity, towards))


def page(client: Client, url: str, **headers) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def answer(client: Client, face: Face, person: Person, what: str, **data) -> str:
    response = client.post(
        reverse("review-answer", args=[face.pk]),
        {"answer": what, "person": person.pk, **data},
        headers=HTMX,
    )
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_queue_teaches(signed_in: Client) -> None:
    content = page(signed_in, reverse("review"))
    assert "Nothing to review" in content and reverse("unknown") in content


@pytest.mark.parametrize("name", ["review", "unknown", "review-duplicates", "review-outliers"])
def test_where_nothing_can_be_guessed_it_is_said(signed_in: Client, settings, name: str) -> None:
    said = "it suggests nobody"
    assert said not in page(signed_in, reverse(name))
    settings.FACEWEB_EMBEDDER = "dino-vitb16"
    assert said in page(signed_in, reverse(name))


def test_the_most_likely_comes_first_with_both_pictures(signed_in: Client, ana) -> None:
    second, first = unknown(0.35, 20), unknown(0.9, 21)
    more = make_face(person=ana, vector=near(ANA, 0.95, 22))
    guesses.refresh_all()
    content = page(signed_in, reverse("review"))
    assert "Is this Ana Silva?" in content and "2 left" in content
    assert reverse("review-answer", args=[first.pk]) in content
    assert reverse("photo-image", args=[first.photo_id, "preview"]) in content
    assert reverse("face-crop", args=[more.pk]) in content
    assert "Almost certainly" in content
    assert page(signed_in, f"{reverse('review')}?face={second.pk}").count("Perhaps") == 1


def test_yes_gives_the_name_and_shows_the_next(signed_in: Client, user, ana) -> None:
    first, second = unknown(0.9, 20), unknown(0.8, 21)
    guesses.refresh_all()
    content = answer(signed_in, first, ana, "yes")
    assert "<html" not in content and reverse("review-answer", args=[second.pk]) in content
    first.refresh_from_db()
    assert (first.person, first.assigned_by) == (ana, "suggestion")
    assert Edit.objects.get().user == user


def test_no_is_remembered(signed_in: Client, ana) -> None:
    face = unknown()
    guesses.refresh_all()
    assert "Nothing to review" in answer(signed_in, face, ana, "no")
    assert Rejection.objects.get().face == face
    guesses.refresh_all()
    assert "Nothing to review" in page(signed_in, reverse("review"))


def test_not_a_face_hides_it(signed_in: Client, ana) -> None:
    face = unknown()
    guesses.refresh_all()
    answer(signed_in, face, ana, "not-a-face")
    assert Face.objects.get(pk=face.pk).state == Face.State.NOT_A_FACE


def test_someone_else_is_asked_for_a_name(signed_in: Client, ana) -> None:
    face = unknown()
    guesses.refresh_all()
    assert "Write a name" in answer(signed_in, face, ana, "other", name=" ")
    answer(signed_in, face, ana, "other", name="Rui Costa")
    face.refresh_from_db()
    assert (face.person.name, face.assigned_by) == ("Rui Costa", "hand")


def test_what_is_skipped_comes_back_when_asked_for(signed_in: Client, ana) -> None:
    face = unknown()
    guesses.refresh_all()
    assert "Only what you skipped is left" in answer(signed_in, face, ana, "skip")
    response = signed_in.post(reverse("review-again"), follow=True)
    assert "Is this Ana Silva?" in response.content.decode()


@pytest.mark.parametrize("what", ["yes", "no", "not-a-face", "other"])
def test_undo_asks_the_same_question_again(signed_in: Client, ana, what: str) -> None:
    face = unknown(0.8, 20)
    unknown(0.9, 21)
    guesses.refresh_all()
    content = answer(signed_in, face, ana, what, name="Rui Costa")
    assert reverse("review-undo") in content
    content = signed_in.post(reverse("review-undo"), headers=HTMX).content.decode()
    assert reverse("review-answer", args=[face.pk]) in content and "Undone" in content
    face.refresh_from_db()
    assert face.person is None and face.state == Face.State.ACTIVE
    assert not Rejection.objects.exists()


def test_undo_is_for_ones_own_answers(signed_in: Client, ana, admin_client) -> None:
    face = unknown()
    guesses.refresh_all()
    answer(admin_client, face, ana, "yes")
    content = signed_in.post(reverse("review-undo"), headers=HTMX).content.decode()
    assert "no answer of yours" in content
    face.refresh_from_db()
    assert face.person == ana


def test_two_at_once_do_not_overwrite_each_other(signed_in: Client, ana) -> None:
    face = unknown()
    guesses.refresh_all()
    rui = make_person("Rui")
    Face.objects.filter(pk=face.pk).update(person=rui)
    content = answer(signed_in, face, ana, "yes")
    assert "in the meantime" in content
    face.refresh_from_db()
    assert face.person == rui


def test_answers_work_without_scripts(signed_in: Client, ana) -> None:
    face, _ = unknown(0.9, 20), unknown(0.8, 21)
    guesses.refresh_all()
    url = reverse("review-answer", args=[face.pk])
    response = signed_in.post(url, {"answer": "yes", "person": ana.pk})
    assert response.url == reverse("review")
    response = signed_in.post(reverse("review-undo"))
    assert response.url == f"{reverse('review')}?face={face.pk}"
    response = signed_in.post(url, {"answer": "other", "person": ana.pk, "name": ""})
    assert response.status_code == 200 and "Write a name" in response.content.decode()
    assert "<html" in response.content.decode()


@pytest.mark.parametrize(
    ("wrong", "confidence", "words"),
    [(None, 0.99, "Perhaps"), (0.01, None, "Perhaps"), (1e-9, 0.999, "Almost certainly"),
     (0.01, 0.98, "Very likely"), (0.01, 0.8, "Probably"), (0.2, 0.98, "Probably"),
     (0.9, 0.99, "Perhaps"), (1e-4, 0.4, "Perhaps")],
)  # fmt: skip
def test_likelihood_in_words(wrong, confidence, words: str) -> None:
    assert reviewing.likelihood(wrong, confidence) == words


def test_chance_in_words() -> None:
    assert "1 in 20 should be wrong" in reviewing.chance(0.05)
    assert "fewer than 1 in 10,000" in reviewing.chance(1e-8)
    assert "Most suggestions" in reviewing.chance(0.8)
    assert reviewing.chance(None) == ""


def test_the_more_unnamed_faces_the_less_sure(ana) -> None:
    unknown(0.45, 20)
    guesses.refresh_all()
    asked = Suggestion.objects.get()
    few = reviewing.expected_wrong(asked)
    for n in range(20):
        make_face(vector=direction(60 + n))
    assert reviewing.expected_wrong(asked) == pytest.approx(21 * few)
    unknown(0.5, 22)
    guesses.refresh_all()
    assert reviewing.expected_wrong(asked) == pytest.approx(22 / 2 * few)


def test_where_most_are_wrong_the_page_says_that_one_can_stop(signed_in: Client, ana) -> None:
    unknown(0.33, 20)
    guesses.refresh_all()
    assert "you can stop here" not in page(signed_in, reverse("review"))
    for _ in range(200):
        make_face(vector=direction(60))
    content = page(signed_in, reverse("review"))
    assert "Perhaps." in content and "you can stop here" in content


def test_the_surroundings_stay_within_the_photo() -> None:
    face = make_face(box=(0, 0, 90, 120))
    cut = reviewing.cutting(face)
    assert (cut.x, cut.y) == (0, 0) and cut.side == 288
    face = make_face(box=(350, 250, 390, 300))
    cut = reviewing.cutting(face)
    assert cut.x + cut.side <= 400 and cut.y + cut.side <= 300


# --- unknown people -----------------------------------------------------------------------------


def group(count: int, around=ANA, first: int = 10) -> Cluster:
    faces = [make_face(vector=near(around, 0.9, first + n)) for n in range(count)]
    guesses.refresh_all()
    return Cluster.objects.get(faces=faces[0])


def seen(cluster: Cluster) -> str:
    return ",".join(str(pk) for pk in cluster.faces.values_list("pk", flat=True))


def test_unknown_people_largest_first(signed_in: Client) -> None:
    assert "no unnamed faces" in page(signed_in, reverse("unknown"))
    small, large = group(2), group(4, around=RUI, first=30)
    content = page(signed_in, reverse("unknown"))
    addresses = [reverse("unknown-cluster", args=[one.pk]) for one in (large, small)]
    assert content.index(addresses[0]) < content.index(addresses[1])
    assert "4 faces" in content


def test_naming_goes_on_to_the_next_group(signed_in: Client) -> None:
    large, small = group(3), group(2, around=RUI, first=30)
    response = signed_in.post(
        reverse("unknown-name", args=[large.pk]), {"seen": seen(large), "name": "Ana Silva"}
    )
    assert response.url == reverse("unknown-cluster", args=[small.pk])
    assert Person.objects.get().faces.count() == 3
    response = signed_in.post(
        reverse("unknown-name", args=[small.pk]), {"seen": seen(small), "name": "Rui"}, follow=True
    )
    content = response.content.decode()
    assert "Named 2 faces that look alike Rui" in content and ">Undo<" in content
    assert response.redirect_chain[-1][0] == reverse("unknown")


def test_the_likely_name_is_offered_first(signed_in: Client, ana) -> None:
    cluster = group(3)
    content = page(signed_in, reverse("unknown-cluster", args=[cluster.pk]))
    assert "Looks like" in content and "All 3 are Ana Silva" in content
    signed_in.post(
        reverse("unknown-name", args=[cluster.pk]), {"seen": seen(cluster), "person": ana.pk}
    )
    assert ana.faces.count() == 4


def test_naming_needs_a_name(signed_in: Client) -> None:
    cluster = group(2)
    response = signed_in.post(
        reverse("unknown-name", args=[cluster.pk]), {"seen": seen(cluster), "name": " "}
    )
    assert "Write a name" in response.content.decode()


def test_faces_are_taken_out_and_marked(signed_in: Client) -> None:
    cluster = group(4)
    chosen = list(cluster.faces.values_list("pk", flat=True))
    url = reverse("unknown-faces", args=[cluster.pk])
    signed_in.post(url, {"faces": chosen[:1], "action": "out"})
    signed_in.post(url, {"faces": chosen[1:2], "action": "not-a-face"})
    cluster.refresh_from_db()
    assert cluster.size == 2
    assert Face.objects.get(pk=chosen[1]).state == Face.State.NOT_A_FACE
    content = signed_in.post(url, {}, follow=True).content.decode()
    assert "Choose a face first" in content


def test_groups_are_joined_and_set_aside(signed_in: Client) -> None:
    one, other = group(2), group(2, around=RUI, first=30)
    signed_in.post(reverse("unknown-join", args=[one.pk]), {"other": other.pk})
    one.refresh_from_db()
    assert one.size == 4
    signed_in.post(reverse("unknown-aside", args=[one.pk]))
    assert not Cluster.objects.waiting().exists()
    content = page(signed_in, f"{reverse('unknown')}?show=aside")
    assert reverse("unknown-cluster", args=[one.pk]) in content
    signed_in.post(reverse("unknown-aside", args=[one.pk]), {"aside": "no"})
    assert Cluster.objects.waiting().get() == one


def test_a_group_that_is_gone_is_explained(signed_in: Client) -> None:
    for url in (reverse("unknown-cluster", args=[999]),):
        content = signed_in.get(url, follow=True).content.decode()
        assert "not there any more" in content
    for name in ("unknown-name", "unknown-faces", "unknown-join", "unknown-aside"):
        response = signed_in.post(reverse(name, args=[999]), follow=True)
        assert "not there any more" in response.content.decode()


# --- doubles, odd faces, automatic names ----------------------------------------------------------


def test_two_people_stay_two(signed_in: Client, ana) -> None:
    twin = make_person("Ana S.")
    make_face(person=twin, vector=near(ANA, 0.9, 20))
    guesses.refresh_all()
    url = reverse("review-duplicates")
    content = page(signed_in, url)
    merge = reverse("person-merge", args=[ana.pk])
    assert f"{merge}?with={twin.pk}" in content
    pair = PersonPair.objects.get()
    signed_in.post(reverse("review-keep-two", args=[pair.pk]))
    guesses.refresh_all()
    assert "No two people look like one" in page(signed_in, url)
    signed_in.post(reverse("edit-undo", args=[Edit.objects.get().pk]))
    assert merge in page(signed_in, url)


def test_odd_faces_are_settled(signed_in: Client, ana) -> None:
    make_face(person=ana, vector=near(ANA, 0.9, 20))
    wrong = make_face(person=ana, vector=RUI)
    right = make_face(person=ana, vector=direction(3))
    guesses.refresh_all()
    url = reverse("review-outliers")
    assert page(signed_in, url).count("Is this") == 2
    for face, said in ((wrong, "no"), (right, "yes")):
        signed_in.post(reverse("review-settle", args=[face.pk]), {"person": ana.pk, "answer": said})
    guesses.refresh_all()
    assert "Every face fits its person" in page(signed_in, url)
    assert Face.objects.get(pk=wrong.pk).person is None
    assert Face.objects.get(pk=right.pk).person == ana
    # Of another person it would be odd again.
    rui = make_person("Rui")
    for n in (30, 31):
        make_face(person=rui, vector=near(RUI, 0.9, n))
    Face.objects.filter(pk=right.pk).update(person=rui)
    guesses.refresh_all()
    assert page(signed_in, url).count("Is this") == 1


def test_automatic_names_are_listed_and_taken_back(signed_in: Client, ana) -> None:
    url = reverse("review-automatic")
    assert "Nothing is named without asking" in page(signed_in, url)
    Rates.objects.create(match_fmr=1e-4, possible_fmr=1e-2, automatic_fmr=1e-3)
    faces = [unknown(0.9, 20), unknown(0.85, 21), unknown(0.8, 22)]
    guesses.refresh_all()
    assert page(signed_in, url).count("data-pick-box") == 3
    assert "Named automatically" in page(signed_in, reverse("review"))
    signed_in.post(url, {"faces": [faces[0].pk, faces[1].pk], "action": "back"})
    signed_in.post(url, {"faces": [faces[2].pk], "action": "right"})
    assert Face.objects.filter(person=ana, assigned_by="suggestion").get() == faces[2]
    assert Rejection.objects.count() == 2
    assert "Choose a face first" in signed_in.post(url, {}, follow=True).content.decode()


def test_a_person_page_says_what_is_doubtful(signed_in: Client, ana) -> None:
    twin = make_person("Ana S.")
    for n in (20, 21):
        make_face(person=ana, vector=near(ANA, 0.9, n))
        make_face(person=twin, vector=near(ANA, 0.9, 10 + n))
    make_face(person=ana, vector=RUI)
    guesses.refresh_all()
    content = page(signed_in, reverse("person", args=[twin.pk]))
    assert "looks very much alike" in content and "hardly" not in content
    assert "1 face hardly looks like the others" in page(
        signed_in, reverse("person", args=[ana.pk])
    )
    for name, count in (("review-duplicates", 1), ("review-outliers", 0)):
        content = page(signed_in, f"{reverse(name)}?person={twin.pk}")
        assert content.count('class="doubt"') == count and "Only about" in content


def test_the_first_page_says_what_waits(signed_in: Client, ana) -> None:
    unknown(0.9, 20), unknown(0.9, 21)
    guesses.refresh_all()
    content = page(signed_in, "/")
    assert "2 unnamed faces" in content and "1 unknown person is" in content


# --- without a query for each row -----------------------------------------------------------------


def populate(count: int, base: int) -> None:
    """People with an odd face and a double, and unknown groups that resemble them."""
    for n in range(count):
        around = direction(base + n)
        person, twin = make_person(f"Person {base + n}"), make_person(f"Twin {base + n}")
        for towards in (110, 111):
            make_face(person=person, vector=near(around, 0.9, towards))
        make_face(person=person, vector=direction(120), assigned_by="automatic")
        make_face(person=twin, vector=near(around, 0.9, 112))
        for towards in (113, 114):
            make_face(vector=near(around, 0.8, towards))
    guesses.refresh_all()


@pytest.mark.parametrize(
    "name", ["review", "unknown", "review-duplicates", "review-outliers", "review-automatic"]
)
def test_no_page_asks_the_database_for_each_row(signed_in: Client, name: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as context:
            page(signed_in, reverse(name))
        return len(context)

    populate(2, 1)
    assert Cluster.objects.waiting().count() == 2 and PersonPair.objects.count() == 2
    assert reviewing.odd_faces().count() == 2 and Suggestion.objects.count() == 4
    few = queries()
    populate(20, 10)
    assert reviewing.odd_faces().count() == 22
    assert queries() <= few + 1


def test_a_large_group_takes_no_more_queries(signed_in: Client) -> None:
    cluster = group(2)
    url = reverse("unknown-cluster", args=[cluster.pk])

    def queries() -> int:
        with CaptureQueriesContext(connection) as context:
            page(signed_in, url)
        return len(context)

    few = queries()
    group(20, first=30)
    assert cluster.faces.count() == 22
    assert queries() <= few + 1


def test_the_next_question_is_cheap(signed_in: Client, ana, django_assert_max_num_queries) -> None:
    for n in range(20):
        unknown(0.9, 20 + n)
    guesses.refresh_all()
    Suggestion.objects.filter(pk=Suggestion.objects.first().pk).update(skipped_at=timezone.now())
    with django_assert_max_num_queries(15):
        page(signed_in, reverse("review"), **HTMX)
