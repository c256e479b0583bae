"""Clusters of unknown faces in the database: founded, extended, joined, tidied."""

from datetime import timedelta

import pytest
from django.utils import timezone

from faceweb import exclusive
from people.jobs import Status
from people.models import Cluster, Face, NotSame
from people.services import assigning, grouping
from tests.factories import direction, make_face, make_person, make_photo, near

pytestmark = pytest.mark.django_db

ANA, RUI = direction(1), direction(2)


def ana(towards: int, **values) -> Face:
    return make_face(vector=near(ANA, 0.9, towards), **values)


def rui(towards: int, **values) -> Face:
    return make_face(vector=near(RUI, 0.9, towards), **values)


def clusters() -> set[frozenset[int]]:
    """The faces that are together, by their ids."""
    found: dict[int, set[int]] = {}
    for pk, cluster in Face.objects.exclude(cluster=None).values_list("pk", "cluster_id"):
        found.setdefault(cluster, set()).add(pk)
    return {frozenset(faces) for faces in found.values()}


def together(*faces: Face) -> bool:
    return len(set(cluster_of(*faces))) == 1


def cluster_of(*faces: Face) -> list[int | None]:
    return [Face.objects.get(pk=face.pk).cluster_id for face in faces]


def test_every_unassigned_face_gets_a_cluster_and_similar_ones_share_it() -> None:
    a, b, c, d = ana(10), ana(11), rui(12), ana(13, person=make_person())
    assert grouping.refresh()
    assert clusters() == {frozenset((a.pk, b.pk)), frozenset((c.pk,))}
    assert cluster_of(d) == [None]
    first = Cluster.objects.waiting().get()
    assert first.size == 2 and first.cover_id in (a.pk, b.pk)
    assert first.cohesion == pytest.approx(0.81, abs=0.01)


def test_new_faces_join_and_ids_stay() -> None:
    a, b = ana(10), ana(11)
    grouping.refresh()
    before = cluster_of(a, b)
    c, d = ana(12), rui(13)
    assert grouping.refresh()
    assert cluster_of(a, b, c) == [*before, before[0]]
    assert not together(a, d)
    assert Cluster.objects.get(pk=before[0]).size == 3


def test_more_new_faces_than_known_ones_join_them() -> None:
    """The new ones are more alike: they are together before they meet those that are known."""
    a, b = ana(10), ana(11)
    grouping.refresh()
    before = cluster_of(a, b)
    more = [make_face(vector=near(ANA, 0.97, 20 + n)) for n in range(4)]
    assert grouping.refresh()
    assert set(cluster_of(a, b, *more)) == set(before)
    assert Cluster.objects.get().size == 6


def test_a_new_cluster_never_takes_the_place_of_an_empty_one() -> None:
    ana(10)
    grouping.refresh()
    empty = Cluster.objects.create()
    Cluster.objects.create()
    face = rui(11)
    grouping.refresh()
    assert cluster_of(face)[0] not in (empty.pk, None)
    assert not Face.objects.filter(cluster=empty).exists()


def test_a_new_face_is_not_set_aside_because_an_empty_cluster_was() -> None:
    known = ana(10)
    grouping.refresh()
    before = cluster_of(known)
    aside = Cluster.objects.create(dismissed_at=timezone.now())
    assert aside.pk == before[0] + 1  # the next free number, which a new group gets meanwhile
    new = ana(11)
    grouping.refresh()
    assert cluster_of(known, new) == before * 2
    assert Cluster.objects.waiting().get().size == 2


def test_two_faces_of_one_photo_are_never_in_one_cluster() -> None:
    photo = make_photo()
    a, b, c = ana(10, photo=photo), ana(11, photo=photo), ana(12)
    grouping.refresh()
    assert not together(a, b)
    d = ana(13, photo=photo)
    grouping.refresh()
    assert len(set(cluster_of(a, b, d))) == 3
    assert together(a, c) or together(b, c)


def test_what_was_said_to_be_two_people_stays_two() -> None:
    a, b, c = ana(10), ana(11), ana(12)
    assigning.keep_apart(face_id=a.pk, other_ids=[b.pk, c.pk])
    grouping.refresh()
    assert together(b, c) and not together(a, b)
    Face.objects.update(cluster=None)
    Cluster.objects.all().delete()
    grouping.refresh()
    assert together(b, c) and not together(a, b)
    assert NotSame.objects.count() == 2


def test_poor_faces_found_nothing() -> None:
    poor = [ana(10, quality=0.05), ana(11, quality=0.05)]
    grouping.refresh()
    assert not together(*poor)
    good = ana(12, quality=0.9)
    grouping.refresh()
    assert together(good, *poor)
    assert Cluster.objects.waiting().get().cover_id == good.pk


def test_a_dismissed_cluster_takes_in_more_of_the_same_and_stays_away() -> None:
    a, b = ana(10), ana(11)
    grouping.refresh()
    Cluster.objects.filter(pk=cluster_of(a)[0]).update(dismissed_at=timezone.now())
    c = ana(12)
    grouping.refresh()
    assert together(a, b, c)
    assert not Cluster.objects.waiting().exists()


def test_named_faces_leave_their_cluster_and_come_back_with_an_undo() -> None:
    from people.services import history

    a, b, c = ana(10), ana(11), ana(12)
    grouping.refresh()
    home = cluster_of(a)[0]
    edit = assigning.assign(face_ids=[a.pk, b.pk], name="Ana Silva")
    grouping.refresh()
    assert cluster_of(a, b, c) == [None, None, home]
    assert Cluster.objects.get(pk=home).size == 1
    history.undo(edit=edit)
    grouping.refresh()
    assert together(a, b, c) and Cluster.objects.get(pk=home).size == 3


def test_faces_that_got_a_name_on_the_way_are_taken_out() -> None:
    a, b, c = ana(10), ana(11), ana(12)
    grouping.refresh()
    Face.objects.filter(pk=a.pk).update(person=make_person())
    Face.objects.filter(pk=b.pk).update(state=Face.State.NOT_A_FACE)
    grouping.refresh()
    assert cluster_of(a, b) == [None, None]
    assert Cluster.objects.get(pk=cluster_of(c)[0]).size == 1


def test_clusters_that_have_long_been_empty_go() -> None:
    old, new = Cluster.objects.create(), Cluster.objects.create()
    Cluster.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))
    grouping.refresh()
    assert list(Cluster.objects.all()) == [new]


def test_while_photos_are_looked_at_few_faces_wait(monkeypatch) -> None:
    make_photo(status=Status.QUEUED)
    ana(10)
    grouping.refresh()
    assert clusters() == set() and not grouping.is_due()
    monkeypatch.setattr(grouping, "_WORTH_A_RUN", 1)
    assert grouping.is_due()
    grouping.refresh()
    assert len(clusters()) == 1 and not grouping.is_due()


def test_only_one_at_a_time() -> None:
    face = ana(10)
    with exclusive.only_one("clusters") as mine:
        assert mine
        assert not grouping.refresh()
    assert cluster_of(face) == [None]
    assert grouping.refresh()


def test_without_a_calibration_nothing_is_grouped(monkeypatch) -> None:
    from people.services import scoring

    monkeypatch.setattr(scoring, "active_calibration", lambda spec: None)
    ana(10)
    assert grouping.refresh() and clusters() == set()
