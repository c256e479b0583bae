"""The history: what can be undone in which order, and why not."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from people.models import Edit, Face, Person, Photo
from people.problems import Refused
from people.services import assigning, deletion, history, people_edits
from tests.factories import make_face, make_person

pytestmark = pytest.mark.django_db


def owner(face: Face) -> str | None:
    return Face.objects.values_list("person__name", flat=True).get(pk=face.pk)


def test_every_kind_goes_back_and_forth(user) -> None:
    ana, rui = make_person("Ana", import_key="ana"), make_person("Rui")
    a, b, free = make_face(person=ana), make_face(person=ana), make_face()
    make_face(person=rui)
    hidden = make_face(state="not_a_face")

    def state():
        rows = [
            *Person.everyone.order_by("pk").values_list(
                "pk", "name", "search_key", "is_searchable", "notes", "merged_into",
                "cover", "import_key",
            ),
            *Face.objects.order_by("pk").values_list("pk", "person", "state", "assigned_by"),
            *sorted(connection_rows()),
        ]  # fmt: skip
        return rows, list(Person.everyone.exclude(deleted_at=None).values_list("pk", flat=True))

    edits = [
        lambda: assigning.assign(face_ids=[free.pk], person=rui),
        lambda: assigning.assign(face_ids=[free.pk, a.pk], person=rui),
        lambda: assigning.unassign(face_ids=[a.pk, b.pk]),
        lambda: assigning.reject(face_ids=[a.pk, free.pk], person=ana),
        lambda: assigning.mark_not_a_face(face_ids=[a.pk, free.pk]),
        lambda: assigning.restore(face_ids=[hidden.pk]),
        lambda: assigning.keep_apart(face_id=a.pk, other_ids=[free.pk, b.pk]),
        lambda: people_edits.merge(into=ana, others=[rui], name="Ana Rui"),
        lambda: people_edits.split(person=ana, face_ids=[a.pk], to=rui),
        lambda: people_edits.rename(person=ana, name="Anna"),
        lambda: people_edits.set_searchable(person=ana, searchable=False),
        lambda: people_edits.set_details(person=ana, details={"notes": "N", "aliases": "A"}),
        lambda: people_edits.set_cover(person=ana, face_id=b.pk),
    ]
    people_edits.set_cover(person=ana, face_id=a.pk)
    people_edits.set_cover(person=rui, face_id=rui.faces.get().pk)
    for edit in edits:
        before = state()
        done = edit()
        after = state()
        assert after != before, done
        undone = history.undo(edit=done, user=user)
        assert state() == before, done
        assert (undone.kind, undone.undoes, undone.user) == ("undo", done, user)
        redone = history.undo(edit=undone)
        assert state() == after, done
        assert redone.kind == "redo"
        assert history.words(redone.summary) == f"Done again: {history.words(done.summary)}"
        history.undo(edit=redone)
        assert state() == before, done


def connection_rows():
    from people.models import NotSame, Rejection

    yield from Rejection.objects.values_list("pk", "face", "person")
    yield from NotSame.objects.values_list("pk", "face", "other")


def test_an_edit_is_undone_once() -> None:
    edit = assigning.assign(face_ids=[make_face().pk], person=make_person())
    history.undo(edit=edit)
    assert history.undo_problem(edit=edit) == "It is undone already."
    with pytest.raises(Refused) as refused:
        history.undo(edit=edit)
    assert refused.value.code == "cannot_undo"
    with pytest.raises(IntegrityError), transaction.atomic():
        Edit.objects.create(kind="undo", summary="", undoes=edit)


def test_what_was_changed_again_names_the_later_edit() -> None:
    person = make_person("Ana")
    first = people_edits.rename(person=person, name="Bia")
    assigning.assign(face_ids=[make_face().pk], person=person)
    second = people_edits.rename(person=person, name="Eva")
    people_edits.set_searchable(person=person, searchable=False)
    assert history.undo_problem(edit=first) == (
        "It was changed again since: “Renamed Bia to Eva”. Undo that first."
    )
    history.undo(edit=second)
    assert history.undo_problem(edit=first) == ""
    history.undo(edit=first)
    assert Person.objects.get().name == "Ana"


def test_faces_that_were_changed_since_stay_and_are_counted() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    faces = [make_face() for _ in range(4)]
    edit = assigning.assign(face_ids=[face.pk for face in faces], person=ana)
    assigning.assign(face_ids=[faces[0].pk], person=rui)
    undone = history.undo(edit=edit)
    assert [owner(face) for face in faces] == ["Rui", None, None, None]
    assert history.words(undone.summary).endswith("A face was changed since and stays as it is")


def test_an_edit_of_faces_that_all_changed_is_not_undone() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face = make_face()
    edit = assigning.assign(face_ids=[face.pk], person=ana)
    assigning.assign(face_ids=[face.pk], person=rui)
    assert "Moved a face from Ana to Rui" in history.undo_problem(edit=edit)


def test_a_face_that_went_along_with_a_merge_counts_as_unchanged() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    face = make_face()
    edit = assigning.assign(face_ids=[face.pk], person=anna)
    people_edits.merge(into=ana, others=[anna])
    history.undo(edit=edit)
    assert owner(face) is None


def test_a_face_returns_to_whom_its_person_was_merged_into() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    face = make_face(person=anna)
    edit = assigning.unassign(face_ids=[face.pk])
    people_edits.merge(into=ana, others=[anna])
    history.undo(edit=edit)
    assert owner(face) == "Ana"


def test_nothing_returns_to_someone_who_is_deleted() -> None:
    ana = make_person("Ana")
    face = make_face(person=ana)
    edit = assigning.unassign(face_ids=[face.pk])
    deleted = people_edits.delete_later(person=ana)
    assert history.undo_problem(edit=edit) == (
        "The person it is about is deleted. Undo that first."
    )
    history.undo(edit=deleted)
    history.undo(edit=edit)
    assert owner(face) == "Ana"


def test_what_is_gone_cannot_be_undone() -> None:
    face = make_face()
    edit = assigning.assign(face_ids=[face.pk], person=make_person())
    deletion.delete_photos(photos=Photo.objects.all())
    assert history.undo_problem(edit=edit) == "What it is about is not there any more."


def test_a_new_person_stays_if_someone_gave_them_more_faces() -> None:
    edit = assigning.assign(face_ids=[make_face().pk], name="Ana")
    late = make_face()
    assigning.assign(face_ids=[late.pk], name="Ana")
    history.undo(edit=edit)
    assert Person.objects.get().faces.get() == late


def test_a_new_person_who_is_needed_again_comes_back() -> None:
    edit = assigning.assign(face_ids=[make_face().pk], name="Ana")
    undone = history.undo(edit=edit)
    assert not Person.objects.exists()
    history.undo(edit=undone)
    assert Person.objects.get().faces.count() == 1


def test_the_history_of_a_person_a_face_and_a_photo() -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    face, other = make_face(), make_face(person=ana)
    named = assigning.assign(face_ids=[face.pk], person=anna)
    merged = people_edits.merge(into=ana, others=[anna])
    renamed = people_edits.rename(person=ana, name="Eva")
    assert list(history.of(person=ana)) == [renamed, merged, named]
    assert list(history.of(face=face)) == list(history.of(photo=face.photo)) == [merged, named]
    assert not history.of(face=other).exists()


def test_history_keeps_no_biometric_data() -> None:
    for change in (
        {"model": "face", "id": 1, "before": None, "after": {"landmarks": [[1, 2]]}},
        {"model": "face", "id": 1, "before": {"crop": "a"}, "after": {"crop": "b"}},
        {"model": "embedding", "id": 1, "before": None, "after": {"vector": ""}},
    ):
        with pytest.raises(ValueError, match="history does not keep"):
            history.record(kind="test", summary="", changes=[change])


def test_problems_of_many_entries_take_few_queries(django_assert_max_num_queries) -> None:
    ana = make_person("Ana")
    for n in range(20):
        people_edits.rename(person=ana, name=f"Ana {n}")
        assigning.assign(face_ids=[make_face().pk], name=f"Person {n}")
    entries = list(history.entries())
    with django_assert_max_num_queries(16):
        problems = history.undo_problems(edits=entries)
    assert sum(not problem for problem in problems.values()) == 21


# --- two curators at once -----------------------------------------------------------------------


def together(*works) -> list[object]:
    """Run each work in a thread and connection of its own, all starting at one moment."""
    start = threading.Barrier(len(works))
    outcomes: list[object] = [None] * len(works)

    def run(place: int, work) -> None:
        start.wait()
        try:
            outcomes[place] = work()
        except Refused as refused:
            outcomes[place] = refused.code
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_of_two_who_name_a_face_one_is_told() -> None:
    ana, rui, face = make_person("Ana"), make_person("Rui"), make_face()
    outcomes = together(
        *(
            lambda person=person: assigning.assign(
                face_ids=[face.pk], person=person, expected={face.pk: None}
            )
            for person in (ana, rui)
        )
    )
    assert sorted(isinstance(one, Edit) for one in outcomes) == [False, True]
    assert "changed_meanwhile" in outcomes
    winner = next(one for one in outcomes if isinstance(one, Edit))
    assert owner(face) in history.words(winner.summary)
    assert Edit.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_renames_of_one_page_one_is_told() -> None:
    person = make_person("Ana")
    outcomes = together(
        *(
            lambda name=name: people_edits.rename(person=person, name=name, revision=0)
            for name in ("Bia", "Eva", "Ida")
        )
    )
    assert outcomes.count("changed_meanwhile") == 2
    assert Edit.objects.count() == 1 and Person.objects.get().revision == 1


@pytest.mark.django_db(transaction=True)
def test_a_face_is_never_left_with_someone_merged_away() -> None:
    for _ in range(5):
        ana, anna = make_person("Ana"), make_person("Anna")
        face = make_face()
        outcomes = together(
            lambda face=face, anna=anna: assigning.assign(face_ids=[face.pk], person=anna),
            lambda ana=ana, anna=anna: people_edits.merge(into=ana, others=[anna]),
        )
        assert all(isinstance(one, Edit) for one in outcomes)
        assert Face.objects.get(pk=face.pk).person == ana


@pytest.mark.django_db(transaction=True)
def test_two_undos_at_once_do_it_once() -> None:
    face = make_face()
    edit = assigning.assign(face_ids=[face.pk], person=make_person())
    outcomes = together(*[lambda: history.undo(edit=edit)] * 3)
    assert outcomes.count("cannot_undo") == 2
    assert owner(face) is None and Edit.objects.count() == 2
