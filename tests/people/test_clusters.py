"""What people do with groups of unknown faces."""

import pytest

from people.models import Cluster, Edit, Face, NotSame, Person
from people.problems import Refused
from people.services import assigning, clusters, grouping, guesses, history
from tests.factories import direction, make_face, make_person, make_photo, near

pytestmark = pytest.mark.django_db

ANA, RUI = direction(1), direction(2)


def group(count: int, around=ANA, first: int = 10) -> tuple[Cluster, list[Face]]:
    """A cluster of similar unnamed faces."""
    faces = [make_face(vector=near(around, 0.9, first + n)) for n in range(count)]
    grouping.refresh()
    return Cluster.objects.get(faces=faces[0]), faces


def ids(faces: list[Face]) -> list[int]:
    return [face.pk for face in faces]


def cluster_of(face: Face) -> int | None:
    return Face.objects.get(pk=face.pk).cluster_id


def again() -> None:
    """Everything that is worked out, anew and from scratch."""
    Face.objects.update(cluster=None)
    Cluster.objects.all().delete()
    guesses.refresh_all()


def test_naming_names_every_face_in_one_step(user) -> None:
    cluster, faces = group(4)
    named = clusters.name(cluster=cluster, face_ids=ids(faces), name="Ana Silva", user=user)
    person = Person.objects.get(name="Ana Silva")
    assert set(person.faces.values_list("assigned_by", flat=True)) == {"cluster"}
    assert person.faces.count() == 4 and named.left_out == 0
    assert named.edit.user == user and Edit.objects.count() == 1
    assert not Cluster.objects.waiting().exists()
    history.undo(edit=named.edit)
    assert Cluster.objects.waiting().get() == cluster


def test_only_faces_that_the_page_showed_get_the_name() -> None:
    cluster, faces = group(2)
    late = make_face(vector=near(ANA, 0.9, 30))
    grouping.refresh()
    assert cluster_of(late) == cluster.pk
    clusters.name(cluster=cluster, face_ids=ids(faces), name="Ana Silva")
    assert Face.objects.get(pk=late.pk).person is None


def test_a_stale_page_changes_nothing() -> None:
    cluster, faces = group(3)
    assigning.assign(face_ids=[faces[0].pk], name="Rui")
    with pytest.raises(Refused, match="changed_meanwhile"):
        clusters.name(cluster=cluster, face_ids=ids(faces), name="Ana Silva")
    assert not Person.objects.filter(name="Ana Silva").exists()


def test_who_cannot_be_that_person_stays_out() -> None:
    ana = make_person("Ana Silva")
    photo = make_photo()
    make_face(photo, person=ana, vector=RUI)
    beside = make_face(photo, vector=near(ANA, 0.9, 40))
    cluster, faces = group(3)
    assert cluster_of(beside) == cluster.pk
    assigning.reject(face_ids=[faces[0].pk], person=ana)
    named = clusters.name(cluster=cluster, face_ids=ids([*faces, beside]), name="Ana Silva")
    assert named.left_out == 2
    assert set(ana.faces.values_list("pk", flat=True)) >= set(ids(faces[1:]))
    thrown = make_face(vector=near(ANA, 0.9, 50))
    assigning.keep_apart(face_id=thrown.pk, other_ids=[faces[1].pk])
    with pytest.raises(Refused, match="none_can_be"):
        clusters.name(cluster=cluster, face_ids=[thrown.pk], person=ana)
    with pytest.raises(Refused, match="none_can_be"):
        clusters.name(cluster=cluster, face_ids=ids([faces[0], beside]), person=ana)


def test_thrown_out_faces_never_come_back(user) -> None:
    cluster, faces = group(5)
    edit = clusters.throw_out(cluster=cluster, face_ids=ids(faces[:2]), user=user)
    assert NotSame.objects.count() == 6 and Edit.objects.get() == edit
    cluster.refresh_from_db()
    assert cluster.size == 3 and cluster.cover_id in ids(faces[2:])
    guesses.refresh_after_edit(edit_id=edit.pk)
    assert cluster_of(faces[0]) not in (None, cluster.pk)
    again()
    assert not {cluster_of(face) for face in faces[:2]} & {cluster_of(face) for face in faces[2:]}
    history.undo(edit=edit)
    again()
    assert len({cluster_of(face) for face in faces}) == 1


def test_somebody_must_stay() -> None:
    cluster, faces = group(2)
    with pytest.raises(Refused, match="nobody_left"):
        clusters.throw_out(cluster=cluster, face_ids=ids(faces))
    stranger = make_face()
    with pytest.raises(Refused, match="changed_meanwhile"):
        clusters.throw_out(cluster=cluster, face_ids=[stranger.pk])


def test_joined_clusters_stay_joined() -> None:
    cluster, faces = group(3)
    other, more = group(2, around=RUI, first=30)
    edit = clusters.join(cluster=cluster, other=other)
    cluster.refresh_from_db()
    assert cluster.size == 5
    make_face(vector=near(ANA, 0.9, 50))
    grouping.refresh()
    assert {cluster_of(face) for face in [*faces, *more]} == {cluster.pk}
    history.undo(edit=edit)
    assert {cluster_of(face) for face in more} == {other.pk}


def test_who_was_told_apart_or_shares_a_photo_is_not_joined() -> None:
    cluster, faces = group(2)
    other, more = group(2, around=RUI, first=30)
    assigning.keep_apart(face_id=faces[0].pk, other_ids=[more[1].pk])
    with pytest.raises(Refused, match="kept_apart"):
        clusters.join(cluster=cluster, other=other)
    NotSame.objects.all().delete()
    Face.objects.filter(pk=more[0].pk).update(photo=faces[0].photo, number=9)
    with pytest.raises(Refused, match="same_photo"):
        clusters.join(cluster=cluster, other=other)
    with pytest.raises(Refused, match="changed_meanwhile"):
        clusters.join(cluster=cluster, other=cluster)


def test_set_aside_and_shown_again(user) -> None:
    cluster, _ = group(2)
    edit = clusters.set_aside(cluster=cluster, user=user)
    assert not Cluster.objects.waiting().exists()
    with pytest.raises(Refused, match="nothing_to_do"):
        clusters.set_aside(cluster=cluster)
    history.undo(edit=edit)
    assert Cluster.objects.waiting().get() == cluster
    clusters.set_aside(cluster=cluster)
    clusters.set_aside(cluster=cluster, aside=False)
    assert Cluster.objects.waiting().exists()


def test_a_cluster_that_resembles_a_known_person_says_so() -> None:
    ana = make_person("Ana Silva")
    make_face(person=ana, vector=ANA)
    cluster, _ = group(3)
    other, _ = group(2, around=RUI, first=30)
    guesses.refresh_all()
    first, second = clusters.shown([cluster, other])
    assert (first.likely, first.alike) == (ana, 3)
    assert second.likely is None


def test_similar_clusters_are_found() -> None:
    cluster, faces = group(2)
    assigning.keep_apart(face_id=faces[0].pk, other_ids=[make_face().pk])
    near_one = [make_face(vector=near(near(ANA, 0.42, 60), 0.95, n)) for n in (61, 62)]
    group(2, around=RUI, first=30)
    similar = clusters.similar_to(cluster=cluster)
    assert [one.pk for one, _ in similar] == [cluster_of(near_one[0])]
    assert 0.3 < similar[0][1] < 0.45
