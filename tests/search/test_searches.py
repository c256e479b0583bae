"""Asking and forgetting, and who may see what was asked."""

import json
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from faceweb import sweeping
from people.models import Face, Person
from people.problems import Refused
from people.services import scoring
from search import files
from search.models import Candidate, ProbeFace, Search
from search.services import answers, searches
from tests.factories import make_face, make_person, picture

pytestmark = pytest.mark.django_db


def asked(user=None, **values) -> Search:
    upload = SimpleUploadedFile("q.jpg", picture())
    search = searches.create_search(upload=upload, name="q.jpg", user=user)
    Search.objects.filter(pk=search.pk).update(**values)
    search.refresh_from_db()
    return search


def answered(user, person: Person | None = None) -> Search:
    search = asked(user, status="done", width=64, height=48)
    probe = ProbeFace.objects.create(
        search=search, number=1, x1=1, y1=1, x2=9, y2=9, landmarks=[], detection_score=0.9,
        verdict="match" if person else "unknown",
    )  # fmt: skip
    Candidate.objects.create(
        probe=probe, rank=1, person=person, face=make_face(person=person), similarity=0.61,
        verdict="match" if person else "unknown",
    )  # fmt: skip
    return search


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(Refused, match="not_an_image"):
        searches.create_search(upload=SimpleUploadedFile("q.jpg", b"x"), name="q.jpg")
    assert not Search.objects.exists()


def test_a_search_is_purged_with_its_files_when_its_time_is_up(index) -> None:
    old, new = asked(expires_at=timezone.now() - timedelta(seconds=1)), asked()
    assert default_storage.exists(files.probe(old.pk))
    sweeping.sweep()
    assert list(Search.objects.all()) == [new]
    assert not default_storage.exists(files.probe(old.pk))
    assert default_storage.exists(files.probe(new.pk))


def test_the_retention_is_the_setting(settings) -> None:
    settings.FACEWEB_SEARCH_RETENTION = timedelta(hours=2)
    left = asked().expires_at - timezone.now()
    assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)


def test_asking_on_the_page_leads_to_the_answer(signed_in, user) -> None:
    upload = SimpleUploadedFile("q.jpg", picture())
    response = signed_in.post(reverse("search"), {"photo": upload, "top": "3"})
    search = Search.objects.get()
    assert response.url == reverse("search-result", args=[search.pk])
    assert (search.top, search.created_by) == (3, user)
    page = signed_in.get(response.url).content.decode()
    assert "every" in page  # it asks again by itself


def test_a_bad_file_is_answered_on_the_page(signed_in) -> None:
    upload = SimpleUploadedFile("q.jpg", b"nonsense")
    page = signed_in.post(reverse("search"), {"photo": upload}).content.decode()
    assert "not a picture that faceweb can read" in page


def test_the_answer_names_the_person_and_stops_asking(signed_in, user) -> None:
    search = answered(user, make_person("Ana Silva"))
    body = signed_in.get(reverse("search-body", args=[search.pk])).content.decode()
    assert "Ana Silva" in body and "0.61" in body and "Match" in body
    assert "1 face was found in this photo" in body
    assert "every 400ms" not in body


def test_an_unnamed_stranger_is_called_unknown(signed_in, user) -> None:
    search = answered(user)
    body = signed_in.get(reverse("search-body", args=[search.pk])).content.decode()
    assert "Unknown" in body and "Unnamed" in body


def test_who_is_hidden_since_does_not_appear(signed_in, user) -> None:
    person = make_person("Ana Silva")
    search = answered(user, person)
    Person.objects.update(is_searchable=False)
    assert "Ana Silva" not in signed_in.get(search_url(search)).content.decode()


def test_a_search_is_shown_to_the_asker_only(signed_in, django_user_model) -> None:
    other = django_user_model.objects.create_user("other")
    search = answered(other, make_person())
    for name in ("search-result", "search-body", "search-image"):
        assert signed_in.get(reverse(name, args=[search.pk])).status_code == 404
    assert signed_in.post(reverse("search-delete", args=[search.pk])).status_code == 404
    assert Search.objects.exists()


def test_a_search_can_be_forgotten_at_once(signed_in, user) -> None:
    search = answered(user)
    signed_in.post(reverse("search-delete", args=[search.pk]))
    assert not Search.objects.exists()


def search_url(search: Search) -> str:
    return reverse("search-result", args=[search.pk])


def explained(user, *, people: int = 1, **values) -> Search:
    """An answered search whose candidates have everything that an answer can have."""
    search = asked(user, status="done", width=64, height=48, gallery_size=3095, embedder="sface")
    probe = ProbeFace.objects.create(
        search=search, number=1, x1=1, y1=1, x2=25, y2=33, landmarks=[], detection_score=0.9,
        **{"verdict": "match", "margin": 0.31, "quality": 0.5, "quality_reasons": ["small"],
           **values},
    )  # fmt: skip
    noted = {}
    for rank in range(1, people + 1):
        person = make_person(f"Person {rank}")
        faces = [make_face(person=person) for _ in range(3)]
        Candidate.objects.create(
            probe=probe, rank=rank, person=person, face=faces[0], similarity=0.6 / rank,
            confidence=0.98, strangers=0.3, support=2, verdict=probe.verdict,
        )  # fmt: skip
        noted[rank] = {"faces": [face.pk for face in faces[:2]], "compared": 3}
    content = ContentFile(json.dumps({1: noted}).encode())
    default_storage.save(files.support(search.pk), content)
    return search


def body_of(client, search: Search) -> str:
    return client.get(reverse("search-body", args=[search.pk])).content.decode()


def test_the_answer_explains_itself(signed_in, user) -> None:
    body = body_of(signed_in, explained(user))
    for said in (
        "Looks like",
        "in 98 of 100 cases where it could equally be two people",
        "Among the 3,095 faces here, a stranger this alike turns up by chance in about 1 in 4",
        "Clearly ahead of the next person",
        "2 of 3 pictures of this person agree",
        "Other pictures of Person 1 that agree",
        "This face is only 24 pixels wide: expect errors",
        "Measured on LFW",
    ):
        assert said in body, said


def test_two_who_are_almost_equally_alike_are_to_be_compared(signed_in, user) -> None:
    assert "compare both" in body_of(signed_in, explained(user, people=2, margin=0.01))


def test_without_a_calibration_the_page_says_that_there_is_no_verdict(
    signed_in, user, monkeypatch
) -> None:
    monkeypatch.setattr(scoring, "active_calibration", lambda spec: None)
    search = explained(user, verdict="")
    Candidate.objects.update(confidence=None, strangers=None)
    body = body_of(signed_in, search)
    assert "There is no verdict: nothing tells yet" in body and "Most like" in body


def test_of_an_embedder_for_pictures_in_general_the_page_says_what_it_compares(
    signed_in, user
) -> None:
    search = explained(user, verdict="")
    Candidate.objects.update(confidence=None, strangers=None)
    Search.objects.update(embedder="dino-vitb16")
    search.refresh_from_db()
    body = body_of(signed_in, search)
    assert "is for pictures in general. Pose, light and background count" in body
    assert answers.answer_as_data(search=search, photo="x")["no_verdict"] in body
    assert "Unknown" not in body and "of 100 cases" not in body


@pytest.mark.parametrize("slug", ["onnx:gone.onnx", "gone"])
def test_of_an_embedder_that_is_gone_the_page_says_so(signed_in, user, slug) -> None:
    search = explained(user, verdict="")
    Search.objects.update(embedder=slug)
    search.refresh_from_db()
    body = body_of(signed_in, search)
    assert f"the embedder that answered ({slug}) is not known any more" in body
    assert answers.answer_as_data(search=search, photo="x")["no_verdict"] in body
    assert "pictures in general" not in body


def test_what_is_hidden_since_takes_its_verdict_and_margin_with_it(signed_in, user) -> None:
    search = explained(user, people=2)
    Candidate.objects.filter(rank=2).update(verdict="unknown")
    Person.objects.filter(name="Person 1").update(is_searchable=False)
    body = body_of(signed_in, search)
    assert "Person 1" not in body and "Person 2" in body
    assert "Unknown: nobody here" in body and "ahead" not in body.split("<details")[0]
    Person.objects.update(is_searchable=False)
    body = body_of(signed_in, search)
    assert "not here any more" in body and "Person 2" not in body


def test_pictures_that_went_to_somebody_else_do_not_speak_for_the_person(signed_in, user) -> None:
    search = explained(user)
    supporter = Face.objects.order_by("pk")[1]
    Face.objects.filter(pk=supporter.pk).update(person=make_person("Rui"))
    assert "that agree</p>" not in body_of(signed_in, search)


def test_two_candidates_who_were_merged_since_stand_once(signed_in, user) -> None:
    search = explained(user, people=2)
    one, other = Person.objects.order_by("pk")
    other.faces.update(person=one)
    assert [c.person for c in answers.shown_faces(search)[0].candidates] == [one]


def test_an_answer_from_before_support_was_noted_is_shown_all_the_same(signed_in, user) -> None:
    search = explained(user)
    default_storage.delete(files.support(search.pk))
    body = body_of(signed_in, search)
    assert "2 pictures of this person agree" in body and "that agree</p>" not in body


def test_no_candidate_costs_a_query(signed_in, user) -> None:
    def count(search: Search) -> int:
        with CaptureQueriesContext(connection) as context:
            body_of(signed_in, search)
        return len(context)

    assert count(explained(user, people=9)) == count(explained(user, people=2))


def test_the_page_of_a_photo_says_which_faces_are_poor(signed_in) -> None:
    face = make_face(quality=0.4, quality_reasons=["blurred", "turned_away"])
    page = signed_in.get(reverse("photo", args=[face.photo_id])).content.decode()
    assert "Blurred and turned away from the camera. Too poor to recognise anybody by." in page
