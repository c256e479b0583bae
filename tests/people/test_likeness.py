"""Faces that do not fit their person, and people who may be one."""

import pytest

from people.models import Face, PersonPair
from people.services import assigning, guesses, people_edits
from tests.factories import direction, make_face, make_person, make_photo, near

pytestmark = pytest.mark.django_db

ANA, RUI = direction(1), direction(2)


def pairs() -> set[tuple[int, int]]:
    return set(PersonPair.objects.values_list("person_id", "other_id"))


def after(edit) -> None:
    assert guesses.refresh_after_edit(edit_id=edit.pk)


def test_a_face_of_someone_else_does_not_fit() -> None:
    person = make_person()
    right = [make_face(person=person, vector=near(ANA, 0.9, n)) for n in (20, 21)]
    wrong = make_face(person=person, vector=RUI)
    guesses.refresh_all()
    fits = dict(Face.objects.values_list("pk", "fit"))
    assert fits[wrong.pk] < 0.1 < 0.7 < min(fits[face.pk] for face in right)
    after(assigning.reject(face_ids=[wrong.pk], person=person))
    assert set(Face.objects.filter(person=person).values_list("fit", flat=True)) == {None}


def test_people_as_alike_as_one_are_asked_about_once() -> None:
    one, other, third = (make_person(name) for name in ("Ana", "Ana S.", "Rui"))
    faces = [make_face(person=who, vector=near(ANA, 0.9, n)) for who, n in
             ((one, 20), (one, 21), (other, 22))]  # fmt: skip
    make_face(person=third, vector=RUI)
    guesses.refresh_all()
    found = PersonPair.objects.get()
    assert (found.person, found.other) == (one, other)
    assert found.face in faces[:2] and found.other_face == faces[2]
    assert found.similarity == pytest.approx(0.81, abs=0.01)
    guesses.refresh_all()
    assert PersonPair.objects.get() == found


def test_whom_a_photo_or_a_person_told_apart_is_not_asked_about() -> None:
    one, other, third = (make_person(name) for name in ("Ana", "Eva", "Ida"))
    photo = make_photo()
    make_face(photo, person=one, vector=near(ANA, 0.9, 20))
    make_face(photo, person=other, vector=near(ANA, 0.9, 21))
    face = make_face(person=third, vector=near(ANA, 0.9, 22))
    guesses.refresh_all()
    assert pairs() == {(one.pk, third.pk), (other.pk, third.pk)}
    after(assigning.reject(face_ids=[face.pk], person=other))
    assert pairs() == {(one.pk, third.pk)}
    own = one.faces.get()
    after(assigning.keep_apart(face_id=face.pk, other_ids=[own.pk]))
    assert pairs() == set()


def test_a_dismissed_pair_stays_dismissed() -> None:
    from django.utils import timezone

    one, other = make_person("Ana"), make_person("Eva")
    make_face(person=one, vector=near(ANA, 0.9, 20))
    make_face(person=other, vector=near(ANA, 0.9, 21))
    guesses.refresh_all()
    PersonPair.objects.update(dismissed_at=timezone.now())
    guesses.refresh_all()
    make_face(person=one, vector=near(ANA, 0.9, 22))
    guesses.refresh_all()
    assert PersonPair.objects.get().dismissed_at is not None


def test_pairs_follow_edits() -> None:
    one, other = make_person("Ana"), make_person("Eva")
    make_face(person=one, vector=near(ANA, 0.9, 20))
    face = make_face(vector=near(ANA, 0.9, 21))
    guesses.refresh_all()
    assert pairs() == set()
    after(assigning.assign(face_ids=[face.pk], person=other))
    assert pairs() == {(one.pk, other.pk)}
    after(people_edits.merge(into=one, others=[other]))
    assert pairs() == set()
