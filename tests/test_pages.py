"""Every page: only for who is signed in, without a query for each row, and doing what it says."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from people.models import Face, Import, Person, Photo
from tests.factories import make_face, make_import, make_person, make_photo, picture

pytestmark = pytest.mark.django_db

OPEN = {"healthz", "login"}


def patterns(resolver: URLResolver | None = None) -> list[URLPattern]:
    found: list[URLPattern] = []
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                found += patterns(entry)
        else:
            found.append(entry)
    return found


def address(pattern: URLPattern) -> str:
    samples = {"int": 1, "str": "thumb", "uuid": "7a0c4b7e-7f5e-4a53-8f5a-000000000001"}
    converters = pattern.pattern.converters  # type: ignore[union-attr]
    kinds = {k: type(v).__name__.removesuffix("Converter").lower() for k, v in converters.items()}
    kwargs = {k: samples[{"string": "str"}.get(kind, kind)] for k, kind in kinds.items()}
    return reverse(pattern.name, kwargs=kwargs)


NAMED = [p for p in patterns() if p.name]


@pytest.mark.parametrize("pattern", NAMED, ids=lambda p: p.name)
def test_a_stranger_sees_nothing(client: Client, pattern: URLPattern) -> None:
    if pattern.name in OPEN:
        pytest.skip("this page is for everyone")
    for method in (client.get, client.post):
        response = method(address(pattern))
        assert response.status_code == 302 and response.url.startswith("/login/"), pattern.name


def test_a_part_of_a_page_is_never_the_sign_in_page(client: Client) -> None:
    response = client.get(reverse("photos"), headers={"HX-Request": "true"})
    assert response.status_code == 200 and response["HX-Refresh"] == "true"
    assert not response.content


def test_pages_send_a_strict_policy(signed_in: Client) -> None:
    policy = signed_in.get("/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy


def populate(count: int) -> None:
    batch = make_import()
    for n in range(count):
        person = make_person(f"Person {n}")
        photo = make_photo(batch=batch)
        face = make_face(photo, person=person)
        make_face(photo)
        Person.objects.filter(pk=person.pk).update(cover=face)


def queries(client: Client, url: str, capture) -> int:
    with capture() as context:
        assert client.get(url).status_code == 200
    return len(context)


@pytest.mark.parametrize(
    "name", ["home", "photos", "people", "admin:people_photo_changelist",
             "admin:people_person_changelist", "admin:people_face_changelist",
             "admin:search_search_changelist"],
)  # fmt: skip
def test_no_list_asks_the_database_for_each_row(
    admin_client: Client, name: str, django_assert_max_num_queries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    populate(3)
    few = queries(admin_client, reverse(name), lambda: CaptureQueriesContext(connection))
    populate(20)
    many = queries(admin_client, reverse(name), lambda: CaptureQueriesContext(connection))
    assert many <= few + 1


def test_the_first_page_says_what_to_do(signed_in: Client) -> None:
    page = signed_in.get("/").content.decode()
    assert "Add your first photos" in page


def test_uploading_stores_queues_and_refuses(signed_in: Client, user) -> None:
    response = signed_in.post(
        reverse("upload"),
        {
            "files": [
                SimpleUploadedFile("Ana_1.jpg", picture()),
                SimpleUploadedFile("notes.jpg", b"not a picture"),
            ],
            "names_from_files": "on",
        },
    )
    batch = Import.objects.get()
    assert response.url == reverse("import", args=[batch.pk])
    photo = Photo.objects.get()
    assert (photo.status, photo.name_hint, batch.created_by) == ("queued", "Ana", user)
    page = signed_in.get(response.url).content.decode()
    assert "notes.jpg" in page and "not a picture that faceweb can read" in page
    assert "every 1s" in page


def test_a_script_uploads_into_one_import(signed_in: Client) -> None:
    def send(**extra):
        data = {"files": SimpleUploadedFile("a.jpg", picture()), **extra}
        return signed_in.post(reverse("upload"), data, headers={"accept": "application/json"})

    first = send().json()
    assert send(batch=first["batch"]).json()["batch"] == first["batch"]
    assert Import.objects.get().photos.count() == 2


def test_too_many_files_are_refused_by_name(signed_in: Client, settings) -> None:
    settings.FACEWEB_MAX_UPLOAD_FILES = 1
    files = [SimpleUploadedFile(f"{n}.jpg", picture()) for n in range(3)]
    signed_in.post(reverse("upload"), {"files": files})
    assert Photo.objects.count() == 1
    assert [r["code"] for r in Import.objects.get().refused] == ["too_many_files"] * 2


def test_a_failed_photo_shows_its_reason_and_can_be_retried(signed_in: Client) -> None:
    photo = make_photo(status="failed", error_code="truncated")
    page = signed_in.get(reverse("photo", args=[photo.pk])).content.decode()
    assert "The end of the file is missing" in page and "Try again" in page
    signed_in.post(reverse("photo-retry", args=[photo.pk]))
    photo.refresh_from_db()
    assert photo.status == "queued"


def test_sending_nothing_says_what_is_missing(signed_in: Client) -> None:
    page = signed_in.post(reverse("upload"), {}, follow=True).content.decode()
    assert "Choose photos first" in page and not Import.objects.exists()


def test_an_import_says_what_to_do_next(signed_in: Client) -> None:
    batch = make_import(kind="upload")
    make_face(make_photo(batch=batch, hint="Ana", naming="given"), person=make_person("Ana"))
    url = reverse("import", args=[batch.pk])
    assert "All of them have a name" in signed_in.get(url).content.decode()
    make_face(make_photo(batch=batch, hint="Rui", naming="undecided", original_name="rui.jpg"))
    page = signed_in.get(url).content.decode()
    assert "1 of them has no name yet" in page and "Say who they are" in page
    assert page.count(">rui.jpg</a>") == 1, "a photo that waits for a decision is listed once"
    assert "1 photo" not in signed_in.get(reverse("upload")).content.decode()
    assert "2 photos" in signed_in.get(reverse("upload")).content.decode()


def test_a_search_in_an_empty_archive_says_so(signed_in: Client) -> None:
    url = reverse("search")
    assert "nobody to compare with" in signed_in.get(url).content.decode()
    make_face()
    assert "nobody to compare with" not in signed_in.get(url).content.decode()


def test_pages_can_be_jumped_to_and_keep_the_filter(signed_in: Client) -> None:
    for n in range(4 * 72 + 1):
        make_person(f"Ana {n:03}")
    page = signed_in.get(reverse("people") + "?q=ana&page=2").content.decode()
    assert '<input type="hidden" name="q" value="ana">' in page
    assert 'name="page" id="id_page" value="2"' in page and "of 5" in page


def test_filters_by_state(signed_in: Client) -> None:
    make_photo(status="failed", original_name="broken.jpg")
    make_photo(original_name="fine.jpg")
    page = signed_in.get(reverse("photos") + "?state=failed").content.decode()
    assert "broken.jpg" in page and "fine.jpg" not in page


def test_naming_in_place(signed_in: Client) -> None:
    face = make_face()
    htmx = {"HX-Request": "true"}
    url = reverse("face-name", args=[face.pk])
    assert "<form" in signed_in.get(url, headers=htmx).content.decode()
    answer = signed_in.post(url, {"name": "Ana Silva"}, headers=htmx).content.decode()
    assert "Ana Silva" in answer and "<html" not in answer
    assert Face.objects.get().person.name == "Ana Silva"
    assert "Write a name" in signed_in.post(url, {"name": " "}, headers=htmx).content.decode()


def test_naming_without_scripts(signed_in: Client) -> None:
    face = make_face()
    response = signed_in.post(reverse("face-name", args=[face.pk]), {"name": "Ana"})
    assert response.url == reverse("photo", args=[face.photo_id])


def test_an_undecided_photo_asks_whose_name_it_is(signed_in: Client) -> None:
    photo = make_photo(hint="Ana Silva", naming="undecided")
    make_face(photo)
    make_face(photo)
    page = signed_in.get(reverse("photo", args=[photo.pk])).content.decode()
    assert "Ana Silva" in page and "several faces" in page


def test_renaming_warns_of_a_namesake(signed_in: Client) -> None:
    make_person("Ana")
    person = make_person("Rui")
    url = reverse("person-rename", args=[person.pk])
    page = signed_in.post(url, {"name": "Ana"}, follow=True).content.decode()
    assert "Someone else is called" in page


def test_removing_a_face_keeps_it_unnamed(signed_in: Client) -> None:
    face = make_face(person=make_person())
    signed_in.post(reverse("face-remove", args=[face.pk]), {"from": "person"})
    face.refresh_from_db()
    assert face.person is None


@pytest.mark.parametrize("with_photos", [True, False])
def test_deleting_a_person_asks_first(signed_in: Client, with_photos: bool) -> None:
    person = make_person("Ana Silva")
    make_face(make_photo(stored=True), person=person)
    url = reverse("person-delete", args=[person.pk])
    assert "Ana Silva" in signed_in.get(url).content.decode()
    signed_in.post(url, {"when": "now", **({"with_photos": "on"} if with_photos else {})})
    assert not Person.everyone.exists() and not Face.objects.exists()
    assert Photo.objects.exists() is not with_photos


def test_deleting_a_photo_asks_first(signed_in: Client) -> None:
    photo = make_photo(stored=True)
    url = reverse("photo-delete", args=[photo.pk])
    assert photo.original_name in signed_in.get(url).content.decode()
    signed_in.post(url)
    assert not Photo.objects.exists()


def test_originals_are_downloaded_never_shown(signed_in: Client) -> None:
    photo = make_photo(stored=True, content=b"<script>alert(1)</script>")
    response = signed_in.get(reverse("photo-image", args=[photo.pk, "original"]))
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert signed_in.get(f"/photos/{photo.pk}/secret").status_code == 404


def test_the_admin_panel_is_closed_to_others(signed_in: Client) -> None:
    response = signed_in.get(reverse("admin:index"), follow=True)
    assert response.status_code == 403 and "not open to you" in response.content.decode()


def test_an_address_that_is_not_allowed_is_explained(client: Client, caplog) -> None:
    response = client.get("/", headers={"host": "archive-pc:8000"})
    page = response.content.decode()
    assert response.status_code == 400
    assert "archive-pc:8000" in page and "FACEWEB_ALLOWED_HOSTS" in page
    assert [record.exc_info for record in caplog.records if record.levelname == "ERROR"] == []


def test_health(client: Client) -> None:
    response = client.get("/healthz")
    assert response.json() == {"ok": True, "database": True, "broker": True}
