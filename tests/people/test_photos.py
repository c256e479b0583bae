"""Taking photos in."""

import io
import itertools
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from people.models import Photo
from people.problems import Refused
from people.services import photos
from tests.factories import make_face, make_import, make_photo, picture

pytestmark = pytest.mark.django_db


def add(batch, content: bytes, name: str = "a.jpg", folder: str = "", **options):
    incoming = photos.Incoming(io.BytesIO(content), name, len(content), folder)
    return photos.add_photo(batch=batch, incoming=incoming, **options)


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("João_Baião_1.jpg", "João Baião"),
        ("Aaron_Eckhart_0001.jpg", "Aaron Eckhart"),
        ("Ana.jpeg", "Ana"),
        ("Ana 2.jpg", "Ana"),
        ("Ana-2.jpg", "Ana"),
        ("Ana (2).jpg", "Ana"),
        ("Ana_1_2.jpg", "Ana"),
        ("Jo\u0061\u0303o_1.jpg", "João"),  # decomposed letters become composed
        ("李_小龙_12.png", "李 小龙"),
        ("Abid_Hamid_Mahmud_Al-Tikriti_0003.jpg", "Abid Hamid Mahmud Al-Tikriti"),
        ("d'Arc_Jeanne.tar.jpg", "d'Arc Jeanne.tar"),
        ("IMG_2041.jpg", "IMG"),
        ("20190307_101500.jpg", ""),
        ("C:\\photos\\Ana_1.jpg", "Ana"),
    ],
)
def test_a_file_name_gives_a_name(file_name: str, name: str) -> None:
    assert photos.name_from("file", file_name=file_name, folder="x") == name


def test_a_folder_gives_its_own_name() -> None:
    assert photos.name_from("folder", file_name="1.jpg", folder="Ana_Silva") == "Ana Silva"
    assert photos.name_from("none", file_name="Ana_1.jpg", folder="Ana") == ""


def test_a_new_photo_is_stored_and_waits() -> None:
    photo = add(make_import(source="the attic"), picture(), "Ana_1.jpg")
    assert photo is not None
    assert (photo.status, photo.name_hint, photo.source) == ("queued", "Ana", "the attic")
    assert default_storage.exists(photo.file.name)


def test_the_same_picture_is_known_whatever_its_name() -> None:
    batch, content = make_import(), picture()
    assert add(batch, content, "a.jpg") is not None
    assert add(batch, content, "b.jpg") is None
    batch.refresh_from_db()
    assert (Photo.objects.count(), batch.known) == (1, 1)


def test_several_are_added_together_and_each_has_its_outcome() -> None:
    class Gone(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise FileNotFoundError("gone")

    batch = make_import(names="file")
    known, new = picture(), picture(90, 60)
    add(batch, known, "known.jpg")
    contents = [new, known, b"nonsense", b"", new, picture(70, 50)]
    incoming = [photos.Incoming(io.BytesIO(c), f"Ana_{n}.jpg", 9) for n, c in enumerate(contents)]
    outcomes = photos.add_photos(batch=batch, incoming=[*incoming, photos.Incoming(Gone(), "x", 9)])
    first, again, wrong, empty, twice, last, gone = outcomes
    assert (again, twice) == (None, None)
    assert (wrong.code, empty.code, type(gone)) == ("not_an_image", "empty", FileNotFoundError)
    assert [first, last] == list(Photo.objects.filter(pk__in=[first.pk, last.pk]).order_by("pk"))
    assert (first.search_key, first.name_hint, first.status) == ("ana_0.jpg", "Ana", "queued")
    batch.refresh_from_db()
    assert batch.known == 2


def test_a_picture_that_arrives_at_the_same_moment_is_stored_once(monkeypatch) -> None:
    batch, content = make_import(), picture()
    media = Path(default_storage.location)
    before = set(media.rglob("original.*"))
    real = photos._stored

    def slow(photo: Photo, file) -> Photo:
        if not Photo.objects.exists():
            monkeypatch.setattr(photos, "_stored", real)
            assert add(batch, content, "first.jpg") is not None
        return real(photo, file)

    monkeypatch.setattr(photos, "_stored", slow)
    files = [(content, "second.jpg"), (picture(90, 60), "other.jpg")]
    incoming = [photos.Incoming(io.BytesIO(c), name, len(c)) for c, name in files]
    second, other = photos.add_photos(batch=batch, incoming=incoming)
    assert second is None
    assert {p.original_name for p in Photo.objects.all()} == {"first.jpg", "other.jpg"}
    assert other.original_name == "other.jpg"
    assert all(default_storage.exists(p.file.name) for p in Photo.objects.all())
    assert len(set(media.rglob("original.*")) - before) == 2


def test_where_storing_breaks_off_no_file_is_left(monkeypatch) -> None:
    batch = make_import()
    media = Path(default_storage.location)
    before = set(media.rglob("original.*"))
    real, count = photos._stored, itertools.count()

    def broken(photo: Photo, file) -> Photo:
        if next(count) == 2:
            raise RuntimeError("the storage is gone")
        return real(photo, file)

    monkeypatch.setattr(photos, "_stored", broken)
    contents = [picture(60 + n, 50) for n in range(4)]
    incoming = [photos.Incoming(io.BytesIO(c), "a.jpg", len(c)) for c in contents]
    with pytest.raises(RuntimeError, match="the storage is gone"):
        photos.add_photos(batch=batch, incoming=incoming)
    assert not Photo.objects.exists()
    assert set(media.rglob("original.*")) == before


def test_a_known_photo_that_is_deleted_meanwhile_is_stored_again(monkeypatch) -> None:
    batch, known, new = make_import(), picture(), picture(90, 60)
    first = add(batch, known)
    real = photos._stored

    def slow(photo: Photo, file) -> Photo:
        Photo.objects.filter(pk=first.pk).delete()
        return real(photo, file)

    monkeypatch.setattr(photos, "_stored", slow)
    incoming = [photos.Incoming(io.BytesIO(c), "a.jpg", len(c)) for c in (known, new)]
    again, other = photos.add_photos(batch=batch, incoming=incoming)
    assert Photo.objects.count() == 2
    assert again.sha256 == first.sha256 and other.sha256 != first.sha256
    batch.refresh_from_db()
    assert batch.known == 0


def test_a_name_in_bytes_that_are_no_letters_is_taken_without_them() -> None:
    assert photos.name_from("file", file_name="Jo\udce3o_1.jpg", folder="") == "Joo"
    batch = photos.start_import(kind="folder", names="folder", source="caf\udce9")
    photo = add(batch, picture(), folder="Jo\udce3o")
    assert (photo.source, photo.name_hint) == ("caf", "Joo")


def test_a_name_that_comes_later_is_taken() -> None:
    content = picture()
    add(make_import(names="none"), content, "Ana_1.jpg")
    add(make_import(names="file"), content, "Ana_1.jpg")
    photo = Photo.objects.get()
    assert (photo.name_hint, photo.naming) == ("Ana", Photo.Naming.WAITING)


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty"), (b"MZ this is a program", "not_an_image"), (b"<svg/>", "not_an_image")],
)
def test_what_is_no_picture_is_refused_and_not_kept(content: bytes, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        add(make_import(), content)
    assert refusal.value.code == code
    assert len(refusal.value.sentence) > 20
    assert not Photo.objects.exists()


def test_a_file_over_the_limit_is_refused(settings) -> None:
    settings.FACEWEB_MAX_UPLOAD_MB = 0
    with pytest.raises(Refused, match="too_large"):
        add(make_import(), picture())
    assert add(make_import(), picture(), limit=False) is not None


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\x.jpg", "a\x00b\n.jpg", "", "/"])
def test_a_name_is_never_trusted(name: str) -> None:
    photo = add(make_import(), picture(), name)
    assert photo is not None
    assert photo.original_name
    assert not set("/\\\x00\n") & set(photo.original_name)
    assert photo.file.name.startswith("photos/")
    assert ".." not in photo.file.name


def test_uploads_are_judged_one_by_one() -> None:
    batch = make_import()
    files = [
        SimpleUploadedFile("good.jpg", picture()),
        SimpleUploadedFile("bad.jpg", b"nonsense"),
    ]
    added = photos.add_uploads(batch=batch, uploads=files)
    batch.refresh_from_db()
    assert [p.original_name for p in added] == ["good.jpg"]
    assert batch.refused == [{"name": "bad.jpg", "code": "not_an_image"}]


def test_retry_takes_failed_photos_only() -> None:
    failed = make_photo(status="failed", error_code="damaged", crashes=2)
    done = make_photo()
    assert photos.retry(photo_ids=[failed.pk, done.pk]) == 1
    failed.refresh_from_db()
    assert (failed.status, failed.error_code, failed.crashes) == ("queued", "", 0)


def test_a_photo_whose_faces_are_none_counts_as_without_faces() -> None:
    false, real, empty = make_photo(), make_photo(), make_photo()
    make_face(false, state="not_a_face")
    make_face(real)
    make_photo(status="failed")
    assert set(Photo.objects.without_faces()) == {false, empty}
