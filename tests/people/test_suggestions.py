"""Whom unassigned faces may be, kept up after edits; and what nobody is ever asked again."""

import numpy as np
import pytest

from faceweb import exclusive, runtime
from people.models import Edit, Face, Person, PersonPair, Rejection, Suggestion
from people.services import (
    assigning,
    guesses,
    history,
    indexing,
    people_edits,
    scoring,
    suggestions,
    vectors,
)
from tests.factories import direction, make_face, make_person, make_photo, near

pytestmark = pytest.mark.django_db

ANA, RUI = direction(1), direction(2)


@pytest.fixture
def ana() -> Person:
    person = make_person("Ana Silva")
    make_face(person=person, vector=near(ANA, 0.9, 20))
    make_face(person=person, vector=ANA)
    return person


@pytest.fixture
def rui() -> Person:
    person = make_person("Rui Costa")
    make_face(person=person, vector=RUI)
    return person


def suggested() -> dict[int, int]:
    return dict(Suggestion.objects.open().values_list("face_id", "person_id"))


def after(edit: Edit) -> None:
    assert guesses.refresh_after_edit(edit_id=edit.pk)


def both(towards_ana: float, towards_rui: float) -> np.ndarray:
    rest = np.sqrt(1 - towards_ana**2 - towards_rui**2)
    return (towards_ana * ANA + towards_rui * RUI + rest * direction(90)).astype(np.float32)


def test_each_unassigned_face_gets_the_person_it_resembles_most(ana, rui) -> None:
    like_ana = make_face(vector=near(ANA, 0.8, 30))
    like_both = make_face(vector=both(0.5, 0.7))
    make_face(vector=direction(50))
    make_face(vector=near(ANA, 0.9, 31), state=Face.State.NOT_A_FACE)
    assert guesses.refresh_all()
    assert suggested() == {like_ana.pk: ana.pk, like_both.pk: rui.pk}
    first = Suggestion.objects.get(face=like_ana)
    assert first.similarity == pytest.approx(0.8, abs=1e-3)
    assert first.example.person == ana
    assert first.confidence == scoring.scale().confidence(first.similarity)
    assert first.confidence > 0.99


def test_only_from_a_threshold_on(ana, rui) -> None:
    threshold = suggestions.threshold(scale=scoring.scale(), gallery_size=3)
    make_face(vector=near(ANA, threshold - 0.02, 30))
    above = make_face(vector=near(ANA, threshold + 0.02, 31))
    guesses.refresh_all()
    assert list(suggested()) == [above.pk]


def test_the_threshold_rises_with_the_gallery() -> None:
    scale = scoring.scale()
    few, many = (suggestions.threshold(scale=scale, gallery_size=n) for n in (1, 10_000))
    assert scale.strangers(many, 10_000) == pytest.approx(0.1, rel=0.05)
    assert few == scale.thresholds(1).possible < many


def test_a_rejected_face_is_never_suggested_for_that_person_again(ana, rui, index) -> None:
    face = make_face(vector=both(0.7, 0.5))
    guesses.refresh_all()
    assert suggested() == {face.pk: ana.pk}
    after(assigning.reject(face_ids=[face.pk], person=ana))
    assert suggested() == {face.pk: rui.pk}
    after(assigning.reject(face_ids=[face.pk], person=rui))
    assert suggested() == {}
    # Everything is worked out anew, the index too, and there are new faces of hers.
    make_face(person=ana, vector=both(0.72, 0.45))
    Suggestion.objects.all().delete()
    indexing.rebuild()
    assert runtime.index().count("faces-sface-2021dec") == 5
    guesses.refresh_all()
    assert suggested() == {}
    # A name given elsewhere and taken away again changes nothing about it.
    after(assigning.assign(face_ids=[face.pk], name="Someone else"))
    after(assigning.unassign(face_ids=[face.pk]))
    assert suggested() == {}


def test_a_rejection_goes_along_with_a_merge(ana) -> None:
    twin = make_person("Ana S.")
    make_face(person=twin, vector=near(ANA, 0.95, 22))
    face = make_face(vector=near(ANA, 0.8, 30))
    after(assigning.reject(face_ids=[face.pk], person=ana))
    assert suggested() == {face.pk: twin.pk}
    after(people_edits.merge(into=twin, others=[ana]))
    assert suggested() == {}


def test_who_was_told_apart_from_one_of_their_faces_is_not_suggested(ana, rui) -> None:
    face, other = make_face(vector=both(0.7, 0.5)), make_face(vector=near(ANA, 0.9, 40))
    after(assigning.keep_apart(face_id=face.pk, other_ids=[other.pk]))
    assert suggested() == {face.pk: ana.pk, other.pk: ana.pk}
    after(assigning.assign(face_ids=[other.pk], person=ana))
    assert suggested() == {face.pk: rui.pk}


def test_nobody_is_suggested_who_is_in_the_photo_already(ana, rui) -> None:
    photo = make_photo()
    make_face(photo, person=ana, vector=near(ANA, 0.9, 23))
    twin = make_face(photo, vector=both(0.7, 0.5))
    guesses.refresh_all()
    assert suggested() == {twin.pk: rui.pk}


def test_confirming_feeds_the_next_suggestions(ana) -> None:
    near_ana = make_face(vector=near(ANA, 0.6, 30))
    further = make_face(vector=near(ANA, 0.2, 30))  # like that face, but not like the others
    guesses.refresh_all()
    assert suggested() == {near_ana.pk: ana.pk}
    edit = assigning.assign(
        face_ids=[near_ana.pk], person=ana, how=Face.AssignedBy.SUGGESTION,
        expected={near_ana.pk: None},
    )  # fmt: skip
    after(edit)
    assert suggested() == {further.pk: ana.pk}
    assert Suggestion.objects.get().example_id == near_ana.pk
    after(history.undo(edit=edit))
    assert suggested() == {near_ana.pk: ana.pk}


def test_who_lost_the_best_example_is_judged_anew(ana, rui) -> None:
    face = make_face(vector=both(0.6, 0.55))
    guesses.refresh_all()
    assert suggested() == {face.pk: ana.pk}
    best = Suggestion.objects.get().example_id
    after(assigning.reject(face_ids=[best], person=ana))
    assert suggested()[face.pk] == rui.pk


@pytest.mark.parametrize("what", ["hide", "delete"])
def test_hidden_and_deleted_people_are_not_suggested(ana, what: str) -> None:
    face = make_face(vector=near(ANA, 0.8, 30))
    guesses.refresh_all()
    if what == "hide":
        edit = people_edits.set_searchable(person=ana, searchable=False)
    else:
        edit = people_edits.delete_later(person=ana)
    assert suggested() == {}  # at once, before anything is worked out
    after(edit)
    assert not Suggestion.objects.exists()
    after(history.undo(edit=edit))
    assert suggested() == {face.pk: ana.pk}


def test_a_skipped_face_stays_skipped_for_that_person_only(ana, rui) -> None:
    from django.utils import timezone

    face = make_face(vector=both(0.7, 0.5))
    guesses.refresh_all()
    Suggestion.objects.update(skipped_at=timezone.now())
    make_face(person=ana, vector=both(0.75, 0.45))
    guesses.refresh_all()
    assert Suggestion.objects.get().skipped_at is not None
    after(assigning.reject(face_ids=[face.pk], person=ana))
    assert Suggestion.objects.get().person == rui
    assert Suggestion.objects.get().skipped_at is None


def test_small_changes_give_what_working_it_out_anew_gives() -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(12, 128))
    people = [make_person(f"Person {n}") for n in range(12)]

    def face(number: int, person: Person | None) -> Face:
        vector = centres[number] + rng.normal(scale=0.9, size=128)
        return make_face(person=person, vector=(vector / np.linalg.norm(vector)).astype(np.float32))

    unknown = [face(n % 12, None) for n in range(40)]
    known = [face(n % 12, people[n % 12]) for n in range(30)]
    guesses.refresh_all()
    for step in range(12):
        if step % 3 == 0:
            edit = assigning.assign(face_ids=[unknown.pop().pk], person=people[step % 12])
        elif step % 3 == 1:
            edit = assigning.reject(face_ids=[known.pop().pk], person=people[len(known) % 12])
        else:
            edit = assigning.unassign(face_ids=[known.pop().pk])
        after(edit)
    by_steps = _whole()
    Suggestion.objects.all().delete()
    guesses.refresh_all()
    assert by_steps == _whole() and len(by_steps) > 20


def _whole() -> set[tuple[int, int, int, float]]:
    rows = Suggestion.objects.values_list("face_id", "person_id", "example_id", "score")
    return {(face, person, example, round(score, 4)) for face, person, example, score in rows}


def test_what_was_decided_while_it_was_worked_out_counts(ana, monkeypatch) -> None:
    said = make_face(vector=near(ANA, 0.8, 30))
    named = make_face(vector=near(ANA, 0.8, 31))
    work = suggestions._guesses

    def slowly(*values):
        found = work(*values)
        Rejection.objects.get_or_create(face=said, person=ana)
        Face.objects.filter(pk=named.pk).update(person=make_person("Rui"))
        return found

    monkeypatch.setattr(suggestions, "_guesses", slowly)
    guesses.refresh_all()
    assert not Suggestion.objects.exists()


def test_poor_faces_define_nobody_who_has_better_ones(rui) -> None:
    make_face(person=rui, vector=ANA, quality=0.01)
    face = make_face(vector=near(ANA, 0.8, 30), quality=0.01)
    guesses.refresh_all()
    assert suggested() == {}
    only_poor = make_person("Eva")
    make_face(person=only_poor, vector=near(ANA, 0.9, 21), quality=0.01)
    guesses.refresh_all()
    assert suggested() == {face.pk: only_poor.pk}


def test_only_one_at_a_time(ana) -> None:
    make_face(vector=near(ANA, 0.8, 30))
    with exclusive.only_one("suggestions"):
        assert not guesses.refresh_all()
    assert suggested() == {}


def test_without_a_calibration_nothing_is_suggested(ana, monkeypatch) -> None:
    make_face(vector=near(ANA, 0.8, 30))
    monkeypatch.setattr(scoring, "active_calibration", lambda spec: None)
    assert guesses.refresh_all() and suggested() == {}


@pytest.mark.parametrize("slug", ["dlib-resnet", "dino-vitb16"])
def test_what_another_embedder_guessed_is_forgotten(ana, rui, settings, slug) -> None:
    make_face(vector=near(ANA, 0.8, 30))
    guesses.refresh_all()
    before = suggested()
    assert before
    PersonPair.objects.create(person=ana, other=rui, similarity=0.8)
    settings.FACEWEB_EMBEDDER = slug
    guesses.refresh_all()
    assert not Suggestion.objects.exists() and not PersonPair.objects.exists()
    assert not Face.objects.exclude(fit=None).exists()
    settings.FACEWEB_EMBEDDER = "sface"
    guesses.refresh_all()
    assert suggested() == before


def test_loading_takes_one_query(ana, django_assert_num_queries) -> None:
    scale = scoring.scale()
    with django_assert_num_queries(1):
        faces = vectors.load(faces=Face.objects.active(), scale=scale)
    assert len(faces) == 2 and faces.people.tolist() == [ana.pk, ana.pk]


def test_an_import_is_looked_at(ana) -> None:
    from tests.factories import make_import

    batch = make_import()
    face = make_face(make_photo(batch=batch), vector=near(ANA, 0.8, 30))
    named = make_face(make_photo(batch=batch), vector=near(RUI, 0.9, 40), person=make_person("Rui"))
    old = make_face(vector=near(RUI, 0.8, 41))
    assert guesses.refresh_after_import(batch_id=batch.pk)
    assert suggested() == {face.pk: ana.pk, old.pk: named.person_id}
    assert Face.objects.get(pk=face.pk).cluster_id is not None
