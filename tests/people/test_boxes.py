"""Boxes that people draw, correct and take away, with the real pipeline behind them."""

import numpy as np
import pytest
from django.core.files.storage import default_storage

from faceweb import queues, runtime, sweeping
from people.models import Face, FaceEmbedding, Photo, Suggestion
from people.problems import Refused
from people.services import assigning, boxes, deletion, history, indexing
from tests.factories import make_face, make_person, make_photo
from tests.people.looking import look, look_at_boxes, looked_at

pytestmark = pytest.mark.django_db


def draw(photo: Photo, box) -> Face:
    edit = boxes.draw(photo=photo, box=box)
    return Face.objects.get(pk=edit.subjects.get(kind="face").subject_id)


def vector(face: Face) -> np.ndarray:
    return np.frombuffer(face.embeddings.get().vector, np.float32)


def test_a_drawn_face_waits_and_then_is_like_any_other(index) -> None:
    photo = looked_at()
    found = photo.faces.get()
    box, wanted = found.box, vector(found)
    deletion.delete_faces(faces=Face.objects.filter(pk=found.pk))
    indexing.drain()
    face = draw(photo, box)
    assert face.is_waiting and face.origin == "drawn" and face.number == 1
    assert not face.embeddings.exists()
    assert look_at_boxes(photo) == 1
    face.refresh_from_db()
    assert not face.is_waiting and default_storage.exists(face.crop.name)
    assert len(face.landmarks) == 5 and face.box == box and face.quality > 0.5
    assert vector(face) @ wanted > 0.95
    hit = index.search(runtime.pipeline().spec.collection, wanted[None], limit=1)[0][0]
    assert hit.id == face.embeddings.get().pk
    assert look_at_boxes(photo) == 0  # nothing is left to do
    entry = history.of(face=face).get()
    assert entry.kind == "box_add" and history.of(photo=photo).first() == entry


def test_a_drawn_face_can_be_named_before_it_was_looked_at(index) -> None:
    photo = looked_at()
    face = draw(photo, (10, 900, 200, 1100))
    assigning.assign(face_ids=[face.pk], name="Ana Silva")
    look_at_boxes(photo)
    face.refresh_from_db()
    assert face.person.name == "Ana Silva" and not face.is_waiting


def test_boxes_are_kept_within_the_photo() -> None:
    photo = make_photo()
    assert draw(photo, (390.5, 310, -20, 200)).box == (0, 200, 390.5, 300)


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ((0, 0, 5, 200), "box_too_small"),
        ((500, 10, 600, 90), "box_too_small"),
        ((0, 0, float("nan"), 50), "no_box"),
        ((0, 0, 50), "no_box"),
        ((102, 78, 182, 183), "face_there"),
    ],
)
def test_what_is_no_box_is_refused(box, code: str) -> None:
    photo = make_photo()
    make_face(photo, box=(100, 80, 180, 180))
    with pytest.raises(Refused) as refusal:
        boxes.draw(photo=photo, box=box)
    assert refusal.value.code == code and len(refusal.value.sentence) > 20


@pytest.mark.parametrize("status", ["queued", "processing", "failed"])
def test_a_photo_in_hand_takes_no_boxes(status: str) -> None:
    face = make_face(make_photo(status=status))
    for service, values in (
        (boxes.draw, {"photo": face.photo, "box": (1, 1, 60, 60)}),
        (boxes.move, {"face": face, "box": (1, 1, 60, 60), "expected": face.box}),
    ):
        with pytest.raises(Refused, match="photo_busy"):
            service(**values)


def test_a_corrected_box_keeps_the_name_and_is_looked_at_again(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    person = assigning.assign(face_ids=[face.pk], name="Barack").subjects.get(kind="person")
    old_crop, old_row, before = face.crop.name, face.embeddings.get(), vector(face)
    other = make_person("Rui")
    Suggestion.objects.create(face=face, person=other, example=face, similarity=0.5, score=0.5)
    box = (face.x1 - 30, face.y1, face.x2 + 30, face.y2 + 20)
    boxes.move(face=face, box=box, expected=face.box)
    face.refresh_from_db()
    assert face.is_waiting and face.person_id == person.subject_id
    assert face.origin == "drawn" and face.detection_score > 0.9
    assert not FaceEmbedding.objects.exists() and not Suggestion.objects.exists()
    indexing.drain()
    indexing.remove_files()
    assert indexing.points() == 0 and not default_storage.exists(old_crop)
    look_at_boxes(photo)
    face.refresh_from_db()
    assert face.box == pytest.approx(box) and face.crop.name != old_crop
    assert face.embeddings.get().pk != old_row.pk
    assert vector(face) @ before > 0.95


def test_a_move_on_a_stale_page_is_refused_and_so_is_no_move() -> None:
    face = make_face()
    with pytest.raises(Refused, match="changed_meanwhile"):
        boxes.move(face=face, box=(1, 1, 80, 80), expected=(90, 80, 180, 180))
    with pytest.raises(Refused, match="nothing_to_do"):
        boxes.move(face=face, box=(100.4, 80, 180, 180), expected=face.box)
    assigning.mark_not_a_face(face_ids=[face.pk])
    with pytest.raises(Refused, match="not_a_face"):
        boxes.move(face=face, box=(1, 1, 80, 80), expected=face.box)


def test_removing_hides_what_was_found_and_deletes_what_was_drawn(index) -> None:
    photo = looked_at()
    found = photo.faces.get()
    face = draw(photo, (10, 900, 200, 1100))
    look_at_boxes(photo)
    face.refresh_from_db()
    boxes.remove(face=found)
    boxes.remove(face=face)
    found.refresh_from_db()
    assert found.state == "not_a_face"
    assert list(photo.faces.all()) == [found]
    indexing.drain()
    indexing.remove_files()
    assert indexing.points() == 1 and not default_storage.exists(face.crop.name)
    with pytest.raises(Refused, match="faces_gone"):
        boxes.remove(face=face)


def test_a_corrected_face_is_hidden_not_deleted(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    boxes.move(face=face, box=(face.x1 - 30, face.y1, face.x2, face.y2), expected=face.box)
    look_at_boxes(photo)
    boxes.remove(face=face)
    look(photo)
    assert [one.state for one in photo.faces.all()] == ["not_a_face"]


# --- undo ----------------------------------------------------------------------------------------


def test_a_move_is_undone_and_the_old_box_looked_at(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    before, crop = face.box, face.crop.name
    edit = boxes.move(face=face, box=(10, 900, 200, 1100), expected=before)
    look_at_boxes(photo)
    history.undo(edit=edit)
    face.refresh_from_db()
    assert face.box == before and face.is_waiting and face.origin == "detected"
    look_at_boxes(photo)
    indexing.drain()
    indexing.remove_files()
    face.refresh_from_db()
    assert face.crop.name == crop and default_storage.exists(crop)
    assert indexing.points() == 1


def test_drawing_and_removing_are_undone_and_done_again(index) -> None:
    photo = looked_at()
    drawing = boxes.draw(photo=photo, box=(10, 900, 200, 1100))
    look_at_boxes(photo)
    face = photo.faces.get(origin="drawn")
    undoing = history.undo(edit=drawing)
    assert photo.faces.count() == 1
    history.undo(edit=undoing)
    face.refresh_from_db()
    assert face.is_waiting and (face.number, face.photo_id) == (2, photo.pk)
    look_at_boxes(photo)
    removing = boxes.remove(face=face)
    history.undo(edit=removing)
    look_at_boxes(photo)
    face.refresh_from_db()
    assert face.embeddings.exists() and default_storage.exists(face.crop.name)
    indexing.drain()
    assert indexing.points() == 2


def test_a_face_that_comes_back_takes_another_number_if_its_own_is_taken() -> None:
    photo = make_photo()
    face = draw(photo, (10, 100, 200, 200))
    edit = boxes.remove(face=face)
    other = draw(photo, (210, 100, 300, 200))
    history.undo(edit=edit)
    assert dict(photo.faces.values_list("pk", "number")) == {other.pk: 1, face.pk: 2}


def test_a_removed_face_does_not_come_back_to_a_photo_that_is_gone() -> None:
    photo = make_photo()
    face = draw(photo, (10, 100, 200, 200))
    edit = boxes.remove(face=face)
    photo.delete()
    assert "not there any more" in history.undo_problem(edit=edit)


# --- when things go wrong ------------------------------------------------------------------------


def test_a_box_moved_while_it_is_looked_at_is_looked_at_again(index, monkeypatch) -> None:
    photo = looked_at()
    face = draw(photo, (10, 900, 200, 1100))
    real = runtime.pipeline()

    class Slow:
        spec = real.spec

        def embed_boxes(self, image, wanted):
            if not moved:
                moved.append(1)
                boxes.move(face=face, box=(300, 900, 500, 1100), expected=face.box)
            return real.embed_boxes(image, wanted)

    moved: list[int] = []
    monkeypatch.setattr(runtime, "pipeline", Slow)
    assert look_at_boxes(photo) == 0
    face.refresh_from_db()
    assert face.is_waiting and face.box == (300, 900, 500, 1100)
    assert look_at_boxes(photo) == 1
    indexing.remove_files()
    face.refresh_from_db()
    crops = default_storage.listdir(face.crop.name.rpartition("/")[0])[1]
    assert sum(name.startswith("face-") for name in crops) == 2


def test_a_file_that_is_gone_is_said_on_the_photo(index) -> None:
    photo = looked_at()
    draw(photo, (10, 900, 200, 1100))
    default_storage.delete(photo.file.name)
    look_at_boxes(photo)
    photo.refresh_from_db()
    assert (photo.status, photo.error_code) == ("failed", "file_missing")


def test_what_nobody_foresaw_is_said_on_the_photo(index, monkeypatch) -> None:
    photo = looked_at()
    draw(photo, (10, 900, 200, 1100))

    class Broken:
        def embed_boxes(self, image, wanted):
            raise RuntimeError("no memory")

    monkeypatch.setattr(runtime, "pipeline", Broken)
    look_at_boxes(photo)
    photo.refresh_from_db()
    assert (photo.status, photo.error_code) == ("failed", "unexpected")


def test_the_sweeper_sends_boxes_whose_message_was_lost(monkeypatch, index) -> None:
    photo = make_photo()
    draw(photo, (10, 100, 200, 200))
    sent: list[tuple] = []
    monkeypatch.setattr(queues, "send", lambda task, *args: sent.append((task.name, *args)))
    monkeypatch.setattr(queues, "waiting", lambda queue: 0)
    sweeping.sweep()
    assert ("people.look_at_boxes", [photo.pk]) in sent
