"""The names that photos bring along, and the people whom imports know by them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from people.models import Face, Person, Rejection
from people.names import name_key
from people.services import moving, upkeep


class Given(NamedTuple):
    """A face and the name it gets. Others of that name are held against faces that are anchors."""

    face: Face
    name: str
    anchor: bool


def person_for_import(name: str) -> Person:
    """The person whom imports know as `name`, made if there is none."""
    return people_for_import([name])[name_key(name)]


def people_for_import(names: Iterable[str]) -> dict[str, Person]:
    """The people whom imports know by these names, by the names' keys, made where there are none.

    A rename leaves the import key alone, so later photos still find their person. The unique
    key also settles the race of two workers.
    """
    wanted = {name_key(name): name for name in names}
    people: dict[str, Person] = {}
    for known in Person.everyone.filter(import_key__in=wanted).select_related("merged_into"):
        person = moving.now(person=known)
        if person.deleted_at is None:
            people[known.import_key or ""] = person
        else:  # still in the time in which that can be undone
            Person.everyone.filter(pk=known.pk).update(import_key=None)
    people |= _adopted(wanted.keys() - people.keys())
    return people | _made({key: name for key, name in wanted.items() if key not in people})


def give_imported_names(
    *, given: Sequence[Given], how: Face.AssignedBy = Face.AssignedBy.IMPORT
) -> set[int]:
    """Give names that photos brought to those of the faces that are nobody's.

    Within a transaction. Returns the ids of faces that keep none, because someone said no to that.
    Faces without a row yet get their names before they are stored; whoever stores them mends the
    covers. Such names are no entries of the history: a folder would fill it with thousands, and the
    face and its photo's import say all there is to say.
    """
    people = _locked_people({name_key(one.name): one.name for one in given})
    ids = [one.face.pk for one in given if one.face.pk]
    rows = Face.objects.select_for_update().filter(pk__in=ids, person=None).order_by("pk")
    free = {None, *rows.values_list("pk", flat=True)}
    rejected = set(Rejection.objects.filter(face__in=ids).values_list("face", "person"))
    stored: list[Face] = []
    said_no: set[int] = set()
    for face, name, anchor in given:
        person = people[name_key(name)]
        if (face.pk, person.pk) in rejected:
            if face.pk in free:
                said_no.add(face.pk)
        elif face.pk in free:
            face.person, face.is_anchor, face.assigned_by = person, anchor, how
            if face.pk:
                stored.append(face)
    Face.objects.bulk_update(stored, ["person", "assigned_by", "is_anchor"], batch_size=200)
    give_covers(faces=stored)
    return said_no


def give_covers(*, faces: Iterable[Face]) -> None:
    """Choose covers for the people of these faces who have none."""
    people = [face.person for face in faces if face.person]
    upkeep.mend_covers(person_ids=[person.pk for person in people if not person.cover_id])


def _locked_people(names: Mapping[str, str]) -> dict[str, Person]:
    """The people of these names, by their keys: nobody merges or deletes them meanwhile."""
    people: dict[str, Person] = {}
    missing = dict(names)
    while missing:
        people |= people_for_import(missing.values())
        ids = {person.pk for person in people.values()}
        rows = Person.everyone.select_for_update().filter(pk__in=ids).order_by("pk")
        there = [row for row in rows if row.merged_into_id is None and row.deleted_at is None]
        live = {person.pk: person for person in there}
        people = {key: live[one.pk] for key, one in people.items() if one.pk in live}
        missing = {key: name for key, name in names.items() if key not in people}
    return people


def _adopted(keys: Iterable[str]) -> dict[str, Person]:
    """People of these names whom no import knows yet; only where there is one of the name."""
    namesakes: dict[str, list[Person]] = {}
    for person in Person.objects.filter(name_key__in=list(keys), import_key=None):
        namesakes.setdefault(person.name_key, []).append(person)
    adopted = {key: people[0] for key, people in namesakes.items() if len(people) == 1}
    for key, person in sorted(adopted.items(), key=lambda item: item[1].pk):
        Person.objects.filter(pk=person.pk, import_key=None).update(import_key=key)
    return adopted


def _made(names: Mapping[str, str]) -> dict[str, Person]:
    """New people, by the keys of their names, or who became them at this moment."""
    if not names:
        return {}
    # In one order for all workers: each waits for a key that another is just making.
    new = [Person(name=name, import_key=key) for key, name in sorted(names.items())]
    for person in new:
        person.fill_keys()
    Person.everyone.bulk_create(new, ignore_conflicts=True)
    rows = Person.everyone.filter(import_key__in=names)
    return {person.import_key or "": person for person in rows}
