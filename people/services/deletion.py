"""Deleting, so that what is gone is gone everywhere: rows, files, crops and index.

The rows go in one transaction that also writes down which points and files must follow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from faceweb.recognition.embedders import collection_name
from people import files
from people.models import Face, FaceEmbedding, FileRemoval, IndexRemoval, Person, Photo
from people.services.naming import after_losing_faces

_BATCH = 500


@dataclass(frozen=True)
class Receipt:
    """What was deleted."""

    photos: int = 0
    faces: int = 0
    people: int = 0


def delete_photos(*, photos: QuerySet[Photo]) -> Receipt:
    """Delete photos with everything that came from them."""
    photo_count = face_count = 0
    ids = list(photos.order_by().values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        with transaction.atomic():
            part = list(Photo.objects.filter(pk__in=ids[start : start + _BATCH]))
            faces = Face.objects.filter(photo__in=part)
            crops: dict[int, list[str]] = {}
            for photo_id, crop in faces.values_list("photo_id", "crop"):
                crops.setdefault(photo_id, []).append(crop)
            face_count += _delete_faces(faces, with_files=False)
            _remove_files(
                name
                for photo in part
                for name in files.of_photo(
                    photo.key, photo.file.name or "", crops.get(photo.pk, [])
                )
            )
            Photo.objects.filter(pk__in=[photo.pk for photo in part]).delete()
            photo_count += len(part)
    return Receipt(photos=photo_count, faces=face_count)


def delete_person(*, person: Person, with_photos: bool) -> Receipt:
    """Delete a person with all faces; with their photos, those that show nobody else.

    The other photos stay: they belong to the other people in them too.
    """
    photos = photos_only_of(person=person) if with_photos else Photo.objects.none()
    with transaction.atomic():
        receipt = delete_photos(photos=photos)
        rest = _delete_faces(Face.objects.filter(person=person), with_files=True)
        # Photos that stay must not hand the name out again.
        if person.import_key:
            Photo.objects.filter(hint_key=person.import_key).update(
                name_hint="", hint_key="", naming=Photo.Naming.NONE
            )
        person.delete()
    return Receipt(photos=receipt.photos, faces=receipt.faces + rest, people=1)


def photos_only_of(*, person: Person) -> QuerySet[Photo]:
    """Photos in which this person is the only one with a face."""
    own = Face.objects.filter(photo=OuterRef("pk"), person=person)
    others = Face.objects.active().filter(photo=OuterRef("pk")).exclude(person=person)
    return Photo.objects.filter(Exists(own), ~Exists(others))


def forget_faces(*, photos: list[Photo]) -> None:
    """Delete the faces of photos that are about to be looked at again. Within a transaction."""
    _delete_faces(Face.objects.filter(photo__in=photos), with_files=False)


def _delete_faces(faces: QuerySet[Face], *, with_files: bool) -> int:
    people = set(faces.exclude(person=None).values_list("person_id", flat=True))
    rows = FaceEmbedding.objects.filter(face__in=faces)
    IndexRemoval.objects.bulk_create(
        [
            IndexRemoval(collection=collection_name(embedder, version), point=pk)
            for pk, embedder, version in rows.values_list("pk", "embedder", "version")
        ],
        batch_size=_BATCH,
    )
    if with_files:
        _remove_files(faces.values_list("crop", flat=True))
    _, counts = faces.delete()
    after_losing_faces(people)
    return counts.get("people.Face", 0)


def _remove_files(names: Iterable[str]) -> None:
    FileRemoval.objects.bulk_create(
        [FileRemoval(name=name) for name in names if name], batch_size=_BATCH
    )
