"""The pages of one photo and of several: boxes, turns, looking again, names for other programs."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from people.models import Face, Photo
from people.services import boxes
from tests.factories import make_face, make_person, make_photo

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def text(response) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def sides(x1: float, y1: float, x2: float, y2: float, **more) -> dict:
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, **more}


# --- drawing -------------------------------------------------------------------------------------


def test_a_box_is_drawn_without_scripts(signed_in: Client, sent) -> None:
    photo = make_photo(stored=True)
    url = reverse("photo-draw", args=[photo.pk])
    page = signed_in.get(url).content.decode()
    assert "<html" in page and page.count('type="number"') == 4 and 'max="400"' in page
    response = signed_in.post(url, sides(10, 20, 110, 140))
    face = photo.faces.get()
    assert response.url == reverse("photo", args=[photo.pk]) + "#face-1"
    assert face.box == (10, 20, 110, 140)
    assert ("people.look_at_boxes", [photo.pk]) in sent
    page = signed_in.get(response.url).content.decode()
    assert "Drawn by hand" in page and "is being looked at" in page and "Undo" in page


def test_with_scripts_the_form_takes_the_place_of_the_picture(signed_in: Client) -> None:
    photo = make_photo()
    url = reverse("photo-draw", args=[photo.pk]) + "?part=form"
    part = signed_in.get(url, headers=HTMX).content.decode()
    assert "<html" not in part and 'id="photo-look"' in part and "data-draw" in part


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (sides(10, 20, 12, 140), "too small"),
        ({"x1": 10}, "A box needs four numbers"),
        (sides(100, 80, 180, 180), "There is a face in this place already"),
    ],
)
def test_a_box_that_is_refused_says_why_and_stays_in_the_form(
    signed_in: Client, values, words: str
) -> None:
    photo = make_photo()
    make_face(photo, box=(100, 80, 180, 180))
    response = signed_in.post(reverse("photo-draw", args=[photo.pk]), values)
    page = response.content.decode()
    assert response.status_code == 200 and words in page
    assert f'value="{float(values["x1"])}"' in page or f'value="{values["x1"]}"' in page
    assert photo.faces.count() == 1


def test_a_photo_in_hand_cannot_be_drawn_on(signed_in: Client) -> None:
    photo = make_photo(status="processing")
    response = signed_in.get(reverse("photo-draw", args=[photo.pk]), follow=True)
    assert "being looked at just now" in text(response)


def test_a_box_is_corrected_unless_the_page_is_stale(signed_in: Client) -> None:
    face = make_face(person=make_person())
    url = reverse("face-box", args=[face.pk])
    page = signed_in.get(url).content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', page)
    assert shown and 'value="100.0"' in page
    values = sides(90, 70, 190, 190, shown=shown[1])
    response = signed_in.post(url, values)
    face.refresh_from_db()
    assert face.box == (90, 70, 190, 190) and response.url.endswith("#face-1")
    again = signed_in.post(url, sides(10, 10, 90, 90, shown=shown[1]), follow=True)
    face.refresh_from_db()
    assert face.box == (90, 70, 190, 190) and "changed this in the meantime" in text(again)
    assert "Reload the page" in text(signed_in.post(url, sides(1, 1, 90, 90, shown="x")))


def test_removing_and_restoring(signed_in: Client) -> None:
    face = make_face(make_photo(stored=True))
    signed_in.post(reverse("face-box-remove", args=[face.pk]))
    page = signed_in.get(reverse("photo", args=[face.photo_id]))
    assert "1 place marked as not a face" in text(page)
    signed_in.post(reverse("face-restore", args=[face.pk]))
    face.refresh_from_db()
    assert face.state == "active"
    edit = boxes.draw(photo=face.photo, box=(200, 100, 300, 200))
    drawn = edit.subjects.get(kind="face").subject_id
    signed_in.post(reverse("face-box-remove", args=[drawn]))
    assert not Face.objects.filter(pk=drawn).exists()


def test_the_picture_of_a_waiting_face_is_asked_for_again(signed_in: Client) -> None:
    face = make_face()
    url = reverse("face-picture", args=[face.pk])
    assert "<img" in signed_in.get(url).content.decode()
    Face.objects.update(crop="")
    assert "hx-trigger" in signed_in.get(url).content.decode()
    crop = signed_in.get(reverse("face-crop", args=[face.pk]))
    assert crop.url.endswith("waiting.svg") and crop["Cache-Control"] == "no-store"


# --- pictures that change ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["crop", "thumb"])
def test_browsers_keep_pictures_only_as_long_as_they_are_the_same(
    signed_in: Client, kind: str
) -> None:
    photo = make_photo(stored=True, finished_at=timezone.now())
    face = make_face(photo)
    url = reverse("face-crop", args=[face.pk])
    version = face.version
    if kind == "thumb":
        url, version = reverse("photo-image", args=[photo.pk, "thumb"]), photo.version
    plain = signed_in.get(url)
    assert plain["Cache-Control"] == "private, max-age=300"
    again = signed_in.get(url, headers={"If-None-Match": plain["ETag"]})
    assert again.status_code == 304 and again["ETag"] == plain["ETag"]
    versioned = signed_in.get(url, {"v": version})
    assert versioned["Cache-Control"] == "private, max-age=86400"
    Photo.objects.update(turns=1)
    Face.objects.update(crop=photo.file.name)
    changed = signed_in.get(url, headers={"If-None-Match": plain["ETag"]})
    assert changed.status_code == 200 and changed["ETag"] != plain["ETag"]


# --- turning and looking again -------------------------------------------------------------------


def test_turning(signed_in: Client, sent) -> None:
    photo = make_photo(stored=True)
    url = reverse("photo-turn", args=[photo.pk])
    signed_in.post(url, {"way": "right", "turns": "0"})
    photo.refresh_from_db()
    assert (photo.turns, photo.status) == (3, "queued")
    assert ("people.look_again", [photo.pk]) in sent
    stale = signed_in.post(url, {"way": "right", "turns": "0"}, follow=True)
    assert "changed this in the meantime" in text(stale)
    assert "like that already" in text(signed_in.post(url, {"way": "x"}, follow=True))


def test_looking_again(signed_in: Client, sent) -> None:
    photo = make_photo()
    url = reverse("photo-again", args=[photo.pk])
    page = signed_in.post(url, follow=True)
    assert "Names, and boxes that were drawn, stay" in text(page)
    assert sent == [("people.look_again", [photo.pk])]
    assert "being looked at just now" in text(signed_in.post(url, follow=True))


def test_looking_at_several_again(signed_in: Client, sent, settings) -> None:
    settings.FACEWEB_WORKER_THREADS = 3
    photos = [make_photo() for _ in range(60)]
    url = reverse("photos-again")
    assert "Choose at least one photo" in text(signed_in.post(url, follow=True))
    chosen = {"photos": [*(p.pk for p in photos[:49]), "x", "99999"]}
    page = signed_in.post(url, {**chosen, "next": "/photos/?page=1"}, follow=True)
    assert "49 photos are looked at again" in text(page)
    assert Photo.objects.filter(status="queued").count() == 49
    # More than a few wait in their turn, in parts.
    assert {name for name, _ in sent} == {"people.process_photos"}
    assert [len(ids) for _, ids in sent] == [12, 12, 12, 12, 1]


def test_the_list_offers_a_choice(signed_in: Client) -> None:
    photo = make_photo()
    page = signed_in.get(reverse("photos")).content.decode()
    assert f'name="photos" value="{photo.pk}"' in page
    assert 'name="photos"' not in signed_in.get("/").content.decode()


# --- names for other programs --------------------------------------------------------------------


def test_the_table_and_the_sidecar_are_downloads(signed_in: Client) -> None:
    photo = make_photo(stored=True, original_name="João.jpg")
    make_face(photo, person=make_person("Ana Silva"))
    make_face(photo, person=make_person("Hidden", is_searchable=False))
    table = signed_in.get(reverse("names-table"))
    content = b"".join(table.streaming_content).decode("utf-8-sig")
    assert "Ana Silva" in content and "Hidden" not in content
    assert table["Content-Disposition"] == 'attachment; filename="names.csv"'
    sidecar = signed_in.get(reverse("photo-names", args=[photo.pk]))
    assert b"Ana Silva" in sidecar.content and b"Hidden" not in sidecar.content
    assert "Jo%C3%A3o.jpg.xmp" in sidecar["Content-Disposition"]
    assert table["Cache-Control"] == sidecar["Cache-Control"] == "private, no-store"


def test_a_sidecar_of_a_lost_file_says_so(signed_in: Client) -> None:
    page = signed_in.get(reverse("photo-names", args=[make_photo().pk]), follow=True)
    assert "cannot be found any more" in text(page)


# --- the page of one photo -----------------------------------------------------------------------


def test_the_page_shows_the_whole_state(signed_in: Client) -> None:
    photo = make_photo(
        stored=True, source="the attic", turns=1, finished_at=timezone.now(), seconds=0.4,
        taken_at=timezone.now().replace(year=1998, month=7, day=3),
        regions=[{"name": "Rui Costa", "box": [0, 0, 1, 1]}],
    )  # fmt: skip
    make_face(photo, person=make_person("Ana"), assigned_by="region")
    make_face(photo, origin="drawn", detection_score=0)
    make_face(photo, origin="drawn", detection_score=0.98)
    page = text(signed_in.get(reverse("photo", args=[photo.pk])))
    for words in (
        "3 July 1998", "the attic", photo.sha256[:12], "to the left", "named: a name in the file",
        "Found by faceweb (score 0.99)", "Drawn by hand", "Box corrected by hand", "Rui Costa",
        "400 × 300 pixels",
    ):  # fmt: skip
        assert words in page


def test_the_page_shows_what_was_changed_last(signed_in: Client) -> None:
    photo = make_photo()
    for number in range(7):
        boxes.draw(photo=photo, box=(10 + number * 50, 10, 50 + number * 50, 60))
    page = text(signed_in.get(reverse("photo", args=[photo.pk])))
    assert page.count("Drew a box round a face") == 2 * 5  # in words, and for each button
    assert "What was changed here" in page and "All changes" in page


def test_the_page_runs_no_query_for_each_face(signed_in: Client) -> None:
    photo = make_photo()
    url = reverse("photo", args=[photo.pk])

    def queries() -> int:
        with CaptureQueriesContext(connection) as context:
            assert signed_in.get(url).status_code == 200
        return len(context)

    def add(number: int) -> None:
        for n in range(number):
            make_face(photo, person=make_person(f"Person {n}"))
            make_face(photo, state="not_a_face")

    add(2)
    few = queries()
    add(10)
    assert queries() == few
