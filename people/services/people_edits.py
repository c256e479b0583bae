"""Editing people: merging, splitting, renaming, hiding, noting, deleting with time to think.

Each function is one edit: one transaction and one entry of the history, which it returns. With
`revision`, the page's own, each raises Refused("changed_meanwhile") if someone changed the
person since the page was shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from people.models import Edit, Face, Person
from people.names import name_key, search_key
from people.problems import Refused
from people.services import deletion, history, moving
from people.services.assigning import live_person, locked_faces, make_person, move_faces
from people.services.changes import Values, made, plain, updated, values_of
from people.services.history import faces_in_words, mention
from people.services.undoing import keep_up, write_people

DETAILS = ("aliases", "notes", "birth_year", "lawful_basis", "consent_on", "retain_until")


def add(
    *,
    name: str,
    details: Mapping[str, Any] | None = None,
    searchable: bool = True,
    user: Any = None,
    reason: str = "",
) -> tuple[Person, Edit]:
    """Note a person of whom there is no face yet; `details`: any of DETAILS."""
    name = " ".join(name.split())
    if not name:
        raise Refused("no_name")
    with transaction.atomic():
        person = Person.objects.create(name=name, is_searchable=searchable, **(details or {}))
        edit = history.record(
            kind="add", summary=f"Added {mention(person)}", user=user, reason=reason,
            changes=[made("person", person)], people=[person.pk],
        )  # fmt: skip
    return person, edit


def merge(
    *,
    into: Person,
    others: Iterable[Person],
    name: str | None = None,
    cover_id: int | None = None,
    keep_names: bool = True,
    user: Any = None,
    revisions: Mapping[int, int] | None = None,
    reason: str = "",
) -> Edit:
    """Make one person of several: faces and rejections of the `others` go to `into`.

    `name` and `cover_id` choose the name and the cover; with `keep_names`, the names that were
    not chosen become aliases. Notes are joined, and what protects a person most counts for all:
    hidden if one was hidden, kept until the earliest date. `revisions` are those that the page
    showed, by id of person.
    """
    other_ids = {person.pk for person in others}
    if not other_ids or into.pk in other_ids:
        raise Refused("same_person")
    with transaction.atomic():
        people = _locked([into.pk, *other_ids], revisions)
        target = people.pop(into.pk)
        rest = [people[pk] for pk in sorted(people)]
        changes = [
            updated("person", one.pk, _values(one), {"merged_into": target.pk, "cover": None})
            for one in rest
        ]
        after = _merged_details(target, rest, name, keep_names)
        if cover_id is not None and cover_id != target.cover_id:
            _check_cover(cover_id, [target.pk, *other_ids])
            after["cover"] = cover_id
        if after:
            changes.append(updated("person", target.pk, _values(target), after))
        summary = f"Merged {_list(rest)} into {mention(target)}"
        write_people(changes=changes)
        moved = moving.take_over(into=target, others=other_ids)
        moved += keep_up(changes=[*changes, *moved])
        faces = [change["id"] for change in moved if change["model"] == "face"]
        return history.record(
            kind="merge",
            summary=f"{summary}, with {faces_in_words(len(faces))}",
            user=user,
            reason=reason,
            changes=[*changes, *moved],
            people=[target.pk, *other_ids],
            faces=faces,
        )


def split(
    *,
    person: Person,
    face_ids: Iterable[int],
    to: Person | None = None,
    name: str = "",
    user: Any = None,
    expected: Mapping[int, int | None] | None = None,
    reason: str = "",
) -> Edit:
    """Move some faces of a person to another, or to a new one called `name`."""
    name = " ".join(name.split())
    with transaction.atomic():
        source = live_person(person)
        if to is None and not name:
            raise Refused("no_name")
        target, new = (live_person(to), []) if to else make_person(name)
        if target.pk == source.pk:
            raise Refused("same_person")
        faces = locked_faces(face_ids, expected=expected, active=True)
        if any(row["person"] != source.pk for row in faces.values()):
            raise Refused("changed_meanwhile")
        changes = move_faces(faces=faces, to=target, how=Face.AssignedBy.HAND)
        what = "the new person " if new else ""
        return history.record(
            kind="split",
            summary=f"Moved {faces_in_words(len(faces))} from {mention(source)} to "
            f"{what}{mention(target)}",
            user=user,
            reason=reason,
            changes=[*changes, *new],
            people=[source.pk, target.pk],
            faces=faces,
        )


def rename(
    *,
    person: Person,
    name: str,
    revision: int | None = None,
    user: Any = None,
    reason: str = "",
) -> Edit:
    """Give a person another name. Imports go on knowing them by the old one."""
    name = " ".join(name.split())
    if not name:
        raise Refused("no_name")
    with transaction.atomic():
        found = _one(person, revision)
        old = mention(found)
        return _edit(
            found, {"name": name}, kind="rename",
            summary=f"Renamed {old} to {mention(found, name)}", user=user, reason=reason,
        )  # fmt: skip


def set_searchable(
    *,
    person: Person,
    searchable: bool,
    revision: int | None = None,
    user: Any = None,
    reason: str = "",
) -> Edit:
    """Show a person in search results, or hide them."""
    with transaction.atomic():
        found = _one(person, revision)
        words = "Showed {} in search results again" if searchable else "Hid {} from search results"
        return _edit(
            found, {"is_searchable": searchable}, kind="hide",
            summary=words.format(mention(found)), user=user, reason=reason,
        )  # fmt: skip


def set_cover(
    *,
    person: Person,
    face_id: int,
    revision: int | None = None,
    user: Any = None,
    reason: str = "",
) -> Edit:
    """Choose the face that stands for a person in lists."""
    with transaction.atomic():
        found = _one(person, revision)
        _check_cover(face_id, [found.pk])
        return _edit(
            found, {"cover": face_id}, kind="cover", faces=[face_id],
            summary=f"Chose a cover for {mention(found)}", user=user, reason=reason,
        )  # fmt: skip


def set_details(
    *,
    person: Person,
    details: Mapping[str, Any],
    revision: int | None = None,
    user: Any = None,
    reason: str = "",
) -> Edit:
    """Change what is noted about a person: any of DETAILS."""
    if unknown := set(details) - set(DETAILS):
        raise ValueError(f"not details of a person: {sorted(unknown)}")
    with transaction.atomic():
        found = _one(person, revision)
        before = _values(found)
        after = {field: plain(value) for field, value in details.items()}
        after = {field: value for field, value in after.items() if before[field] != value}
        labels = [str(Person._meta.get_field(field).verbose_name) for field in after]  # type: ignore[union-attr]
        return _edit(
            found, after, kind="details",
            summary=f"Changed {', '.join(labels)} of {mention(found)}", user=user, reason=reason,
        )  # fmt: skip


def delete_later(
    *, person: Person, revision: int | None = None, user: Any = None, reason: str = ""
) -> Edit:
    """Take a person out of everything at once, and delete them when their time of grace is over.

    Imports do not know them any more: the same name makes a new person.
    """
    with transaction.atomic():
        found = _one(person, revision)
        family = values_of("person", moving.family(person=found))
        after = {"deleted_at": timezone.now().isoformat(), "import_key": None}
        changes = [updated("person", found.pk, family.pop(found.pk), after)]
        changes += [
            updated("person", pk, row, {"import_key": None})
            for pk, row in family.items()
            if row["import_key"]
        ]
        write_people(changes=changes)
        moving.forget_guesses(person_ids=[found.pk])
        return history.record(
            kind="delete", summary=f"Deleted {mention(found)}", user=user, reason=reason,
            changes=changes, people=[found.pk, *family],
        )  # fmt: skip


def delete_now(*, person: Person, with_photos: bool = False, user: Any = None) -> deletion.Receipt:
    """Delete a person for good. What is left in the history is that it was done, and by whom."""
    pk = person.pk  # which the row loses when it goes
    with transaction.atomic():
        receipt = deletion.delete_person(person=person, with_photos=with_photos)
        if not receipt.faces:
            return receipt
        photos = f" and {receipt.photos:,} photos" if receipt.photos else ""
        history.record(
            kind="purge",
            summary=f"Deleted {{person:{pk}}} for good, with "
            f"{faces_in_words(receipt.faces)}{photos}",
            user=user,
            people=[pk],
        )
    return receipt


def purge_deleted() -> int:
    """Delete for good the people whose time of grace is over; return how many."""
    over = Person.everyone.filter(
        deleted_at__lte=timezone.now() - settings.FACEWEB_PERSON_GRACE, merged_into=None
    )
    count = 0
    for pk in list(over.values_list("pk", flat=True)):
        with transaction.atomic():
            # Asked again under the lock: their deletion may just be undone.
            person = over.select_for_update().filter(pk=pk).first()
            if person is not None:
                delete_now(person=person)
                count += 1
    return count


def namesakes(*, name: str, besides: Person | None = None) -> list[Person]:
    """Others who have this name, or have it as an alias; accents and capitals do not matter."""
    key = search_key(name)
    if not key:
        return []
    others = Person.objects.filter(search_key__contains=key)
    if besides is not None:
        others = others.exclude(pk=besides.pk)
    return [other for other in others[:200] if key in other.search_key.splitlines()]


# --- parts --------------------------------------------------------------------------------------


def _one(person: Person, revision: int | None) -> Person:
    """The person, locked, if they are there and as the page showed them."""
    revisions = None if revision is None else {person.pk: revision}
    return _locked([person.pk], revisions)[person.pk]


def _locked(ids: Iterable[int], revisions: Mapping[int, int] | None) -> dict[int, Person]:
    wanted = sorted(set(ids))
    rows = Person.everyone.select_for_update().filter(pk__in=wanted).order_by("pk")
    people = {person.pk: person for person in rows}
    for pk in wanted:
        person = people.get(pk)
        if person is None or person.deleted_at is not None:
            raise Refused("person_gone")
        if person.merged_into_id is not None:
            raise Refused("changed_meanwhile", f"person {pk} was merged")
        if revisions is not None and revisions.get(pk, person.revision) != person.revision:
            raise Refused("changed_meanwhile", f"person {pk}")
    return people


def _values(person: Person) -> Values:
    return values_of("person", [person.pk])[person.pk]


def _edit(
    person: Person,
    after: Values,
    *,
    kind: str,
    summary: str,
    faces: Sequence[int] = (),
    user: Any,
    reason: str,
) -> Edit:
    """Write some fields of a locked person and record it."""
    before = _values(person)
    if all(before[field] == value for field, value in after.items()):
        raise Refused("nothing_to_do")
    changes = [updated("person", person.pk, before, after)]
    write_people(changes=changes)
    return history.record(
        kind=kind, summary=summary, user=user, reason=reason, changes=changes,
        people=[person.pk], faces=faces,
    )  # fmt: skip


def _check_cover(face_id: int, owners: list[int]) -> None:
    if not Face.objects.filter(pk=face_id, person__in=owners, state=Face.State.ACTIVE).exists():
        raise Refused("not_theirs")


def _merged_details(
    target: Person, rest: Sequence[Person], name: str | None, keep_names: bool
) -> Values:
    """What becomes of the details of `target` by a merge: the fields that change."""
    chosen = " ".join((name or target.name).split())
    people = [target, *rest]
    aliases = [line.strip() for one in people for line in one.aliases.splitlines()]
    if keep_names:
        aliases += [one.name for one in people]
    known = {name_key(chosen)}
    kept = []
    for alias in aliases:
        if alias and name_key(alias) not in known:
            known.add(name_key(alias))
            kept.append(alias)
    dates = [one.retain_until for one in people if one.retain_until]
    after: Values = {
        "name": chosen,
        "aliases": "\n".join(kept),
        "notes": "\n\n".join(one.notes for one in people if one.notes),
        "birth_year": next((one.birth_year for one in people if one.birth_year), None),
        "lawful_basis": next((one.lawful_basis for one in people if one.lawful_basis), ""),
        "retain_until": plain(min(dates)) if dates else None,
        "is_searchable": all(one.is_searchable for one in people),
    }
    before = _values(target)
    return {field: value for field, value in after.items() if before[field] != value}


def _list(people: Sequence[Person]) -> str:
    shown = [mention(person) for person in people[:2]]
    rest = len(people) - len(shown)
    return f"{', '.join(shown)} and {rest} more" if rest else " and ".join(shown)
