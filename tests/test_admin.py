"""The admin panel: through the services, found without accents, nothing left behind."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from people.models import Face, FileRemoval, Import, IndexRemoval, Person, Photo
from search import files
from search.models import ProbeFace, Search
from search.services import searches
from tests.factories import make_face, make_person, make_photo, picture
from tests.test_pages import populate

pytestmark = pytest.mark.django_db


def test_admin_retries_and_deletes_through_the_services(admin_client: Client) -> None:
    failed = make_photo(status="failed", stored=True)
    url = reverse("admin:people_photo_changelist")
    admin_client.post(url, {"action": "retry", "_selected_action": [failed.pk]})
    failed.refresh_from_db()
    assert failed.status == "queued"
    make_face(failed)
    data = {"action": "delete_selected", "_selected_action": [failed.pk], "post": "yes"}
    admin_client.post(url, data)
    assert not Photo.objects.exists()
    assert IndexRemoval.objects.count() == 1
    assert FileRemoval.objects.count() >= 4


@pytest.mark.parametrize("model", ["photo", "person", "face", "import"])
def test_admin_pages_open_without_a_select_of_every_person(admin_client, model: str) -> None:
    populate(2)
    row = {"photo": Photo, "person": Person, "face": Face, "import": Import}[model].objects.first()
    page = admin_client.get(reverse(f"admin:people_{model}_change", args=[row.pk]))
    assert page.status_code == 200
    assert page.content.decode().count("Person 1") <= 2


def test_the_index_calls_the_history_by_its_name(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert ">History entries</a>" in page and ">Edits</a>" not in page


def test_retrying_needs_the_right_to_change_photos(client: Client) -> None:
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_photo"))
    client.force_login(clerk)
    failed = make_photo(status="failed")
    url = reverse("admin:people_photo_changelist")
    client.post(url, {"action": "retry", "_selected_action": [failed.pk]})
    failed.refresh_from_db()
    assert failed.status == "failed"


def test_retrying_what_did_not_fail_says_so(admin_client: Client) -> None:
    url = reverse("admin:people_photo_changelist")
    data = {"action": "retry", "_selected_action": [make_photo().pk]}
    page = admin_client.post(url, data, follow=True).content.decode()
    assert "None of these photos had failed" in page


@pytest.mark.parametrize("words", ["joao", "JOÃO", "João"])
@pytest.mark.parametrize("model", ["person", "face"])
def test_people_are_found_without_regard_to_accents(
    admin_client: Client, model: str, words: str
) -> None:
    make_face(person=make_person("João Baião"))
    make_face(person=make_person("Rui Costa"))
    url = reverse(f"admin:people_{model}_changelist")
    page = admin_client.get(url, {"q": words}).content.decode()
    assert "João Baião" in page and "Rui Costa" not in page


def test_people_are_filtered_by_whether_they_have_faces(admin_client: Client) -> None:
    make_face(person=make_person("Ana"))
    make_face(person=make_person("Rui"), state=Face.State.NOT_A_FACE)
    url = reverse("admin:people_person_changelist")
    found = {
        answer: [
            str(p) for p in admin_client.get(url, {"has_faces": answer}).context["cl"].queryset
        ]
        for answer in ("yes", "no")
    }
    assert found == {"yes": ["Ana"], "no": ["Rui"]}


def test_a_face_given_to_someone_else_leaves_no_cover_behind(admin_client: Client) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face = make_face(person=ana)
    Person.objects.filter(pk=ana.pk).update(cover=face)
    url = reverse("admin:people_face_change", args=[face.pk])
    admin_client.post(url, {"person": rui.pk, "state": "active", "shown": ana.pk})
    ana.refresh_from_db()
    rui.refresh_from_db()
    face.refresh_from_db()
    assert (ana.cover_id, rui.cover_id, face.assigned_by) == (None, face.pk, "hand")


def make_search(user) -> Search:
    upload = SimpleUploadedFile("probe.jpg", picture())
    search = searches.create_search(upload=upload, name="probe.jpg", user=user)
    ProbeFace.objects.create(
        search=search, number=1, x1=1, y1=1, x2=9, y2=9, landmarks=[], detection_score=0.9,
        verdict="unknown",
    )  # fmt: skip
    return search


def test_searches_are_shown_with_a_face_and_cannot_be_changed(admin_client: Client, user) -> None:
    search = make_search(user)
    crop = reverse("search-crop", args=[search.pk, 1])
    assert crop in admin_client.get(reverse("admin:search_search_changelist")).content.decode()
    url = reverse("admin:search_search_change", args=[search.pk])
    page = admin_client.get(url).content.decode()
    assert crop in page and "_save" not in page


def test_pictures_of_searches_are_for_the_asker_and_the_admin_panel(
    client: Client, signed_in: Client, admin_user, user
) -> None:
    search = make_search(user)
    default_storage.save(files.crop(search.pk, 1), ContentFile(picture()))
    crop = reverse("search-crop", args=[search.pk, 1])
    assert signed_in.get(crop).status_code == 200
    client.force_login(get_user_model().objects.create_user("other"))
    assert client.get(crop).status_code == 404
    client.force_login(admin_user)
    assert client.get(crop).status_code == 200
    assert client.get(reverse("search-result", args=[search.pk])).status_code == 404


def test_with_an_account_go_its_searches_and_their_files(admin_client: Client, user) -> None:
    search = make_search(user)
    url = reverse("admin:auth_user_delete", args=[user.pk])
    admin_client.post(url, {"post": "yes"})
    assert not Search.objects.exists()
    assert FileRemoval.objects.filter(name=search.file.name).exists()
