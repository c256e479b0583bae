"""Looking again: what people said of faces stays, whatever the detector says now."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from people import files
from people.models import Face, FaceEmbedding, IndexRemoval, NotSame, Photo, Rejection
from people.services import assigning, boxes, history, indexing, ingest, rescans
from people.services.refinding import same_faces
from tests.faces import photo as face_photo
from tests.factories import make_face, make_import, make_person, make_photo
from tests.people.looking import look, look_at_boxes, looked_at, replace_picture, values

pytestmark = pytest.mark.django_db


def group_without(*gone: Face) -> bytes:
    """The picture of the group, with grey where these faces are."""
    pixels = np.array(Image.open(face_photo("group.jpg")).convert("RGB"))
    for face in gone:
        width, height = face.width * 0.3, face.height * 0.3
        x1, y1 = max(int(face.x1 - width), 0), max(int(face.y1 - height), 0)
        pixels[y1 : int(face.y2 + height), x1 : int(face.x2 + width)] = 120
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


# --- matching ------------------------------------------------------------------------------------


def array(*rows) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_faces_are_paired_one_to_one_the_nearest_first() -> None:
    known = array((0, 0, 10, 10), (4, 0, 14, 10), (100, 100, 110, 110))
    found = array((3, 0, 13, 10), (200, 0, 210, 10), (100, 101, 110, 111))
    assert same_faces(known, found) == {1: 0, 2: 2}
    assert same_faces(array(), found) == same_faces(known, array()) == {}


def test_a_head_and_its_face_are_one_and_a_crowd_is_not() -> None:
    head, face = array((0, 0, 100, 120)), array((25, 30, 75, 100))
    assert same_faces(head, face) == {0: 0}
    crowd = array((0, 0, 400, 400))
    assert same_faces(crowd, face) == {}


# --- one photo -----------------------------------------------------------------------------------


def test_looking_again_at_the_same_picture_changes_no_row(index) -> None:
    photo = looked_at("group.jpg")
    before, embeddings = list(Face.objects.values()), list(FaceEmbedding.objects.values())
    assert rescans.again(photo_ids=[photo.pk]) == [photo.pk]
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    assert list(Face.objects.values()) == before
    assert list(FaceEmbedding.objects.values()) == embeddings
    assert not history.of(photo=photo).exists()
    assert not IndexRemoval.objects.exists()


def test_everything_said_of_a_face_stays_with_its_row(index) -> None:
    photo = looked_at("group.jpg")
    one, two, three, *_ = photo.faces.all()
    ana, rui = make_person("Ana"), make_person("Rui")
    assigning.assign(face_ids=[one.pk], person=ana)
    assigning.reject(face_ids=[two.pk], person=ana)
    assigning.keep_apart(face_id=one.pk, other_ids=[three.pk])
    assigning.assign(face_ids=[three.pk], person=rui, how=Face.AssignedBy.CLUSTER)
    before = {face.pk: values(face) for face in (one, two, three)}
    # The boxes are a little off by now, as after a change of the detector.
    for face in photo.faces.all():
        Face.objects.filter(pk=face.pk).update(x1=face.x1 - 9, y2=face.y2 + 12, detection_score=0.5)
    look(photo)
    for pk, old in before.items():
        new = Face.objects.filter(pk=pk).values().get()
        assert new == old  # the box of the look, everything else as it was
    assert Rejection.objects.count() == NotSame.objects.count() == 1


def test_what_is_not_found_any_more_goes_unless_someone_said_something_of_it(index) -> None:
    photo = looked_at("group.jpg")
    hand, hidden, imported, automatic, nobody, other = photo.faces.all()
    person = make_person("Ana")
    assigning.assign(face_ids=[hand.pk], person=person)
    assigning.mark_not_a_face(face_ids=[hidden.pk])
    Face.objects.filter(pk=imported.pk).update(person=person, assigned_by="import")
    Face.objects.filter(pk=automatic.pk).update(person=person, assigned_by="automatic")
    replace_picture(photo, group_without(hand, hidden, imported, automatic, nobody))
    look(photo)
    left = list(photo.faces.all())
    assert [face.pk for face in left] == [
        hand.pk, hidden.pk, imported.pk, automatic.pk, other.pk
    ]  # fmt: skip
    assert [face.number for face in left] == [1, 2, 3, 4, 6]
    kept = Face.objects.get(pk=hand.pk)
    assert kept.person == person and kept.box == hand.box
    assert kept.detection_score == hand.detection_score
    entry = history.of(photo=photo).first()
    assert entry.kind == "rescan" and entry.user is None and "a face of nobody" in entry.summary
    assert "look at the photo" in history.undo_problem(edit=entry)
    indexing.drain()
    indexing.remove_files()
    assert indexing.points() == 5
    crops = {
        name
        for name in default_storage.listdir(files.folder(photo.key))[1]
        if name.startswith("face-")
    }
    assert crops == {face.crop.name.rpartition("/")[2] for face in left}


def test_new_faces_get_free_numbers(index) -> None:
    photo = looked_at("group.jpg")
    faces = list(photo.faces.all())
    replace_picture(photo, group_without(faces[1], faces[3]))
    look(photo)
    assert [face.number for face in photo.faces.all()] == [1, 3, 5, 6]
    replace_picture(photo, face_photo("group.jpg").read_bytes())
    look(photo)
    assert [face.number for face in photo.faces.all()] == [1, 2, 3, 4, 5, 6]
    assert photo.faces.get(number=2).pk > faces[-1].pk


def test_what_is_no_face_stays_hidden(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    boxes.remove(face=face)
    Face.objects.update(x1=face.x1 + 5)
    look(photo)
    face.refresh_from_db()
    assert face.state == "not_a_face" and photo.faces.count() == 1


def test_a_drawn_box_is_kept_as_it_was_drawn_and_swallows_the_found_one(index) -> None:
    photo = looked_at()
    found = photo.faces.get()
    box = (found.x1 - 40, found.y1 - 20, found.x2 + 50, found.y2 + 10)
    boxes.move(face=found, box=box, expected=found.box)
    look_at_boxes(photo)
    before = values(found)
    look(photo)
    assert photo.faces.count() == 1
    assert values(found) == before


def test_a_box_that_waits_is_looked_at_with_its_photo(index) -> None:
    photo = looked_at()
    boxes.draw(photo=photo, box=(10, 900, 200, 1100))
    look(photo)
    face = photo.faces.get(origin="drawn")
    assert not face.is_waiting and face.embeddings.get().indexed_at is not None


def test_another_version_of_the_embedder_moves_the_points(index) -> None:
    photo = looked_at()
    row = FaceEmbedding.objects.get()
    FaceEmbedding.objects.update(version="old")
    look(photo)
    assert FaceEmbedding.objects.get().version == row.version
    assert list(IndexRemoval.objects.values_list("collection", "point")) == [
        ("faces-sface-old", row.pk)
    ]


# --- names on import -----------------------------------------------------------------------------


def test_a_name_that_someone_took_away_does_not_come_back(index) -> None:
    photo = looked_at(hint="Barack Obama")
    face = photo.faces.get()
    assert photo.naming == "given" and face.person is not None
    assigning.unassign(face_ids=[face.pk])
    look(photo)
    face.refresh_from_db()
    assert face.person is None and photo.naming == "given"


# --- many photos, and races ----------------------------------------------------------------------


def test_only_photos_at_rest_are_looked_at_again() -> None:
    done, failed = make_photo(), make_photo(status="failed", error_code="damaged", crashes=2)
    make_photo(status="queued")
    make_photo(status="processing")
    ids = list(Photo.objects.values_list("pk", flat=True))
    assert rescans.again(photo_ids=ids) == [done.pk, failed.pk]
    failed.refresh_from_db()
    assert (failed.status, failed.error_code, failed.crashes) == ("queued", "", 0)


def meanwhile(monkeypatch, happens) -> None:
    """Let something happen after a look and before it is stored."""
    real = ingest.store_pictures

    def store_pictures(**values) -> None:
        happens()
        real(**values)

    monkeypatch.setattr(ingest, "store_pictures", store_pictures)


def test_a_name_given_while_the_photo_is_looked_at_saves_the_face(index, monkeypatch) -> None:
    photo = looked_at("group.jpg")
    first, second, *_ = photo.faces.all()
    replace_picture(photo, group_without(first, second))
    person = make_person("Ana")
    meanwhile(monkeypatch, lambda: assigning.assign(face_ids=[first.pk], person=person))
    look(photo)
    assert Face.objects.filter(pk=first.pk, person=person).exists()
    assert not Face.objects.filter(pk=second.pk).exists()


def test_a_face_deleted_meanwhile_stays_deleted(index, monkeypatch) -> None:
    photo = looked_at("group.jpg")
    first = photo.faces.first()
    meanwhile(monkeypatch, lambda: Face.objects.filter(pk=first.pk).delete())
    look(photo)
    assert photo.faces.count() == 5


def test_many_photos_are_stored_with_few_queries(index, django_assert_max_num_queries) -> None:
    batch = make_import()
    photos = [looked_at("obama.jpg", batch=batch, original_name=f"{n}.jpg") for n in range(2)]
    Photo.objects.update(status="queued")
    with django_assert_max_num_queries(25):
        ingest.process_photos(photo_ids=[photo.pk for photo in photos], worker="t")


def test_a_found_face_of_an_old_archive_gets_the_new_crop(index) -> None:
    """Crops were once named by number."""
    photo = looked_at()
    old = make_face(photo, box=photo.faces.get().box)
    photo.faces.exclude(pk=old.pk).delete()
    old_crop = old.crop.name
    look(photo)
    old.refresh_from_db()
    indexing.remove_files()
    assert default_storage.exists(old.crop.name) and not default_storage.exists(old_crop)
