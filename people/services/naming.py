"""Saying who a face is: by hand, and by the name that came with its photo."""

from collections.abc import Iterable

from django.db import transaction

from people.models import Face, Person, Photo
from people.names import name_key


def name_face(*, face: Face, name: str) -> Person:
    """Give a face to the person called `name`, who is made if there is none; by hand."""
    with transaction.atomic():
        person = _person_by_hand(name)
        previous = face.person_id
        Face.objects.filter(pk=face.pk).update(
            person=person, assigned_by=Face.AssignedBy.HAND, is_anchor=False
        )
        _choose_cover(person)
        if previous and previous != person.pk:
            after_losing_faces([previous])
        Photo.objects.filter(pk=face.photo_id, hint_key=name_key(name)).update(
            naming=Photo.Naming.GIVEN
        )
    return person


def unname_face(*, face: Face) -> None:
    """Take a face from its person."""
    with transaction.atomic():
        previous = face.person_id
        Face.objects.filter(pk=face.pk).update(person=None, assigned_by="", is_anchor=False)
        if previous:
            after_losing_faces([previous])


def rename_person(*, person: Person, name: str) -> int:
    """Rename a person; return how many others have that name."""
    person.name = name
    person.save(update_fields=["name", "name_key", "search_key"])
    return Person.objects.named(name).exclude(pk=person.pk).count()


def person_for_import(name: str) -> Person:
    """The person whom imports know as `name`, made if there is none.

    A rename leaves the import key alone, so later photos still find their person. The unique
    key also settles the race of two workers.
    """
    key = name_key(name)
    known = Person.everyone.filter(import_key=key).first()
    while known is not None and known.merged_into is not None:
        known = known.merged_into
    if known is not None:
        return known
    namesakes = list(Person.objects.named(name).filter(import_key=None)[:2])
    if len(namesakes) == 1:
        Person.objects.filter(pk=namesakes[0].pk, import_key=None).update(import_key=key)
        return namesakes[0]
    return Person.everyone.get_or_create(import_key=key, defaults={"name": name})[0]


def give_imported_name(*, photo: Photo, face: Face, anchor: bool) -> None:
    """Give the name that came with a photo to one of its faces."""
    person = person_for_import(photo.name_hint)
    Face.objects.filter(pk=face.pk, person=None).update(
        person=person, assigned_by=Face.AssignedBy.IMPORT, is_anchor=anchor
    )
    Photo.objects.filter(pk=photo.pk).update(naming=Photo.Naming.GIVEN)
    photo.naming = Photo.Naming.GIVEN
    _choose_cover(person)


def _person_by_hand(name: str) -> Person:
    """The one person of that name, or the one that imports know by it, or a new one."""
    exact = list(Person.objects.named(name).order_by("pk")[:1])
    return exact[0] if exact else Person.objects.create(name=name)


def _choose_cover(person: Person) -> None:
    if person.cover_id is None:
        best = person.faces.active().order_by("-detection_score", "pk").first()
        Person.objects.filter(pk=person.pk, cover=None).update(cover=best)


def after_losing_faces(person_ids: Iterable[int]) -> None:
    """Choose another cover for people whose cover is no longer theirs. They are kept, empty."""
    people = Person.objects.filter(pk__in=list(person_ids)).select_related("cover")
    for person in people:
        if person.cover is None or person.cover.person_id != person.pk:
            best = person.faces.active().order_by("-detection_score", "pk").first()
            Person.objects.filter(pk=person.pk).update(cover=best)
