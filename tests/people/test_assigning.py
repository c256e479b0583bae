"""Saying who a face is and is not: what changes, what is refused, what is remembered."""

import pytest

from people.models import Cluster, Edit, Face, NotSame, Person, Photo, Rejection, Suggestion
from people.problems import Refused
from people.services import assigning, history
from tests.factories import make_face, make_person, make_photo

pytestmark = pytest.mark.django_db


def again(face: Face) -> Face:
    return Face.objects.select_related("person").get(pk=face.pk)


def refusal(service, **values) -> str:
    with pytest.raises(Refused) as raised:
        service(**values)
    return raised.value.code


def test_many_faces_get_a_name_in_one_entry(user) -> None:
    faces = [make_face() for _ in range(3)]
    edit = assigning.assign(face_ids=[f.pk for f in faces], name=" Ana  Silva ", user=user)
    ana = Person.objects.get()
    assert (ana.name, ana.faces.count(), ana.cover_id) == ("Ana Silva", 3, faces[0].pk)
    assert {again(face).assigned_by for face in faces} == {"hand"}
    assert (edit.kind, edit.user) == ("assign", user)
    assert history.words(edit.summary) == "Named 3 faces Ana Silva"
    assert Edit.objects.count() == 1
    for kind, about in (("person", [ana]), ("face", faces), ("photo", [f.photo for f in faces])):
        subjects = edit.subjects.filter(kind=kind).values_list("subject_id", flat=True)
        assert set(subjects) == {one.pk for one in about}


def test_a_name_that_exists_is_that_person() -> None:
    ana = make_person("Ana")
    face = make_face(person=make_person("Rui"))
    edit = assigning.assign(face_ids=[face.pk], name="ANA")
    assert again(face).person == ana
    assert history.words(edit.summary) == "Moved a face from Rui to Ana"


def test_a_face_goes_to_whom_the_person_was_merged_into() -> None:
    ana = make_person("Ana")
    merged = make_person("Anna", merged_into=ana)
    face = make_face()
    assigning.assign(face_ids=[face.pk], person=merged)
    assert again(face).person == ana


def test_a_stale_page_changes_nothing() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    faces = [make_face(), make_face()]
    expected = {face.pk: None for face in faces}
    assigning.assign(face_ids=[faces[0].pk], person=rui, expected=expected)
    for service, more in (
        (assigning.assign, {"person": ana}),
        (assigning.reject, {"person": ana}),
        (assigning.unassign, {}),
        (assigning.mark_not_a_face, {}),
    ):
        ids = [face.pk for face in faces]
        assert refusal(service, face_ids=ids, expected=expected, **more) == "changed_meanwhile"
    assert (again(faces[0]).person, again(faces[1]).person) == (rui, None)
    assert Edit.objects.count() == 1 and not Rejection.objects.exists()


def test_what_is_refused() -> None:
    ana = make_person("Ana")
    face = make_face(person=ana, assigned_by="hand")
    hidden = make_face(state="not_a_face")
    gone = make_person("Rui", deleted_at="2026-01-01T00:00Z")
    assert refusal(assigning.assign, face_ids=[face.pk], person=ana) == "nothing_to_do"
    assert refusal(assigning.assign, face_ids=[face.pk], name=" ") == "no_name"
    assert refusal(assigning.assign, face_ids=[999], person=ana) == "faces_gone"
    assert refusal(assigning.assign, face_ids=[], person=ana) == "faces_gone"
    assert refusal(assigning.assign, face_ids=[hidden.pk], person=ana) == "not_a_face"
    assert refusal(assigning.assign, face_ids=[face.pk], person=gone) == "person_gone"
    assert refusal(assigning.unassign, face_ids=[make_face().pk]) == "nothing_to_do"
    assert refusal(assigning.restore, face_ids=[face.pk]) == "nothing_to_do"
    assert not Edit.objects.exists()


def test_confirming_what_was_automatic_keeps_the_person() -> None:
    face = make_face(person=make_person(), assigned_by="automatic")
    assigning.assign(face_ids=[face.pk], person=face.person)
    assert again(face).assigned_by == "hand"


def test_a_no_is_remembered_and_takes_the_face_away() -> None:
    ana = make_person("Ana")
    theirs, stranger = make_face(person=ana), make_face()
    Suggestion.objects.create(face=stranger, person=ana, example=theirs, similarity=0.5, score=0.5)
    edit = assigning.reject(face_ids=[theirs.pk, stranger.pk], person=ana)
    assert again(theirs).person is None
    assert set(Rejection.objects.values_list("face", "person")) == {
        (theirs.pk, ana.pk), (stranger.pk, ana.pk),
    }  # fmt: skip
    assert not Suggestion.objects.exists()
    assert history.words(edit.summary) == "Said that 2 faces are not Ana"
    code = refusal(assigning.reject, face_ids=[theirs.pk, stranger.pk], person=ana)
    assert code == "nothing_to_do"


def test_a_yes_by_hand_ends_an_earlier_no_and_undo_brings_it_back() -> None:
    ana, face = make_person("Ana"), make_face()
    assigning.reject(face_ids=[face.pk], person=ana)
    edit = assigning.assign(face_ids=[face.pk], person=ana)
    assert not Rejection.objects.exists()
    history.undo(edit=edit)
    assert again(face).person is None
    assert Rejection.objects.get().person == ana


def test_automatic_assignment_never_overrules_anybody() -> None:
    ana = make_person("Ana")
    free, named, rejected = make_face(), make_face(person=make_person("Rui")), make_face()
    assigning.reject(face_ids=[rejected.pk], person=ana)
    faces = [free.pk, named.pk, rejected.pk]
    assigning.assign(face_ids=faces, person=ana, how=Face.AssignedBy.AUTOMATIC)
    assert list(ana.faces.all()) == [free]
    assert again(free).assigned_by == "automatic"


def test_not_a_face_belongs_to_nobody_and_comes_back() -> None:
    ana = make_person("Ana")
    face = make_face(person=ana)
    Person.objects.update(cover=face)
    edit = assigning.mark_not_a_face(face_ids=[face.pk])
    ana.refresh_from_db()
    assert (again(face).state, again(face).person, ana.cover) == ("not_a_face", None, None)
    assigning.restore(face_ids=[face.pk])
    assert again(face).state == "active"
    problem = history.undo_problem(edit=edit)
    assert "changed again since" in problem and "Restored a face" in problem


def test_faces_leave_their_cluster_and_return_by_undo() -> None:
    cluster = Cluster.objects.create(size=3)
    faces = [make_face(cluster=cluster) for _ in range(3)]
    Cluster.objects.update(cover=faces[0])
    edit = assigning.assign(face_ids=[faces[0].pk], name="Ana", how=Face.AssignedBy.CLUSTER)
    cluster.refresh_from_db()
    assert (cluster.size, cluster.cover) == (2, faces[1])
    history.undo(edit=edit)
    cluster.refresh_from_db()
    assert (cluster.size, again(faces[0]).cluster) == (3, cluster)


def test_undo_copes_with_a_cluster_that_is_gone() -> None:
    face = make_face(cluster=Cluster.objects.create(size=1))
    edit = assigning.assign(face_ids=[face.pk], name="Ana")
    Cluster.objects.all().delete()
    history.undo(edit=edit)
    assert (again(face).person, again(face).cluster) == (None, None)


def test_naming_settles_a_photo_whose_name_waited_and_undo_opens_it_again() -> None:
    photo = make_photo(hint="Ana", naming="undecided")
    face = make_face(photo)
    edit = assigning.assign(face_ids=[face.pk], name="Ana")
    assert Photo.objects.get().naming == Photo.Naming.GIVEN
    history.undo(edit=edit)
    assert Photo.objects.get().naming == Photo.Naming.UNDECIDED


def test_faces_are_kept_apart_once() -> None:
    one, two, three = make_face(), make_face(), make_face()
    edit = assigning.keep_apart(face_id=three.pk, other_ids=[one.pk, two.pk])
    assert set(NotSame.objects.values_list("face", "other")) == {
        (one.pk, three.pk), (two.pk, three.pk),
    }  # fmt: skip
    assert refusal(assigning.keep_apart, face_id=one.pk, other_ids=[three.pk]) == "nothing_to_do"
    history.undo(edit=edit)
    assert not NotSame.objects.exists()


def test_large_edits_ask_no_more_for_each_face(django_assert_max_num_queries) -> None:
    photo = make_photo()
    faces = Face.objects.bulk_create(
        Face(photo=photo, number=n, x1=0, y1=0, x2=9, y2=9, landmarks=[], detection_score=0.9)
        for n in range(1, 1001)
    )
    ids = [face.pk for face in faces]
    with django_assert_max_num_queries(50):
        edit = assigning.assign(face_ids=ids, name="Ana")
    with django_assert_max_num_queries(50):
        history.undo(edit=edit)
    with django_assert_max_num_queries(50):
        assigning.reject(face_ids=ids, person=make_person("Rui"))
    assert Rejection.objects.count() == 1000
