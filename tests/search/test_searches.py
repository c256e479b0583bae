"""Asking and forgetting, and who may see what was asked."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from faceweb import sweeping
from people.models import Person
from people.problems import Refused
from search import files
from search.models import Candidate, ProbeFace, Search
from search.services import searches
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
