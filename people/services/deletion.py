"""Deleting, so that what is gone is gone everywhere: rows, files, crops and index.

The rows go in one transaction that also writes down which points and files must follow.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from people import files
from people.models import (
    EditSubject,
    Face,
    FaceEmbedding,
    Person,
    Photo,
)
from people.services import history, leftovers, moving, regions, upkeep

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
            leftovers.note_files(
                names=(
                    name
                    for photo in part
                    for name in files.of_photo(
                        photo.key, photo.file.name or "", crops.get(photo.pk, [])
                    )
                )
            )
            Photo.objects.filter(pk__in=[photo.pk for photo in part]).delete()
            photo_count += len(part)
    return Receipt(photos=photo_count, faces=face_count)


def delete_person(*, person: Person, with_photos: bool) -> Receipt:
    """Delete a person with all faces; with their photos, those that show nobody else.

    The other photos stay: they belong to the other people in them too. Those who were merged
    into the person go as well, and the history forgets all their names.
    """
    photos = photos_only_of(person=person) if with_photos else Photo.objects.none()
    with transaction.atomic():
        receipt = delete_photos(photos=photos)
        family = moving.family(person=person)
        rest = _delete_faces(Face.objects.filter(person__in=family), with_files=True)
        # Photos that stay must not hand the name out again; later ones may be someone else's.
        came = Q() if person.deleted_at is None else Q(created_at__lte=person.deleted_at)
        keys = _import_keys(family)
        Photo.objects.filter(came, hint_key__in=keys).update(
            name_hint="", hint_key="", naming=Photo.Naming.NONE
        )
        names = Person.everyone.filter(pk__in=family).values_list("name_key", flat=True)
        regions.forget(photos=Photo.objects.filter(came), keys=keys | set(names))
        history.forget_people(person_ids=family)
        person.delete()
    return Receipt(photos=receipt.photos, faces=receipt.faces + rest, people=1)


def photos_only_of(*, person: Person) -> QuerySet[Photo]:
    """Photos in which this person is the only one with a face."""
    own = Face.objects.filter(photo=OuterRef("pk"), person=person)
    # Not `active`: the faces of someone who waits for deletion may come back.
    others = Face.objects.filter(photo=OuterRef("pk"), state=Face.State.ACTIVE)
    return Photo.objects.filter(Exists(own), ~Exists(others.exclude(person=person)))


def _import_keys(family: list[int]) -> set[str]:
    """The names under which imports know these people, or knew them before their deletion."""
    keys = set(Person.everyone.filter(pk__in=family).values_list("import_key", flat=True))
    deleted = history.entries().filter(
        kind="delete", subjects__kind=EditSubject.Kind.PERSON, subjects__subject_id__in=family
    )
    for changes in deleted.values_list("changes", flat=True):
        for change in changes:
            if change["model"] == "person" and change["id"] in family:
                keys.add(change["before"].get("import_key"))
    return {key for key in keys if key}


def delete_faces(*, faces: QuerySet[Face]) -> int:
    """Delete single faces of photos that stay; return how many. Within a transaction."""
    return _delete_faces(faces, with_files=True)


def _delete_faces(faces: QuerySet[Face], *, with_files: bool) -> int:
    people = set(faces.exclude(person=None).values_list("person_id", flat=True))
    rows = FaceEmbedding.objects.filter(face__in=faces)
    leftovers.note_points(embeddings=rows)
    if with_files:
        leftovers.note_files(names=faces.values_list("crop", flat=True))
    _, counts = faces.delete()
    upkeep.mend_covers(person_ids=people)
    return counts.get("people.Face", 0)
