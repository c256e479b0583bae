"""Entries of the history as pages show them: in words, with faces, and with what can be undone.

Everything is asked for all entries together; the number of queries does not grow with them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from people.models import Edit, EditSubject, Face, Person
from people.services import history
from people.services.changes import KEPT, Change

# How many faces an entry shows in a list, and how many changes on a page of its own.
FACES = 8
CHANGES = 200

_LABELS = {
    "cover": "cover", "is_searchable": "shown in search results", "merged_into": "merged into",
    "deleted_at": "deleted", "import_key": "name that imports know", "person": "who it is",
    "assigned_by": "how it was named", "state": "state", "naming": "name that came with it",
    "turns": "turned by", "birth_year": "birth year", "lawful_basis": "lawful basis",
    "consent_on": "consent of", "retain_until": "keep until",
}  # fmt: skip
# What faceweb notes for itself only.
_UNSAID = {"is_anchor", "cluster", "x2", "y2", "similarity"}


@dataclass(frozen=True)
class Entry:
    """One entry of the history, ready to be shown."""

    edit: Edit
    label: str
    parts: list[history.Part]
    faces: list[int]
    more_faces: int
    problem: str
    undone_by: Edit | None


@dataclass
class Row:
    """What one row was and became, in words; `face` is the id of a face that can be shown."""

    title: list[history.Part]
    face: int | None = None
    lines: list[tuple[str, str, str]] = field(default_factory=list)


def entries_of(edits: Sequence[Edit]) -> list[Entry]:
    """What a page needs for each of some edits, in their order."""
    problems = history.undo_problems(edits=edits)
    faces, counts = _faces(edits)
    undone = {one.undoes_id: one for one in history.entries().filter(undoes__in=edits)}
    mentioned = history.mentioned(edit.summary for edit in edits)
    people = set(Person.everyone.filter(pk__in=mentioned).values_list("pk", flat=True))
    return [
        Entry(
            edit=edit,
            label=history.label(edit.kind),
            parts=history.parts(edit.summary, people),
            faces=faces[edit.pk],
            more_faces=max(0, counts.get(edit.pk, 0) - FACES),
            problem=problems[edit.pk],
            undone_by=undone.get(edit.pk),
        )
        for edit in edits
    ]


def rows_of(edit: Edit) -> tuple[list[Row], int]:
    """Each row that an edit changed, before and after in words; and how many more there are."""
    changes = [c for c in edit.changes if c["model"] in ("person", "face", "photo", "rejection")]
    shown = changes[:CHANGES]
    names = _names(shown)
    there = {c["id"] for c in shown if c["model"] == "face"}
    there |= {(c["before"] or c["after"]).get("face") for c in shown if c["model"] == "rejection"}
    there = set(Face.objects.filter(pk__in=there).values_list("pk", flat=True))
    rows = [_row(change, names, there) for change in shown]
    return [row for row in rows if row.lines], len(changes) - len(shown)


def _faces(edits: Sequence[Edit]) -> tuple[dict[int, list[int]], dict[int, int]]:
    """The first faces of each edit that can still be shown, and how many it has in all."""
    subjects = EditSubject.objects.filter(edit__in=edits, kind=EditSubject.Kind.FACE)
    counts = dict(subjects.values_list("edit").annotate(n=Count("pk")).order_by())
    first = subjects.annotate(
        place=Window(RowNumber(), partition_by=F("edit"), order_by=F("pk").asc())
    ).filter(place__lte=FACES)
    pairs = list(first.order_by("pk").values_list("edit", "subject_id"))
    there = set(
        Face.objects.filter(pk__in={face for _, face in pairs})
        .exclude(crop="")
        .values_list("pk", flat=True)
    )
    faces: dict[int, list[int]] = defaultdict(list)
    for edit, face in pairs:
        if face in there:
            faces[edit].append(face)
    return faces, counts


def _names(changes: Iterable[Change]) -> dict[int, str]:
    """The names of the people whom changes point to."""
    ids: set[int] = set()
    for change in changes:
        for values in (change["before"] or {}, change["after"] or {}):
            ids.update(values[name] for name in ("person", "merged_into") if values.get(name))
        if change["model"] == "person":
            ids.add(change["id"])
    return dict(Person.everyone.filter(pk__in=ids).values_list("pk", "name"))


def _row(change: Change, names: dict[int, str], faces: set[Any]) -> Row:
    before, after = change["before"] or {}, change["after"] or {}
    kind, face = change["model"], change["id"]
    if kind == "rejection":
        face = (before or after)["face"]
        who = _value(kind, "person", (before or after)["person"], names)
        said = ("", f"not {who}") if change["before"] is None else (f"not {who}", "")
        return Row([history.Part("Face")], face if face in faces else None, [("said", *said)])
    if kind == "person":
        name = names.get(change["id"], "a deleted person")
        title = history.Part(name, change["id"] if change["id"] in names else None)
    else:
        title = history.Part("Face" if kind == "face" else "Photo")
    row = Row([title], face if kind == "face" and face in faces else None)
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = (_value(kind, name, values.get(name), names) for values in (before, after))
        if name not in _UNSAID and was != now:
            row.lines.append((_LABELS.get(name, name.replace("_", " ")), was, now))
    return row


def _value(kind: str, name: str, value: Any, names: dict[int, str]) -> str:
    """One value in words."""
    if name in ("person", "merged_into"):
        if value is None:
            return "nobody"
        return names.get(value, "a deleted person")
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "cover":
        return f"face {value}"
    if name.endswith("_at"):
        return str(value)[:16].replace("T", " ")
    choices = dict(getattr(KEPT[kind].model._meta.get_field(name), "choices", None) or ())
    return str(choices.get(value, value))
