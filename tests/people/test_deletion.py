"""Deleted is gone: rows, files, crops and index."""

import pytest
from django.core.files.storage import default_storage

from people import files
from people.models import Face, FaceEmbedding, FileRemoval, IndexRemoval, Person, Photo
from people.services import deletion, indexing
from tests.factories import make_face, make_person, make_photo

pytestmark = pytest.mark.django_db


def drain() -> None:
    indexing.drain()
    indexing.remove_files()


def test_a_photo_leaves_nothing_behind(index) -> None:
    photo, other = make_photo(stored=True), make_photo(stored=True)
    faces = [make_face(photo), make_face(photo, person=make_person())]
    kept = make_face(other)
    indexing.drain()
    assert indexing.points() == 3
    names = files.of_photo(photo.key, photo.file.name, [f.crop.name for f in faces])
    assert all(default_storage.exists(name) for name in names)

    receipt = deletion.delete_photos(photos=Photo.objects.filter(pk=photo.pk))
    assert (receipt.photos, receipt.faces) == (1, 2)
    drain()

    assert not any(default_storage.exists(name) for name in names)
    assert default_storage.exists(kept.crop.name)
    assert list(Face.objects.all()) == [kept]
    point = FaceEmbedding.objects.get().pk
    assert list(index.ids("faces-sface-2021dec")) == [point]
    assert not IndexRemoval.objects.exists() and not FileRemoval.objects.exists()


def test_a_person_goes_and_group_photos_stay(index) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    lonely, group = make_photo(stored=True), make_photo(stored=True)
    make_face(lonely, person=ana)
    make_face(group, person=ana)
    remaining = make_face(group, person=rui)
    indexing.drain()

    receipt = deletion.delete_person(person=ana, with_photos=True)
    drain()

    assert (receipt.people, receipt.photos, receipt.faces) == (1, 1, 2)
    assert list(Photo.objects.all()) == [group]
    assert list(Face.objects.all()) == [remaining]
    assert list(Person.objects.all()) == [rui]
    assert indexing.points() == 1


def test_photos_stay_if_that_is_wanted_and_do_not_name_anyone_again(index) -> None:
    ana = make_person("Ana", import_key="ana")
    photo = make_photo(hint="Ana")
    make_face(photo, person=ana)
    deletion.delete_person(person=ana, with_photos=False)
    photo.refresh_from_db()
    assert (photo.name_hint, photo.naming) == ("", Photo.Naming.NONE)
    assert not Face.objects.exists()


def test_a_cover_is_replaced_when_its_photo_goes(index) -> None:
    ana = make_person()
    first, second = make_face(person=ana), make_face(person=ana)
    Person.objects.update(cover=first)
    deletion.delete_photos(photos=Photo.objects.filter(faces=first))
    ana.refresh_from_db()
    assert ana.cover == second


def test_reconciling_mends_an_index_that_drifted(index) -> None:
    faces = [make_face() for _ in range(3)]
    indexing.drain()
    rows = list(FaceEmbedding.objects.order_by("pk"))
    index.remove("faces-sface-2021dec", [rows[0].pk])
    Face.objects.filter(pk=faces[1].pk).delete()  # behind the services' back
    found = indexing.reconcile()
    assert (found.added, found.removed) == (1, 1)
    assert set(index.ids("faces-sface-2021dec")) == {rows[0].pk, rows[2].pk}


def test_rebuilding_needs_only_rows(index) -> None:
    for _ in range(5):
        make_face()
    indexing.drain()
    assert indexing.rebuild() == 5
    assert indexing.points() == 5
