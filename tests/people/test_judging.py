"""Faces from before qualities: judged later, by their photos' previews."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from people import files, tasks
from people.models import Face, Photo
from people.services import ingest, judging
from tests.faces import photo as face_photo
from tests.factories import make_face, make_photo

pytestmark = pytest.mark.django_db


def looked_at(name: str) -> Photo:
    content = face_photo(name).read_bytes()
    photo = make_photo(stored=True, content=content, status="queued", width=None)
    for kind in ("preview", "thumb"):
        default_storage.delete(files.picture(photo.key, kind))
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    photo.refresh_from_db()
    return photo


@pytest.mark.parametrize("name", ["obama.jpg", "obama3.jpg", "obama_partial_face2.jpg"])
def test_the_preview_says_what_the_photo_said(index, name: str) -> None:
    photo = looked_at(name)
    before = photo.faces.get()
    Face.objects.update(quality=None, quality_reasons=[])
    assert judging.is_due()
    assert judging.judge_faces(after=0) == photo.pk
    after = photo.faces.get()
    assert after.quality == pytest.approx(before.quality, abs=0.06)
    assert after.quality_reasons == before.quality_reasons
    assert not judging.is_due()


def test_it_goes_on_until_no_faces_are_left(index, monkeypatch) -> None:
    monkeypatch.setattr(judging, "_AT_ONCE", 2)
    photos = [make_face().photo for _ in range(5)]
    lasts = []
    after: int | None = 0
    while (after := judging.judge_faces(after=after)) is not None:
        lasts.append(after)
    assert lasts == [photos[1].pk, photos[3].pk, photos[4].pk]


def test_a_photo_without_a_readable_preview_is_passed_over() -> None:
    gone = make_face()
    broken = make_face()
    default_storage.save(files.picture(broken.photo.key, "preview"), ContentFile(b"nonsense"))
    assert judging.judge_faces(after=0) == broken.photo_id
    assert not Face.objects.exclude(quality=None).exists()
    assert Photo.objects.filter(pk__in=[gone.photo_id, broken.photo_id], status="done").count() == 2


def test_faces_that_have_a_quality_or_no_landmarks_are_left_alone() -> None:
    make_face(quality=0.123)
    make_face(landmarks=[])
    make_face(state="not_a_face")
    assert not judging.is_due()
    assert judging.judge_faces(after=0) is None


def test_the_task_queues_the_next_few_until_there_are_none(monkeypatch) -> None:
    face = make_face()
    sent = []
    monkeypatch.setattr(tasks.queues, "send", lambda task, *args: sent.append((task.name, args)))
    tasks.judge_faces.run(0)
    tasks.judge_faces.run(face.photo_id)
    # At the end, what rests on good faces is worked out anew.
    assert sent == [("people.judge_faces", (face.photo_id,)), ("people.refresh_guesses", ())]
