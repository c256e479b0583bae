"""Saying who a face is, who it is not, and whether it is a face at all.

Each function is one edit: one transaction and one entry of the history, which it returns. All
raise Refused with "changed_meanwhile" if a face is not as the page showed it (`expected`: the
ids of faces with the person each had, or None), and with "nothing_to_do" if nothing changes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from people.models import Edit, Face, NotSame, Person, Photo, Rejection, Suggestion
from people.names import name_key
from people.problems import Refused
from people.services import history
from people.services.changes import (
    CHUNK,
    Change,
    Values,
    gone,
    in_chunks,
    made,
    updated,
    values_of,
    write,
)
from people.services.history import faces_in_words, mention
from people.services.undoing import keep_up

Expected = Mapping[int, int | None] | None

_NOBODY = {"person": None, "assigned_by": "", "is_anchor": False}
_HOW = {
    Face.AssignedBy.SUGGESTION: "Accepted the suggestion that {faces} {is_are} {person}",
    Face.AssignedBy.CLUSTER: "Named {faces} that look alike {person}",
    Face.AssignedBy.AUTOMATIC: "Named {faces} {person} automatically",
}


def assign(
    *,
    face_ids: Iterable[int],
    person: Person | None = None,
    name: str = "",
    user: Any = None,
    how: str = Face.AssignedBy.HAND,
    expected: Expected = None,
    reason: str = "",
) -> Edit:
    """Give faces to a person, or to the one called `name`, who is made if there is none.

    A person's word counts more than an earlier no. Automatic assignment takes only faces of
    nobody, and leaves out those that were rejected for the person.
    """
    with transaction.atomic():
        target, new = (live_person(person), []) if person else _called(name)
        faces = locked_faces(face_ids, expected=expected, active=True)
        if how == Face.AssignedBy.AUTOMATIC:
            faces = _unopposed(faces, target)
        changes = [*move_faces(faces=faces, to=target, how=how), *new]
        if len(changes) == len(new):
            raise Refused("nothing_to_do")
        moved = [change["id"] for change in changes if change["model"] == "face"]
        previous = {faces[pk]["person"] for pk in moved} - {None, target.pk}
        return history.record(
            kind="assign",
            summary=_assigned(target, len(moved) or len(faces), previous, how),
            user=user,
            reason=reason,
            changes=changes,
            people=[target.pk, *previous],
            faces=moved or faces,
        )


def unassign(
    *, face_ids: Iterable[int], user: Any = None, expected: Expected = None, reason: str = ""
) -> Edit:
    """Take faces from their people; they stay, unnamed."""
    with transaction.atomic():
        faces = locked_faces(face_ids, expected=expected)
        named = {pk: row for pk, row in faces.items() if row["person"] is not None}
        if not named:
            raise Refused("nothing_to_do")
        changes = _written(named, _NOBODY)
        people = {row["person"] for row in named.values()}
        return history.record(
            kind="unassign",
            summary=f"Took {faces_in_words(len(named))} from {_mentions(people)}",
            user=user,
            reason=reason,
            changes=changes,
            people=people,
            faces=named,
        )


def reject(
    *,
    face_ids: Iterable[int],
    person: Person,
    user: Any = None,
    expected: Expected = None,
    reason: str = "",
) -> Edit:
    """Remember for ever that faces are not this person, and take away those that were theirs."""
    with transaction.atomic():
        target = live_person(person)
        faces = locked_faces(face_ids, expected=expected)
        known: set[int] = set()
        for chunk in in_chunks(faces):
            said = Rejection.objects.filter(face__in=chunk, person=target)
            known.update(said.values_list("face_id", flat=True))
            Suggestion.objects.filter(face__in=chunk, person=target).delete()
        rows = Rejection.objects.bulk_create(
            [Rejection(face_id=pk, person=target) for pk in faces if pk not in known],
            batch_size=CHUNK,
        )
        theirs = {pk: row for pk, row in faces.items() if row["person"] == target.pk}
        changes = [*(made("rejection", row) for row in rows), *_written(theirs, _NOBODY)]
        if not changes:
            raise Refused("nothing_to_do")
        changed = {*theirs, *(row.face_id for row in rows)}
        is_are = "is" if len(changed) == 1 else "are"
        return history.record(
            kind="reject",
            summary=f"Said that {faces_in_words(len(changed))} {is_are} not {mention(target)}",
            user=user,
            reason=reason,
            changes=changes,
            people=[target.pk],
            faces=changed,
        )


def mark_not_a_face(
    *, face_ids: Iterable[int], user: Any = None, expected: Expected = None, reason: str = ""
) -> Edit:
    """Hide what is no face from everywhere; it can be restored, but belongs to nobody then."""
    with transaction.atomic():
        faces = locked_faces(face_ids, expected=expected)
        real = {pk: row for pk, row in faces.items() if row["state"] == Face.State.ACTIVE}
        if not real:
            raise Refused("nothing_to_do")
        after = {**_NOBODY, "state": Face.State.NOT_A_FACE.value}
        people = {row["person"] for row in real.values()} - {None}
        what = "as not a face" if len(real) == 1 else "as not faces"
        return history.record(
            kind="not_a_face",
            summary=f"Marked {faces_in_words(len(real))} {what}",
            user=user,
            reason=reason,
            changes=_written(real, after),
            people=people,
            faces=real,
        )


def restore(*, face_ids: Iterable[int], user: Any = None, reason: str = "") -> Edit:
    """Bring back what was marked as not a face."""
    with transaction.atomic():
        faces = locked_faces(face_ids)
        hidden = {pk: row for pk, row in faces.items() if row["state"] != Face.State.ACTIVE}
        if not hidden:
            raise Refused("nothing_to_do")
        return history.record(
            kind="restore",
            summary=f"Restored {faces_in_words(len(hidden))}",
            user=user,
            reason=reason,
            changes=_written(hidden, {"state": Face.State.ACTIVE.value}),
            faces=hidden,
        )


def keep_apart(
    *, face_id: int, other_ids: Iterable[int], user: Any = None, reason: str = ""
) -> Edit:
    """Remember that a face and each of some others are of two people, whoever they are."""
    with transaction.atomic():
        faces = locked_faces([face_id, *other_ids])
        pairs = {(min(face_id, pk), max(face_id, pk)) for pk in faces if pk != face_id}
        known = NotSame.objects.filter(face__in=faces, other__in=faces)
        pairs -= set(known.values_list("face_id", "other_id"))
        if not pairs:
            raise Refused("nothing_to_do")
        rows = NotSame.objects.bulk_create(
            [NotSame(face_id=one, other_id=two) for one, two in sorted(pairs)], batch_size=CHUNK
        )
        return history.record(
            kind="apart",
            summary=f"Said that a face and {_others(len(rows))} are of different people",
            user=user,
            reason=reason,
            changes=[made("notsame", row) for row in rows],
            faces={pk for pair in pairs for pk in pair},
        )


# --- what the services for people use too -------------------------------------------------------


def live_person(person: Person) -> Person:
    """The person as they are now, locked; whom they were merged into, if they were."""
    found = Person.everyone.select_for_update().filter(pk=person.pk).first()
    while found is not None and found.merged_into_id is not None:
        found = Person.everyone.select_for_update().filter(pk=found.merged_into_id).first()
    if found is None or found.deleted_at is not None:
        raise Refused("person_gone")
    return found


def locked_faces(
    face_ids: Iterable[int], *, expected: Expected = None, active: bool = False
) -> dict[int, Values]:
    """The faces as they are now, locked and by id. Raises Refused if they are not as expected."""
    wanted = set(face_ids)
    faces = values_of(
        "face", wanted, lock=True,
        fields=("person", "assigned_by", "is_anchor", "state", "cluster"),
    )  # fmt: skip
    if not wanted or len(faces) < len(wanted):
        raise Refused("faces_gone")
    for pk, person in (expected or {}).items():
        if pk in faces and faces[pk]["person"] != person:
            raise Refused("changed_meanwhile", f"face {pk}")
    if active and any(row["state"] != Face.State.ACTIVE for row in faces.values()):
        raise Refused("not_a_face")
    return faces


def move_faces(*, faces: Mapping[int, Values], to: Person, how: str) -> list[Change]:
    """Give locked faces to a person and settle what follows; return what was changed."""
    coming = {pk: row for pk, row in faces.items() if row["person"] != to.pk}
    staying = {
        pk: row for pk, row in faces.items() if row["person"] == to.pk and row["assigned_by"] != how
    }
    target = {"person": to.pk, "assigned_by": str(how), "is_anchor": False}
    changes = _written(coming, target) + _written(staying, {"assigned_by": str(how)})
    changes += _no_longer_rejected(faces, to)
    return changes + _settled_names(faces, to)


def make_person(name: str) -> tuple[Person, list[Change]]:
    """A new person, and the change that made them."""
    person = Person.objects.create(name=name)
    return person, [made("person", person)]


# --- parts --------------------------------------------------------------------------------------


def _called(name: str) -> tuple[Person, list[Change]]:
    """The first person of that name, or a new one with the change that made them."""
    name = " ".join(name.split())
    if not name:
        raise Refused("no_name")
    known = Person.objects.select_for_update().named(name).order_by("pk").first()
    return (known, []) if known else make_person(name)


def _written(faces: Mapping[int, Values], after: Values) -> list[Change]:
    """Write the same values to faces, which leave their cluster unless they come back."""
    if not faces:
        return []
    if "person" in after or after.get("state") == Face.State.NOT_A_FACE:
        after = {**after, "cluster": None}
    write("face", faces, after)
    changes = [updated("face", pk, row, after) for pk, row in faces.items()]
    return changes + keep_up(changes=changes)


def _unopposed(faces: Mapping[int, Values], person: Person) -> dict[int, Values]:
    rejected: set[int] = set()
    for chunk in in_chunks(faces):
        rows = Rejection.objects.filter(face__in=chunk, person=person)
        rejected.update(rows.values_list("face_id", flat=True))
    return {pk: row for pk, row in faces.items() if row["person"] is None and pk not in rejected}


def _no_longer_rejected(faces: Iterable[int], person: Person) -> list[Change]:
    changes: list[Change] = []
    for chunk in in_chunks(sorted(faces)):
        rows = Rejection.objects.filter(face__in=chunk, person=person)
        said = values_of("rejection", rows.values_list("pk", flat=True))
        rows.delete()
        changes += [gone("rejection", pk, row) for pk, row in said.items()]
    return changes


def _settled_names(faces: Iterable[int], person: Person) -> list[Change]:
    """Photos whose name waited for a decision have it now, if it went to that person."""
    open_ = (Photo.Naming.WAITING, Photo.Naming.UNDECIDED)
    changes: list[Change] = []
    for chunk in in_chunks(sorted(faces)):
        photos = Photo.objects.filter(
            faces__in=chunk, hint_key=name_key(person.name), naming__in=open_
        )
        found = values_of("photo", photos.values_list("pk", flat=True), lock=True)
        after = {"naming": Photo.Naming.GIVEN.value}
        write("photo", found, after)
        changes += [updated("photo", pk, row, after) for pk, row in found.items()]
    return changes


def _assigned(person: Person, count: int, previous: set[int], how: str) -> str:
    faces = faces_in_words(count)
    is_are = "is" if count == 1 else "are"
    if how in _HOW:
        words = _HOW[Face.AssignedBy(how)]
        return words.format(faces=faces, is_are=is_are, person=mention(person))
    if previous:
        return f"Moved {faces} from {_mentions(previous)} to {mention(person)}"
    return f"Named {faces} {mention(person)}"


def _mentions(person_ids: set[int]) -> str:
    people = list(Person.everyone.filter(pk__in=sorted(person_ids)[:2]).order_by("pk"))
    shown = " and ".join(mention(person) for person in people)
    rest = len(person_ids) - len(people)
    return f"{shown} and {rest} more" if rest else shown


def _others(count: int) -> str:
    return "another" if count == 1 else f"{count:,} others"
