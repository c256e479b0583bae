"""Turning photos: boxes at once, pictures and faces in the worker, names kept."""

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from people import files
from people.problems import Refused
from people.services import assigning, boxes, history, indexing, ingest, turning
from tests.factories import make_face, make_photo
from tests.people.looking import look_at_boxes, looked_at

pytestmark = pytest.mark.django_db


def shape(photo, kind: str) -> tuple[int, int]:
    with default_storage.open(files.picture(photo.key, kind)) as file:
        return Image.open(file).size


def test_boxes_and_landmarks_turn_at_once() -> None:
    photo = make_photo(width=400, height=300)
    face = make_face(photo, box=(10, 20, 60, 100), landmarks=[[20, 50]] * 5)
    edit = turning.turn(photo=photo, by=1, shown=0)
    photo.refresh_from_db()
    face.refresh_from_db()
    assert (photo.width, photo.height, photo.turns, photo.status) == (300, 400, 1, "queued")
    assert face.box == (20, 340, 100, 390)
    assert face.landmarks == [[50, 380]] * 5
    assert history.of(photo=photo).get() == edit and "to the left" in edit.summary


@pytest.mark.parametrize("by", [1, 2, 3])
def test_a_turned_photo_is_looked_at_again_and_keeps_its_names(index, by: int) -> None:
    photo = looked_at("group.jpg")
    faces = list(photo.faces.all())
    boxes.draw(photo=photo, box=(20, 700, 150, 860))
    look_at_boxes(photo)
    for number, face in enumerate(faces):
        assigning.assign(face_ids=[face.pk], name=f"Person {number}")
    width, height = photo.width, photo.height
    vectors = {row.face_id: np.frombuffer(row.vector, np.float32) for f in faces
               for row in f.embeddings.all()}  # fmt: skip
    turning.turn(photo=photo, by=by, shown=0)
    expected = {face.pk: face.box for face in photo.faces.all()}
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    photo.refresh_from_db()
    assert (photo.width, photo.height) == ((height, width) if by % 2 else (width, height))
    assert photo.status == "done"
    preview = shape(photo, "preview")
    assert (preview[0] > preview[1]) == (photo.width > photo.height)
    for number, face in enumerate(faces):
        now = photo.faces.get(pk=face.pk)
        assert now.person.name == f"Person {number}" and now.number == face.number
        assert now.box == pytest.approx(expected[face.pk], abs=0.25 * face.width)
        assert default_storage.exists(now.crop.name) and now.crop.name != face.crop.name
        vector = np.frombuffer(now.embeddings.get().vector, np.float32)
        assert vector @ vectors[face.pk] > 0.85
    indexing.drain()
    indexing.remove_files()
    assert indexing.points() == photo.faces.count()
    assert not default_storage.exists(faces[0].crop.name)


def test_four_turns_are_none(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    for shown in range(4):
        turning.turn(photo=photo, by=1, shown=shown)
        ingest.process_photos(photo_ids=[photo.pk], worker="t")
    indexing.remove_files()
    photo.refresh_from_db()
    now = photo.faces.get()
    assert photo.turns == 0 and now.pk == face.pk
    assert now.crop.name == face.crop.name and default_storage.exists(now.crop.name)


def test_a_turn_is_undone(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    edit = turning.turn(photo=photo, by=3, shown=0)
    history.undo(edit=edit)
    photo.refresh_from_db()
    assert (photo.turns, photo.width, photo.height) == (0, 910, 1137)
    assert photo.faces.get().box == pytest.approx(face.box, abs=0.01)
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    assert photo.faces.get().pk == face.pk


def test_turns_that_cannot_be_are_refused() -> None:
    photo = make_photo()
    for values, code in (
        ({"by": 1, "shown": 2}, "changed_meanwhile"),
        ({"by": 4, "shown": 0}, "nothing_to_do"),
    ):
        with pytest.raises(Refused, match=code):
            turning.turn(photo=photo, **values)
    with pytest.raises(Refused, match="photo_busy"):
        turning.turn(photo=make_photo(status="processing"), by=1, shown=0)
