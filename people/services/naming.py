"""The names that photos bring along, and the people whom imports know by them."""

from people.models import Face, Person, Photo
from people.names import name_key
from people.services import moving, upkeep


def person_for_import(name: str) -> Person:
    """The person whom imports know as `name`, made if there is none.

    A rename leaves the import key alone, so later photos still find their person. The unique
    key also settles the race of two workers.
    """
    key = name_key(name)
    if known := Person.everyone.filter(import_key=key).first():
        person = moving.now(person=known)
        if person.deleted_at is None:
            return person
        # Deleted, and still in the time in which that can be undone.
        Person.everyone.filter(pk=known.pk).update(import_key=None)
    namesakes = list(Person.objects.named(name).filter(import_key=None)[:2])
    if len(namesakes) == 1:
        Person.objects.filter(pk=namesakes[0].pk, import_key=None).update(import_key=key)
        return namesakes[0]
    return Person.everyone.get_or_create(import_key=key, defaults={"name": name})[0]


def give_imported_name(*, photo: Photo, face: Face, anchor: bool) -> None:
    """Give the name that came with a photo to one of its faces, unless someone said no to that.

    Such names are no entries of the history: a folder would fill it with thousands, and the
    face and its photo's import say all there is to say.
    """
    person = person_for_import(photo.name_hint)
    named = (
        Face.objects.filter(pk=face.pk, person=None)
        .exclude(rejections__person=person)
        .update(person=person, assigned_by=Face.AssignedBy.IMPORT, is_anchor=anchor)
    )
    if named and not Person.objects.filter(pk=person.pk).exists():
        # Merged or deleted in the meantime. From here on both wait for this transaction.
        person = person_for_import(photo.name_hint)
        Face.objects.filter(pk=face.pk).update(person=person)
    said_no = not named and Face.objects.filter(pk=face.pk, person=None).exists()
    photo.naming = Photo.Naming.UNDECIDED if said_no else Photo.Naming.GIVEN
    Photo.objects.filter(pk=photo.pk).update(naming=photo.naming)
    if named and person.cover_id is None:
        upkeep.mend_covers(person_ids=[person.pk])
