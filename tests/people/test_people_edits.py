"""Merging, splitting, renaming, hiding and deleting people."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from people.models import Edit, EditSubject, Face, Person, PersonPair, Photo, Rejection, Suggestion
from people.problems import Refused
from people.services import assigning, deletion, history, naming, people_edits
from tests.factories import make_face, make_person, make_photo

pytestmark = pytest.mark.django_db


def owners(*faces: Face) -> list[str | None]:
    names = dict(Face.objects.values_list("pk", "person__name"))
    return [names[face.pk] for face in faces]


def refusal(service, **values) -> str:
    with pytest.raises(Refused) as raised:
        service(**values)
    return raised.value.code


def again(person: Person) -> Person:
    return Person.everyone.get(pk=person.pk)


# --- merging ------------------------------------------------------------------------------------


def test_a_merge_moves_everything() -> None:
    ana, anna = make_person("Ana"), make_person("Anna", import_key="anna")
    own, theirs, stranger = make_face(person=ana), make_face(person=anna), make_face()
    Person.everyone.filter(pk=anna.pk).update(cover=theirs)
    assigning.reject(face_ids=[stranger.pk], person=anna)
    Suggestion.objects.create(face=make_face(), person=anna, example=theirs, similarity=1, score=1)
    PersonPair.objects.create(person=ana, other=anna, similarity=1)

    edit = people_edits.merge(into=ana, others=[anna], cover_id=theirs.pk)

    assert owners(own, theirs) == ["Ana", "Ana"]
    assert again(anna).merged_into == ana and again(anna).cover is None
    assert again(ana).cover == theirs and again(ana).aliases == "Anna"
    assert list(Person.objects.all()) == [ana]
    assert list(Person.objects.matching("anna")) == [ana]
    assert list(Rejection.objects.values_list("face", "person")) == [(stranger.pk, ana.pk)]
    assert not Suggestion.objects.exists() and not PersonPair.objects.exists()
    assert naming.person_for_import("Anna") == ana
    assert history.words(edit.summary) == "Merged Anna into Ana, with a face"


def test_a_merge_keeps_what_protects_people_most() -> None:
    ana = make_person("Ana", notes="one", retain_until=date(2030, 1, 1))
    anna = make_person(
        "Anna", notes="two", is_searchable=False, birth_year=1950, retain_until=date(2027, 1, 1)
    )
    edit = people_edits.merge(into=ana, others=[anna], name="Ana Maria", keep_names=False)
    merged = again(ana)
    assert (merged.name, merged.name_key, merged.aliases) == ("Ana Maria", "ana maria", "")
    assert (merged.notes, merged.birth_year) == ("one\n\ntwo", 1950)
    assert (merged.is_searchable, merged.retain_until) == (False, date(2027, 1, 1))
    history.undo(edit=edit)
    before = again(ana)
    assert (before.name, before.notes, before.is_searchable) == ("Ana", "one", True)
    assert (before.birth_year, before.retain_until) == (None, date(2030, 1, 1))


def test_a_merge_of_a_face_that_was_rejected_ends_the_rejection_until_undone() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    face = make_face(person=anna)
    assigning.reject(face_ids=[face.pk], person=ana)
    edit = people_edits.merge(into=ana, others=[anna])
    assert owners(face) == ["Ana"] and not Rejection.objects.exists()
    history.undo(edit=edit)
    assert list(Rejection.objects.values_list("face", "person")) == [(face.pk, ana.pk)]


def test_undoing_a_merge_gives_back_what_was_known_of_each() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    cover, both, only = make_face(person=anna), make_face(), make_face()
    Person.everyone.filter(pk=anna.pk).update(cover=cover)
    assigning.reject(face_ids=[both.pk, only.pk], person=anna)
    assigning.reject(face_ids=[both.pk], person=ana)
    PersonPair.objects.create(
        person=ana, other=anna, similarity=1, dismissed_at=timezone.now(), face=cover
    )
    before = set(Rejection.objects.values_list("face", "person"))
    edit = people_edits.merge(into=ana, others=[anna])
    assert Rejection.objects.count() == 2 and not PersonPair.objects.exists()
    undone = history.undo(edit=edit)
    assert set(Rejection.objects.values_list("face", "person")) == before
    assert again(anna).cover == cover and again(ana).aliases == ""
    assert PersonPair.objects.get().dismissed_at is not None
    history.undo(edit=undone)
    assert Rejection.objects.count() == 2 and list(Person.objects.all()) == [ana]


def test_a_merge_of_two_wrong_people_is_undone_after_fifty_other_edits(user) -> None:
    ana, rui, eva = make_person("Ana"), make_person("Rui"), make_person("Eva")
    anas = [make_face(person=ana) for _ in range(10)]
    ruis = [make_face(person=rui) for _ in range(20)]
    merge = people_edits.merge(into=ana, others=[rui], user=user)
    for n in range(12):
        people_edits.rename(person=ana, name=f"Ana {n}")
        assigning.assign(face_ids=[make_face().pk], person=ana)
    for face in ruis[:5]:
        assigning.assign(face_ids=[face.pk], person=eva)
    for face in ruis[5:8]:
        assigning.reject(face_ids=[face.pk], person=ana)
    for n in range(10):
        people_edits.set_searchable(person=ana, searchable=bool(n % 2))
    for face in anas[4:0:-1]:
        people_edits.set_cover(person=ana, face_id=face.pk)
    people_edits.set_details(person=ana, details={"notes": "A note", "birth_year": 1950})
    people_edits.split(person=ana, face_ids=[anas[9].pk], name="Someone else")
    people_edits.merge(into=eva, others=[ana])  # and the wrong person went into a third
    people_edits.rename(person=eva, name="Eva Maria")
    assigning.mark_not_a_face(face_ids=[ruis[8].pk])
    assert Edit.objects.filter(pk__gt=merge.pk).count() >= 50

    undone = history.undo(edit=merge, user=user)

    assert again(rui).merged_into is None
    assert set(rui.faces.all()) == set(ruis[9:]), "the others were changed since"
    assert again(rui).cover_id in {face.pk for face in ruis[9:]}
    assert "9 faces were changed since and stay as they are" in history.words(undone.summary)
    assert owners(*ruis[:5]) == ["Eva Maria"] * 5
    assert owners(*anas[:9]) == ["Eva Maria"] * 9
    history.undo(edit=undone)
    assert again(rui).merged_into == eva and not rui.faces.exists()


def test_doing_a_merge_again_takes_what_came_meanwhile() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    theirs = make_face(person=anna)
    undone = history.undo(edit=people_edits.merge(into=ana, others=[anna]))
    late = make_face()
    assigning.assign(face_ids=[late.pk], person=anna)
    again_done = history.undo(edit=undone)
    assert owners(theirs, late) == ["Ana", "Ana"]
    history.undo(edit=again_done)
    assert owners(theirs, late) == ["Anna", "Anna"]


def test_a_merge_is_undone_even_if_the_person_is_deleted() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    own, theirs = make_face(person=ana), make_face(person=anna)
    edit = people_edits.merge(into=ana, others=[anna])
    deleted = people_edits.delete_later(person=ana)
    undone = history.undo(edit=edit)
    assert list(Person.objects.all()) == [anna] and list(anna.faces.all()) == [theirs]
    assert history.undo_problem(edit=undone) == (
        "The person it is about is deleted. Undo that first."
    )
    history.undo(edit=deleted)
    assert owners(own, theirs) == ["Ana", "Anna"]


def test_merges_that_are_refused() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    face = make_face()
    assert refusal(people_edits.merge, into=ana, others=[ana]) == "same_person"
    assert refusal(people_edits.merge, into=ana, others=[]) == "same_person"
    code = refusal(people_edits.merge, into=ana, others=[anna], cover_id=face.pk)
    assert code == "not_theirs"
    revisions = {ana.pk: ana.revision, anna.pk: anna.revision}
    people_edits.rename(person=anna, name="Hannah")
    code = refusal(people_edits.merge, into=ana, others=[anna], revisions=revisions)
    assert code == "changed_meanwhile"
    people_edits.merge(into=ana, others=[anna])
    assert refusal(people_edits.merge, into=ana, others=[anna]) == "changed_meanwhile"
    people_edits.delete_later(person=ana)
    assert refusal(people_edits.merge, into=ana, others=[make_person()]) == "person_gone"


# --- splitting ----------------------------------------------------------------------------------


def test_a_split_makes_a_new_person_even_of_a_known_name() -> None:
    ana, other = make_person("Ana"), make_person("Rui")
    kept, moved = make_face(person=ana), make_face(person=ana)
    Person.everyone.filter(pk=ana.pk).update(cover=moved)
    edit = people_edits.split(person=ana, face_ids=[moved.pk], name="Rui")
    new = Person.objects.get(cover=moved)
    assert new != other and list(new.faces.all()) == [moved]
    assert again(ana).cover == kept
    history.undo(edit=edit)
    assert owners(moved) == ["Ana"]
    assert not Person.objects.filter(pk=new.pk).exists()


def test_a_split_to_another_person_and_what_is_refused() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face, foreign = make_face(person=ana), make_face(person=rui)
    ids = [face.pk, foreign.pk]
    assert refusal(people_edits.split, person=ana, face_ids=ids, to=rui) == "changed_meanwhile"
    assert refusal(people_edits.split, person=ana, face_ids=ids) == "no_name"
    assert refusal(people_edits.split, person=ana, face_ids=ids, to=ana) == "same_person"
    people_edits.split(person=ana, face_ids=[face.pk], to=rui)
    assert owners(face) == ["Rui"]


# --- one person ---------------------------------------------------------------------------------


def test_a_rename_keeps_the_keys_right_and_is_undone() -> None:
    person = make_person("João", aliases="Janjão")
    edit = people_edits.rename(person=person, name="  Zé  Pereira ", revision=0)
    person = again(person)
    assert (person.name, person.name_key, person.revision) == ("Zé Pereira", "zé pereira", 1)
    assert list(Person.objects.matching("ze per")) == [person]
    assert list(Person.objects.matching("janjao")) == [person]
    history.undo(edit=edit)
    assert list(Person.objects.matching("joao")) == [person]


@pytest.mark.parametrize(
    ("service", "values"),
    [
        (people_edits.rename, {"name": "Rui"}),
        (people_edits.set_searchable, {"searchable": False}),
        (people_edits.set_details, {"details": {"notes": "A note"}}),
        (people_edits.delete_later, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_nobody_overwrites_what_someone_else_just_changed(service, values) -> None:
    person = make_person("Ana")
    people_edits.rename(person=person, name="Anna", revision=0)
    assert refusal(service, person=person, revision=0, **values) == "changed_meanwhile"
    service(person=person, revision=1, **values)


def test_details_hold_dates_and_only_what_changed() -> None:
    person = make_person("Ana", notes="same")
    edit = people_edits.set_details(
        person=person,
        details={"notes": "same", "consent_on": date(2026, 5, 1), "aliases": "Aninhas"},
    )
    assert again(person).consent_on == date(2026, 5, 1)
    assert edit.changes[0]["after"] == {"consent_on": "2026-05-01", "aliases": "Aninhas"}
    assert list(Person.objects.matching("aninhas")) == [person]
    history.undo(edit=edit)
    assert again(person).consent_on is None
    with pytest.raises(ValueError, match="name"):
        people_edits.set_details(person=person, details={"name": "Rui"})


def test_hiding_and_cover_are_undone() -> None:
    ana = make_person("Ana")
    first, second = make_face(person=ana), make_face(person=ana)
    Person.everyone.filter(pk=ana.pk).update(cover=first)
    hidden = people_edits.set_searchable(person=ana, searchable=False)
    cover = people_edits.set_cover(person=ana, face_id=second.pk)
    assert not Face.objects.searchable().exists()
    history.undo(edit=hidden)
    history.undo(edit=cover)
    assert (again(ana).is_searchable, again(ana).cover) == (True, first)
    assert refusal(people_edits.set_cover, person=ana, face_id=make_face().pk) == "not_theirs"


# --- deleting -----------------------------------------------------------------------------------


def test_who_is_deleted_is_nowhere_and_comes_back_whole() -> None:
    ana = make_person("Ana", import_key="ana")
    photo = make_photo()
    face, other = make_face(photo, person=ana), make_face(photo)
    Suggestion.objects.create(face=other, person=ana, example=face, similarity=1, score=1)
    edit = people_edits.delete_later(person=ana)
    assert not Person.objects.exists() and not Suggestion.objects.exists()
    assert list(photo.faces.active()) == list(Face.objects.searchable()) == [other]
    assert list(Face.objects.unassigned()) == [other]
    assert Photo.objects.with_face_count().get().face_count == 1
    assert refusal(people_edits.rename, person=ana, name="Rui") == "person_gone"
    newcomer = naming.person_for_import("Ana")
    assert newcomer != ana
    history.undo(edit=edit)
    assert set(Person.objects.all()) == {ana, newcomer}
    assert again(ana).import_key is None, "someone else came by that name since"
    assert set(photo.faces.active()) == {face, other}


def test_the_import_key_of_the_merged_goes_with_the_deleted() -> None:
    ana, anna = make_person("Ana"), make_person("Anna", import_key="anna")
    people_edits.merge(into=ana, others=[anna])
    edit = people_edits.delete_later(person=ana)
    assert again(anna).import_key is None
    history.undo(edit=edit)
    assert naming.person_for_import("Anna") == ana


def test_when_the_time_is_over_nothing_is_left(settings) -> None:
    settings.FACEWEB_PERSON_GRACE = timedelta(days=7)
    secret = "Ana Silva"
    ana = make_person(secret, import_key="ana silva", notes=f"{secret} is shy")
    wrong = make_person(f"{secret} e Sousa", import_key="ana silva e sousa")
    photo = make_photo(hint=secret, naming="given")
    face = make_face(photo, person=ana)
    make_face(make_photo(hint=f"{secret} e Sousa", naming="given"), person=wrong)
    people_edits.rename(person=ana, name=f"{secret} 2", reason=f"{secret} said so")
    people_edits.set_details(person=ana, details={"notes": f"{secret} is not shy"})
    people_edits.merge(into=ana, others=[wrong])
    history.undo(edit=assigning.assign(face_ids=[make_face().pk], person=ana))
    edit = people_edits.delete_later(person=ana)
    assert people_edits.purge_deleted() == 0
    later = make_photo(hint=secret, naming="waiting")
    Person.everyone.filter(pk=ana.pk).update(deleted_at=timezone.now() - timedelta(days=8))
    Photo.objects.filter(pk=later.pk).update(created_at=timezone.now())
    Photo.objects.exclude(pk=later.pk).update(created_at=timezone.now() - timedelta(days=20))

    assert people_edits.purge_deleted() == 1

    assert not Person.everyone.exists() and not Face.objects.filter(pk=face.pk).exists()
    rows = [*Edit.objects.values_list("summary", "reason", "changes")]
    assert secret.lower() not in repr(rows).lower() and len(rows) == 7
    assert all("a deleted person" in history.words(summary) for summary, _, _ in rows)
    assert sorted(Photo.objects.values_list("name_hint", flat=True)) == ["", "", "", secret]
    problem = history.undo_problem(edit=edit)
    assert problem == "The person it is about is deleted for good."
    with pytest.raises(Refused):
        history.undo(edit=edit)
    assert Edit.objects.first().kind == "purge"
    assert EditSubject.objects.filter(kind="person", subject_id=ana.pk).exists()


def test_a_purge_leaves_the_names_of_others() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face = make_face(person=ana)
    edit = assigning.assign(face_ids=[face.pk], person=rui)
    people_edits.delete_now(person=ana)
    edit.refresh_from_db()
    assert history.words(edit.summary) == "Moved a face from a deleted person to Rui"
    assert history.undo_problem(edit=edit) == "The person it is about is deleted for good."


def test_someone_made_by_an_undone_edit_is_forgotten_in_time(settings) -> None:
    settings.FACEWEB_PERSON_GRACE = timedelta(seconds=0)
    edit = assigning.assign(face_ids=[make_face().pk], name="Misspelt")
    undone = history.undo(edit=edit)
    assert people_edits.purge_deleted() == 1
    assert "Misspelt" not in repr(list(Edit.objects.values()))
    assert history.undo_problem(edit=undone) == "The person it is about is deleted for good."


def test_photos_of_someone_who_may_come_back_are_not_taken_along() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    photo = make_photo(stored=True)
    make_face(photo, person=ana)
    make_face(photo, person=rui)
    people_edits.delete_later(person=rui)
    deletion.delete_person(person=ana, with_photos=True)
    assert Photo.objects.exists()
