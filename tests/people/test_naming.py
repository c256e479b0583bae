"""Whose name is it: by hand, and from what came with the photo."""

import itertools

import numpy as np
import pytest

from faceweb.recognition.calibration import Thresholds
from people.models import Person, Photo
from people.services import assigning, matching, naming, people_edits
from tests.factories import direction, make_face, make_import, make_person, make_photo, near

ANA = direction(1)
STRANGER = direction(50)
THRESHOLDS = Thresholds(match=0.425, possible=0.371)
MIDDLE, LEFT, RIGHT = (150, 90, 250, 210), (20, 90, 120, 210), (280, 90, 380, 210)


def test_one_face_is_the_subject() -> None:
    assert matching.dominant_face(np.array([5.0], np.float32)) == 0
    assert matching.dominant_face(np.array([], np.float32)) is None


def test_the_subject_must_be_clear() -> None:
    assert matching.dominant_face(np.array([1.0, 9.0], np.float32)) == 1
    assert matching.dominant_face(np.array([5.0, 9.0], np.float32)) is None


def test_a_face_agrees_only_if_no_other_comes_near() -> None:
    anchors = np.stack([ANA])
    clear = np.stack([STRANGER, near(ANA, 0.7)])
    both = np.stack([near(ANA, 0.4), near(ANA, 0.7)])
    neither = np.stack([STRANGER, near(ANA, 0.4)])
    assert matching.agreeing_face(clear, anchors, THRESHOLDS) == 1
    assert matching.agreeing_face(both, anchors, THRESHOLDS) is None
    assert matching.agreeing_face(neither, anchors, THRESHOLDS) is None
    assert matching.agreeing_face(clear, anchors[:0], THRESHOLDS) is None


def alone(batch, **values) -> Photo:
    photo = make_photo(hint="Ana Silva", batch=batch)
    make_face(photo, box=MIDDLE, **values)
    return photo


def pair(batch, *vectors) -> Photo:
    photo = make_photo(hint="Ana Silva", batch=batch)
    for box, vector in zip((LEFT, RIGHT), vectors, strict=True):
        make_face(photo, box=box, vector=vector)
    return photo


def decide(*photos: Photo) -> None:
    for photo in photos:
        matching.decide_alone(looked=[(photo, list(photo.faces.order_by("number")))])


def naming_of(photo: Photo) -> str:
    return Photo.objects.get(pk=photo.pk).naming


@pytest.mark.django_db
def test_a_single_face_gets_the_name_and_becomes_an_anchor() -> None:
    photo = alone(make_import(), vector=ANA)
    decide(photo)
    face = photo.faces.get()
    assert (face.person.name, face.assigned_by, face.is_anchor) == ("Ana Silva", "import", True)
    assert face.person.cover == face
    assert naming_of(photo) == Photo.Naming.GIVEN


@pytest.mark.django_db
def test_two_equal_faces_wait_and_nobody_is_named() -> None:
    photo = pair(make_import(), ANA, STRANGER)
    decide(photo)
    assert naming_of(photo) == Photo.Naming.UNDECIDED
    assert not Person.objects.exists()


@pytest.mark.django_db
def test_no_face_no_name() -> None:
    photo = make_photo(hint="Ana Silva")
    decide(photo)
    assert naming_of(photo) == Photo.Naming.NO_FACE


@pytest.mark.django_db
def test_the_face_that_agrees_with_other_photos_gets_the_name() -> None:
    batch = make_import()
    sure, doubtful = alone(batch, vector=ANA), pair(batch, STRANGER, near(ANA, 0.6))
    decide(sure, doubtful)
    settled = matching.settle_import(batch=batch, embedder="sface")
    assert settled == matching.Settled(given=1, undecided=0)
    named = doubtful.faces.get(person__name="Ana Silva")
    assert (named.number, named.is_anchor) == (2, False)


@pytest.mark.django_db
def test_nothing_is_settled_while_photos_wait() -> None:
    batch = make_import()
    decide(pair(batch, ANA, STRANGER))
    make_photo(status="queued", batch=batch)
    assert matching.settle_import(batch=batch, embedder="sface") is None


@pytest.mark.django_db
def test_settling_does_not_depend_on_the_order() -> None:
    outcomes = set()
    for order in itertools.permutations(range(4)):
        Photo.objects.all().delete()
        Person.objects.all().delete()
        batch = make_import()
        photos = [
            alone(batch, vector=ANA),
            pair(batch, near(ANA, 0.6), STRANGER),
            # Agrees with the second photo's face but with no anchor: stays with a person.
            pair(batch, near(near(ANA, 0.6), 0.7, towards=90), direction(70)),
            pair(batch, direction(60), direction(61)),
        ]
        decide(*(photos[n] for n in order))
        matching.settle_import(batch=batch, embedder="sface")
        outcomes.add(
            tuple(
                tuple(p.faces.order_by("number").values_list("person__name", flat=True))
                for p in photos
            )
        )
    assert len(outcomes) == 1


@pytest.mark.django_db
def test_a_rename_keeps_later_imports_with_the_person() -> None:
    person = naming.person_for_import("João Baião")
    people_edits.rename(person=person, name="João M. Baião")
    assert naming.person_for_import("joão  baião") == person


@pytest.mark.django_db
def test_an_import_adopts_the_one_person_of_that_name() -> None:
    person = make_person("Ana Silva")
    assert naming.person_for_import("Ana Silva") == person
    make_person("Rui")
    make_person("Rui")
    assert naming.person_for_import("Rui").pk not in Person.objects.filter(
        import_key=None
    ).values_list("pk", flat=True)


@pytest.mark.django_db
def test_naming_by_hand_moves_the_face_and_mends_the_cover() -> None:
    first, second = make_face(), make_face()
    assigning.assign(face_ids=[first.pk], name="Ana")
    assigning.assign(face_ids=[second.pk], name="ana")
    ana = Person.objects.get()
    assert ana.faces.count() == 2
    assigning.assign(face_ids=[first.pk], name="Rui")
    ana.refresh_from_db()
    assert (ana.cover, Person.objects.get(name="Rui").cover) == (second, first)
    assigning.unassign(face_ids=[second.pk])
    ana.refresh_from_db()
    assert (ana.cover, ana.faces.count()) == (None, 0)


@pytest.mark.django_db
def test_deciding_by_hand_settles_the_photo() -> None:
    photo = pair(make_import(), ANA, STRANGER)
    decide(photo)
    assigning.assign(face_ids=[photo.faces.first().pk], name="Ana Silva")
    assert naming_of(photo) == Photo.Naming.GIVEN


@pytest.mark.django_db
def test_namesakes_are_found_by_name_and_alias() -> None:
    ana = make_person("Ana")
    xuxa = make_person("Maria", aliases="Xuxa\nÂNA")
    make_person("Anabela")
    assert people_edits.namesakes(name="ANA", besides=make_person("ana")) == [ana, xuxa]


@pytest.mark.django_db
def test_an_import_does_not_give_a_name_that_was_rejected() -> None:
    photo = alone(make_import(), vector=ANA)
    face = photo.faces.get()
    assigning.reject(face_ids=[face.pk], person=make_person("Ana Silva"))
    decide(photo)
    face.refresh_from_db()
    assert face.person is None and naming_of(photo) == Photo.Naming.UNDECIDED
