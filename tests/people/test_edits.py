"""Edits of people and faces, and undoing them."""

import pytest

from people.models import Edit, Face, Person, Rejection
from people.problems import Refused
from people.services import assigning, history, people_edits
from tests.factories import make_face, make_person

pytestmark = pytest.mark.django_db


def owner(face: Face) -> str | None:
    person = Face.objects.select_related("person").get(pk=face.pk).person
    return person and person.name


def test_naming_and_back(user) -> None:
    face = make_face()
    edit = assigning.assign(face_ids=[face.pk], name="Ana", user=user)
    assert owner(face) == "Ana"
    assert history.undo_problem(edit=edit) == ""
    undone = history.undo(edit=edit, user=user)
    assert owner(face) is None and not Person.objects.exists()
    assert history.undo_problem(edit=edit) == "It is undone already."
    history.undo(edit=undone)
    assert owner(face) == "Ana"
    assert Person.objects.get().cover_id == face.pk


def test_merge_and_back() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    a, r, stranger = make_face(person=ana), make_face(person=rui), make_face()
    assigning.reject(face_ids=[stranger.pk], person=rui)
    edit = people_edits.merge(into=ana, others=[rui])
    assert (owner(a), owner(r)) == ("Ana", "Ana")
    assert Rejection.objects.get().person == ana
    assert list(Person.objects.all()) == [ana]
    people_edits.rename(person=ana, name="Anna")
    history.undo(edit=edit)
    assert (owner(a), owner(r)) == ("Anna", "Rui")
    assert Rejection.objects.get().person == rui
    with pytest.raises(Refused):
        history.undo(edit=edit)
    assert Edit.objects.count() == 4
