"""Looking at photos with the real pipeline, into a real index."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from PIL import Image

from faceweb import runtime
from faceweb.recognition.jpeg import bare
from people import files
from people.models import Face, FaceEmbedding, FileRemoval, Photo
from people.services import deletion, indexing, ingest, storing
from tests.faces import photo as face_photo
from tests.factories import make_import, make_photo, picture

pytestmark = pytest.mark.django_db


# EXIF of nothing but an orientation: to be shown a quarter turned.
ORIENTATION_6 = bytes.fromhex("4d4d002a00000008000101120003000000010006000000000000")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(100, 156, (height, width), np.uint8)


def jpeg_of(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def stored(content: bytes, **values) -> Photo:
    return make_photo(stored=True, content=content, status="queued", width=None, **values)


def test_a_photo_becomes_faces_rows_files_and_points(index) -> None:
    batch = make_import()
    photo = stored(face_photo("obama.jpg").read_bytes(), hint="Barack Obama", batch=batch)
    assert ingest.process_photos(photo_ids=[photo.pk], worker="t").through == {batch.pk}
    photo.refresh_from_db()
    face = photo.faces.get()
    assert (photo.status, photo.claim, photo.naming) == ("done", None, "given")
    assert (photo.width, photo.height) == (910, 1137)
    assert 0 <= face.x1 < face.x2 <= 910 and 0 <= face.y1 < face.y2 <= 1137
    assert face.person.name == "Barack Obama"
    assert face.person.cover_id == face.pk
    assert all(default_storage.exists(name) for name in (face.crop.name, photo.picture("thumb")))
    row = face.embeddings.get()
    assert row.indexed_at is not None
    vector = np.frombuffer(row.vector, np.float32)
    hit = index.search(runtime.pipeline().spec.collection, vector[None], limit=1)[0][0]
    assert hit.id == row.pk
    assert hit.similarity == pytest.approx(1, abs=1e-3)


def test_an_import_is_through_when_no_photo_waits(index) -> None:
    batch, other = make_import(), make_import()
    one, two = (stored(picture(200 + n, 150), batch=batch) for n in range(2))
    alone = stored(picture(220, 150), batch=other)
    assert ingest.process_photos(photo_ids=[one.pk, alone.pk], worker="t").through == {other.pk}
    assert ingest.process_photos(photo_ids=[two.pk], worker="t").through == {batch.pk}


def test_what_is_left_for_later_can_be_taken_by_anyone(index) -> None:
    batch = make_import()
    ids = [stored(picture(40, 40 + n), batch=batch, crashes=0).pk for n in range(14)]
    outcome = ingest.process_photos(photo_ids=ids, worker="t", pause=lambda: True)
    assert len(outcome.left) == 2
    assert outcome.through == set()
    waiting = Photo.objects.filter(status="queued", claim=None, claimed_by="", crashes=0)
    assert sorted(waiting.values_list("pk", flat=True)) == sorted(outcome.left)
    outcome = ingest.process_photos(photo_ids=outcome.left, worker="u", pause=lambda: True)
    assert outcome == ingest.Outcome({batch.pk}, [])
    assert set(Photo.objects.values_list("status", flat=True)) == {"done"}


def test_rows_that_cannot_be_stored_leave_all_photos_waiting(index, monkeypatch) -> None:
    def locked(**_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(storing, "store", locked)
    ids = [stored(picture(40, 40 + n)).pk for n in range(14)]
    with pytest.raises(OperationalError):
        ingest.process_photos(photo_ids=ids, worker="t")
    assert Photo.objects.filter(status="queued", claim=None, crashes=0).count() == 14


def test_a_photo_that_the_storage_cannot_give_holds_up_no_others(index, monkeypatch) -> None:
    photos = [stored(picture(40, 40 + n)) for n in range(3)]
    name, real = photos[1].file.name, default_storage.open

    def fails(wanted, *rest):
        if wanted == name:
            raise PermissionError("not now")
        return real(wanted, *rest)

    monkeypatch.setattr(default_storage, "open", fails)
    with pytest.raises(PermissionError):
        ingest.process_photos(photo_ids=[photo.pk for photo in photos], worker="t")
    rows = Photo.objects.order_by("pk").values_list("status", "crashes", "claim")
    assert [status for status, _, _ in rows] == ["done", "queued", "done"]
    assert rows[1] == ("queued", 0, None)


@pytest.mark.parametrize(("size", "kinds"), [((320, 240), 1), ((321, 240), 2)])
def test_small_photos_have_one_file_to_look_at(index, size, kinds) -> None:
    photo = stored(picture(*size))
    both = [files.picture(photo.key, kind) for kind in ("preview", "thumb")]
    for name in both:
        default_storage.delete(name)
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    photo.refresh_from_db()
    used = {photo.picture(kind) for kind in ("preview", "thumb")}
    assert len(used) == kinds
    assert used == {name for name in both if default_storage.exists(name)}


def shown(photo: Photo) -> bytes:
    with default_storage.open(files.picture(photo.key, "preview")) as file:
        return file.read()


def test_a_small_light_jpeg_is_its_own_preview_without_what_else_it_says(index) -> None:
    content = jpeg_of(noise(300, 400), quality=50, comment=b"a private note")
    photo = stored(content)
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    assert b"a private note" in content
    assert shown(photo) == jpeg_of(noise(300, 400), quality=50)


@pytest.mark.parametrize(
    "content",
    [
        jpeg_of(noise(300, 400), quality=98),
        jpeg_of(np.zeros((900, 1300), np.uint8), quality=50),
        jpeg_of(noise(300, 400), quality=50, exif=b"Exif\0\0" + ORIENTATION_6),
    ],
    ids=["heavy", "large", "turned"],
)
def test_other_photos_get_a_preview_of_their_own(index, content) -> None:
    photo = stored(content)
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    preview = Image.open(io.BytesIO(shown(photo)))
    photo.refresh_from_db()
    assert shown(photo) != bare(content)
    assert max(preview.size) <= files.PREVIEW_SIDE
    assert (preview.width > preview.height) == (photo.width > photo.height)


def test_a_turned_photo_is_not_its_own_preview_any_more(index) -> None:
    photo = stored(jpeg_of(noise(300, 400), quality=50), turns=1)
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    assert Image.open(io.BytesIO(shown(photo))).size == (300, 400)


def test_doing_it_again_changes_nothing(index) -> None:
    photo = stored(face_photo("obama.jpg").read_bytes())
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    before = list(Face.objects.values())
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    assert list(Face.objects.values()) == before


def test_a_retry_after_a_crash_leaves_one_set_of_faces(index) -> None:
    photo = stored(face_photo("obama.jpg").read_bytes())
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    Photo.objects.update(status="queued", crashes=1)  # as after a kill before the last commit
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    indexing.drain()
    assert Face.objects.count() == FaceEmbedding.objects.count() == indexing.points() == 1


def test_a_bad_file_fails_alone_with_its_reason(index) -> None:
    good, bad = stored(picture()), stored(b"\xff\xd8\xff\xe0 not really a JPEG")
    gone = make_photo(status="queued")
    ingest.process_photos(photo_ids=[good.pk, bad.pk, gone.pk], worker="t")
    outcome = dict(Photo.objects.values_list("pk", "error_code"))
    assert outcome[good.pk] == ""
    assert outcome[bad.pk] in ("damaged", "not_an_image", "truncated")
    assert outcome[gone.pk] == "file_missing"


class _FailsOnWide:
    """The real pipeline, but pictures that are wider than high make it fail."""

    def __init__(self, real) -> None:
        self.spec, self._real = real.spec, real

    def analyse(self, images):
        if any(image.width > image.height for image in images):
            raise RuntimeError("no memory")
        return self._real.analyse(images)


def test_what_nobody_foresaw_fails_the_one_photo(index, monkeypatch) -> None:
    fake = _FailsOnWide(runtime.pipeline())
    monkeypatch.setattr(runtime, "pipeline", lambda: fake)
    good, bad = stored(picture(40, 60)), stored(picture(60, 40))
    ingest.process_photos(photo_ids=[good.pk, bad.pk], worker="t")
    good.refresh_from_db()
    bad.refresh_from_db()
    assert good.status == "done"
    assert (bad.status, bad.error_code) == ("failed", "unexpected")
    assert "no memory" in bad.error_detail


class _DeletesMeanwhile(_FailsOnWide):
    def analyse(self, images):
        found = self._real.analyse(images)
        deletion.delete_photos(photos=Photo.objects.all())
        return found


def test_a_photo_deleted_while_it_is_looked_at_stays_deleted(index, monkeypatch) -> None:
    fake = _DeletesMeanwhile(runtime.pipeline())
    monkeypatch.setattr(runtime, "pipeline", lambda: fake)
    photo = stored(face_photo("obama.jpg").read_bytes())
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    indexing.remove_files()
    assert not Face.objects.exists() and not FileRemoval.objects.exists()
    assert indexing.points() == 0
    for name in files.of_photo(photo.key, photo.file.name, [files.crop(photo.key, 1)]):
        assert not default_storage.exists(name)
