"""Names without asking: off by default, marked, careful, and taken back in bulk."""

import pytest

from people.models import Edit, Face, Person, Rates, Rejection
from people.services import assigning, automatic, guesses, history, scoring
from tests.factories import direction, make_face, make_person, make_photo, near

pytestmark = pytest.mark.django_db

ANA = direction(1)
AUTOMATIC = Face.AssignedBy.AUTOMATIC


@pytest.fixture
def ana() -> Person:
    person = make_person("Ana Silva")
    make_face(person=person, vector=ANA)
    return person


def turn_on(rate: float = 1e-3) -> None:
    Rates.objects.create(match_fmr=1e-4, possible_fmr=1e-2, automatic_fmr=rate)


def named() -> dict[int, int]:
    return dict(Face.objects.filter(assigned_by=AUTOMATIC).values_list("pk", "person_id"))


def test_nothing_is_assigned_unless_somebody_turned_it_on(ana) -> None:
    make_face(vector=near(ANA, 0.95, 20))
    guesses.refresh_all()
    assert named() == {} and not Edit.objects.exists()


def test_what_is_certain_enough_gets_the_name_and_says_so(ana) -> None:
    turn_on()
    threshold = scoring.scale().calibration.similarity_at(1e-3)
    sure = make_face(vector=near(ANA, threshold + 0.02, 20))
    make_face(vector=near(ANA, threshold - 0.02, 21))
    make_face(vector=near(ANA, 0.9, 22), quality=0.01)
    guesses.refresh_all()
    assert named() == {sure.pk: ana.pk}
    edit = Edit.objects.get()
    assert edit.user is None and "automatically" in edit.summary
    assert list(automatic.faces()) == [sure]


def test_the_rate_holds_for_the_whole_gallery(ana) -> None:
    turn_on()
    for n in range(20):
        make_face(person=make_person(f"Person {n}"), vector=direction(60 + n))
    among_many = scoring.scale().calibration.similarity_at(1e-3 / 21)
    make_face(vector=near(ANA, among_many - 0.02, 20))
    sure = make_face(vector=near(ANA, among_many + 0.02, 21))
    guesses.refresh_all()
    assert list(named()) == [sure.pk]


def test_of_two_faces_in_a_photo_only_one_is_this_person(ana) -> None:
    turn_on()
    photo = make_photo()
    make_face(photo, vector=near(ANA, 0.7, 20))
    best = make_face(photo, vector=near(ANA, 0.8, 21))
    guesses.refresh_all()
    assert list(named()) == [best.pk]


def test_one_automatic_name_does_not_lead_to_the_next(ana) -> None:
    turn_on()
    first = make_face(vector=near(ANA, 0.6, 20))
    second = make_face(vector=near(ANA, 0.2, 20))
    assert guesses.refresh_all() and guesses.refresh_all()
    assert list(named()) == [first.pk]
    automatic.confirm(face_ids=[first.pk], user=None)
    guesses.refresh_all()
    assert Face.objects.get(pk=first.pk).assigned_by == Face.AssignedBy.SUGGESTION
    assert list(named()) == [second.pk]


def test_taken_back_in_bulk_and_never_again(ana) -> None:
    turn_on()
    faces = [make_face(vector=near(ANA, 0.8, n)) for n in (20, 21, 22)]
    guesses.refresh_all()
    assert len(named()) == 3
    edits = automatic.take_back(face_ids=[face.pk for face in faces[:2]], user=None)
    assert len(edits) == 1 and Rejection.objects.count() == 2
    guesses.refresh_all()
    assert list(named()) == [faces[2].pk]


def test_an_undone_automatic_name_does_not_come_back(ana) -> None:
    turn_on()
    make_face(vector=near(ANA, 0.8, 20))
    guesses.refresh_all()
    history.undo(edit=Edit.objects.get())
    guesses.refresh_all()
    assert named() == {}


def test_only_automatic_names_are_taken_back(ana, user) -> None:
    by_hand = make_face(person=ana, vector=near(ANA, 0.8, 20), assigned_by="hand")
    assert automatic.take_back(face_ids=[by_hand.pk], user=user) == []
    assert automatic.confirm(face_ids=[by_hand.pk], user=user) == []
    assert Face.objects.get(pk=by_hand.pk).person == ana


def test_a_quicker_person_wins(ana, monkeypatch) -> None:
    turn_on()
    face = make_face(vector=near(ANA, 0.8, 20))
    assign = assigning.assign

    def late(**values):
        if values["how"] == AUTOMATIC:
            Face.objects.filter(pk=face.pk).update(person=make_person("Rui"), assigned_by="hand")
        return assign(**values)

    monkeypatch.setattr(automatic.assigning, "assign", late)
    assert guesses.refresh_all()
    assert named() == {} and Face.objects.get(pk=face.pk).person.name == "Rui"
