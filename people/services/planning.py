"""What undoing an edit would do to each row as it is now, and why if it can do nothing.

A row is turned back only if it still is as the edit left it; a face that went along when its
person was merged into someone else counts as unchanged. People are looked at first, so that
faces can return to someone who is there again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max, Q
from django.utils import timezone

from people.models import Cluster, Edit, EditSubject, Face, Person, Photo
from people.services.changes import (
    KEPT,
    Change,
    Kept,
    Values,
    in_chunks,
    points_to,
    updated,
    values_of,
)

UNDONE = "It is undone already."
GONE = "What it is about is not there any more."
SAME = "Everything already is as it was before."
CHANGED = "It was changed again since."
LOOKED = "It was a look at the photo. Faces can be drawn, or marked as not a face, on its page."
PERSON_GONE = "The person it is about is deleted for good."
PERSON_DELETED = "The person it is about is deleted. Undo that first."
# The reason that is given when rows stay for several reasons: the most telling first.
_TELLING = (CHANGED, PERSON_DELETED, PERSON_GONE, GONE, SAME)

# Edits that give faces to people, that change the row of one person, that no other waits for.
_MOVING = ("assign", "split")
_OF_ONE_PERSON = ("rename", "hide", "cover", "details")
_HARMLESS = ("apart", "purge", "undo", *_OF_ONE_PERSON)


@dataclass
class Plan:
    """What an undo would do: changes from what is now, in the order of the edit's own."""

    steps: list[Change] = field(default_factory=list)
    # The ids of people whom the edit had made: they go only if nobody has use for them by now.
    made: set[int] = field(default_factory=set)
    faces_left: int = 0
    problem: str = ""


def large(*, edits: Sequence[Edit], more_than: int) -> set[int]:
    """The ids of those edits that are about more than so many rows."""
    counts = EditSubject.objects.filter(edit__in=edits).values("edit").annotate(n=Count("pk"))
    return set(counts.filter(n__gt=more_than).values_list("edit", flat=True))


def plan(*, edits: Sequence[Edit], lock: bool = False) -> dict[int, Plan]:
    """How each of some edits would be undone, by id. Few queries for all of them together."""
    ids = [edit.pk for edit in edits]
    changes = dict(Edit.objects.filter(pk__in=ids).values_list("pk", "changes"))
    undone = set(Edit.objects.filter(undoes__in=ids).values_list("undoes", flat=True))
    rows = _Rows([c for pk, own in changes.items() if pk not in undone for c in own], lock)
    plans = {
        pk: Plan(problem=UNDONE) if pk in undone else _Planner(rows, pk).plan(own)
        for pk, own in changes.items()
    }
    for edit in edits:
        if edit.kind == "rescan":
            plans[edit.pk] = Plan(problem=LOOKED)
    blocked = [edit for edit in edits if plans[edit.pk].problem == CHANGED]
    for pk, later in _later_edits(blocked, changes).items():
        plans[pk].problem = f"{CHANGED[:-1]}: “{later}”. Undo that first."
    return plans


class _Rows:
    """The rows that some changes are about, and those that they point to, as they are now."""

    def __init__(self, changes: list[Change], lock: bool) -> None:
        ids: dict[str, set[int]] = {name: set() for name in KEPT}
        pointed: dict[Any, set[int]] = {Person: set(), Face: set(), Cluster: set(), Photo: set()}
        keys = set()
        for change in changes:
            kept = KEPT[change["model"]]
            ids[change["model"]].add(change["id"])
            for values in (change["before"] or {}, change["after"] or {}):
                for name, value in values.items():
                    if value is not None and (model := points_to(kept, name)) in pointed:
                        pointed[model].add(value)
                keys.add(values.get("import_key"))
        ids["person"] |= pointed[Person]
        # People before faces, as in every edit, so that two edits never wait for each other.
        self.values = {"person": _with_targets(ids.pop("person"), lock=lock)}
        for name, wanted in ids.items():
            self.values[name] = values_of(name, wanted, lock=lock) if wanted else {}
        self.moved = self._moved(changes)
        self.there = {model: _existing(model, pointed[model]) for model in (Face, Cluster, Photo)}
        owners = Person.everyone.filter(import_key__in=keys - {None})
        self.key_owners = dict(owners.values_list("import_key", "pk"))

    def _moved(self, changes: list[Change]) -> dict[int, int]:
        """For faces with other people than some edit gave them to: the last edit that did that.

        Where it is later than the edit, the face did not merely go along with its person.
        """
        faces = set()
        for change in changes:
            if change["model"] == "face" and (face := self.values["face"].get(change["id"])):
                person = (change["after"] or {}).get("person")
                owner = self.values["person"].get(person) if person else None
                if owner and owner["merged_into"] and face["person"] != person:
                    faces.add(change["id"])
        moving = Q(edit__kind__in=_MOVING) | Q(edit__undoes__undoes__kind__in=_MOVING)
        found: dict[int, int] = {}
        for chunk in in_chunks(sorted(faces)):
            subjects = EditSubject.objects.filter(
                moving, kind=EditSubject.Kind.FACE, subject_id__in=chunk, edit__undone_by=None
            )
            found |= dict(subjects.values_list("subject_id").annotate(Max("edit")).order_by())
        return found


class _Planner:
    """Plans the undo of one edit; what it does to people counts for the rows behind them."""

    def __init__(self, rows: _Rows, edit_id: int) -> None:
        self.rows = rows
        self.edit_id = edit_id
        self.people = dict(rows.values["person"])

    def plan(self, changes: list[Change]) -> Plan:
        if not changes:
            return Plan(problem=PERSON_GONE)
        found: list[Change | str] = [GONE] * len(changes)
        for people_now in (True, False):
            for n, change in enumerate(changes):
                if (change["model"] == "person") == people_now:
                    found[n] = self._turned_back(change)
        pairs = list(zip(changes, found, strict=True))
        main = [one for change, one in pairs if _shape(change) == _shape(changes[0])]
        if all(isinstance(one, str) for one in main):
            return Plan(problem=next(reason for reason in _TELLING if reason in main))
        stay = [c for c, one in pairs if c["model"] == "face" and isinstance(one, str)]
        same = sum(c["model"] == "face" and one == SAME for c, one in pairs)
        steps = [one for one in found if not isinstance(one, str)]
        made = {c["id"] for c in changes if c["model"] == "person" and c["before"] is None}
        return Plan(steps=steps, made=made, faces_left=len(stay) - same)

    def _turned_back(self, change: Change) -> Change | str:
        """The change that turns this one back, or the reason why it stays."""
        name, pk, before, after = (change[key] for key in ("model", "id", "before", "after"))
        kept = KEPT[name]
        current = (self.people if name == "person" else self.rows.values[name]).get(pk)
        if after is not None:
            if current is None:
                return GONE
            if not self._holds(name, pk, after, current):
                return CHANGED
        elif current is not None:
            return CHANGED
        if before is None:
            if name == "person" and current is not None:
                return _retired(pk, current)
            return {"model": name, "id": pk, "before": current, "after": None}
        values = self._possible(name, pk, before)
        if isinstance(values, str):
            return values
        was = current and {each: current[each] for each in values}
        if was == values:
            return SAME
        if name == "person":
            self.people[pk] = {**dict.fromkeys(kept.fields), **(current or {}), **values}
        return {"model": name, "id": pk, "before": was, "after": values}

    def _holds(self, name: str, pk: int, after: Values, current: Values) -> bool:
        """Whether a row still is as an edit left it."""
        kept = KEPT[name]
        along = name != "face" or self.rows.moved.get(pk, 0) <= self.edit_id
        compared = [each for each in after if each not in kept.loose] or list(after)
        return all(
            current[each] == after[each]
            or (along and self._is_person(kept, each) and current[each] == self._now(after[each]))
            for each in compared
        )

    def _possible(self, name: str, pk: int, before: Values) -> Values | str:
        """What a row can become again, or the reason why it cannot."""
        kept, values = KEPT[name], dict(before)
        for each, value in before.items():
            model = points_to(kept, each)
            if value is None:
                continue
            if self._is_person(kept, each):
                person = values[each] = self._now(value)
                if person not in self.people:
                    return PERSON_GONE
                if name == "person" and person == pk:
                    return CHANGED
                if name == "pair" and person != value:
                    return GONE
                if self.people[person]["deleted_at"] is not None:
                    return PERSON_DELETED
            elif model in self.rows.there and value not in self.rows.there[model]:
                if each not in ("cover", "cluster"):
                    return GONE
                values[each] = None
            elif each == "import_key" and self.rows.key_owners.get(value, pk) != pk:
                values[each] = None  # someone else came by that name since
            elif each == "deleted_at":
                values[each] = timezone.now().isoformat()  # the time of grace begins anew
        return values

    def _now(self, pk: int | None) -> int | None:
        """Who a person is now: themselves, or whom they were merged into."""
        seen: set[int] = set()
        while pk in self.people and pk not in seen:
            seen.add(pk)
            further = self.people[pk]["merged_into"]
            if further is None:
                return pk
            pk = further
        return pk

    def _is_person(self, kept: Kept, name: str) -> bool:
        return points_to(kept, name) is Person


def _shape(change: Change) -> tuple[str, set[str]]:
    """What kind of row changed, and which of its fields."""
    return change["model"], {*(change["before"] or {}), *(change["after"] or {})}


def _retired(pk: int, current: Values) -> Change:
    """Whoever was made by an edit waits for deletion, as if deleted: their name is forgotten."""
    after = {"deleted_at": timezone.now().isoformat(), "import_key": None}
    return updated("person", pk, current, after)


def _with_targets(ids: Iterable[int], *, lock: bool) -> dict[int, Values]:
    """People with those whom they were merged into, however many steps ago."""
    people = values_of("person", ids, lock=lock)
    while more := {row["merged_into"] for row in people.values()} - {None} - set(people):
        people |= values_of("person", more, lock=lock)
    return people


def _existing(model: Any, ids: Iterable[int]) -> set[int]:
    there: set[int] = set()
    for chunk in in_chunks(sorted(ids)):
        there.update(model.objects.filter(pk__in=chunk).values_list("pk", flat=True))
    return there


def _later_edits(edits: Sequence[Edit], changes: dict[int, list[Change]]) -> dict[int, str]:
    """For each edit that was overtaken, the summary of the newest that stands in its way."""
    subjects: dict[int, set[tuple[str, int]]] = {}
    for edit in edits:
        subjects[edit.pk] = set(map(_subject, changes[edit.pk][:5]))
    wanted = {pk for own in subjects.values() for _, pk in own}
    later = EditSubject.objects.filter(
        subject_id__in=wanted, edit__gt=min(subjects, default=0), edit__undone_by=None
    ).order_by("-edit")
    found: dict[int, str] = {}
    rows = list(later.values_list("edit", "edit__kind", "edit__summary", "kind", "subject_id"))
    for edit in edits:
        for pk, kind, summary, *subject in rows:
            if pk > edit.pk and tuple(subject) in subjects[edit.pk] and _stands(edit.kind, kind):
                found[edit.pk] = summary
                break
    return found


def _stands(kind: str, later: str) -> bool:
    """Whether an edit of the kind `later` can stand in the way of one of `kind`."""
    if kind in _OF_ONE_PERSON:
        return later in (kind, "merge", "redo")
    return later not in _HARMLESS


def _subject(change: Change) -> tuple[str, int]:
    """What of a change the entries of the history are about."""
    values = change["after"] or change["before"] or {}
    if change["model"] in ("person", "photo"):
        return change["model"], change["id"]
    return "face", change["id"] if change["model"] == "face" else values.get("face", 0)
