"""The history of edits: who did what, what it was before, and taking it back.

Entries are only ever added. There is one exception: when a person is deleted for good, their
name and everything noted about them leave the entries too. Summaries therefore never hold a
name as such, but a mention of a person, from which the name can be taken again.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from people.models import Edit, EditSubject, Face, Person, Photo
from people.problems import Refused
from people.services import moving, planning, undoing
from people.services.changes import KEPT, Change, in_chunks

KINDS = {
    "assign": "Named",
    "unassign": "Name taken away",
    "reject": "Not this person",
    "not_a_face": "Not a face",
    "restore": "A face after all",
    "apart": "Two people",
    "together": "One person",
    "set_aside": "Set aside",
    "confirm": "Confirmed",
    "box_add": "A face drawn",
    "box_move": "A box corrected",
    "box_remove": "A drawn face removed",
    "rotate": "A photo turned",
    "rescan": "Looked at again",
    "add": "Added",
    "merge": "Merged",
    "split": "Split",
    "rename": "Renamed",
    "hide": "Hidden or shown",
    "cover": "Cover chosen",
    "details": "Details",
    "delete": "Deleted, can be undone",
    "purge": "Deleted for good",
    "undo": "Undone",
    "redo": "Done again",
}

_LONGEST_SUMMARY = 400
_LONGEST_NAME = 60
_MENTION = re.compile(r"\{person:(\d+)(?:\|([^{}|]*))?\}")
_SEVERAL = 100


@dataclass(frozen=True)
class Part:
    """A piece of a summary: words, or the name of a person."""

    text: str
    person_id: int | None = None


def label(kind: str) -> str:
    """A kind of entry, in words."""
    return KINDS.get(kind, kind.replace("_", " ").capitalize())


def mention(person: Person, name: str = "") -> str:
    """How a summary names a person: by id, with the name of the moment."""
    shown = re.sub(r"[{}|]", "", name or person.name)
    if len(shown) > _LONGEST_NAME:
        shown = shown[: _LONGEST_NAME - 1] + "…"
    return f"{{person:{person.pk}|{shown}}}"


def faces_in_words(count: int) -> str:
    return "a face" if count == 1 else f"{count:,} faces"


def record(
    *,
    kind: str,
    summary: str,
    user: Any = None,
    reason: str = "",
    changes: Sequence[Change] = (),
    people: Iterable[int] = (),
    faces: Iterable[int] = (),
    photos: Iterable[int] = (),
    undoes: Edit | None = None,
) -> Edit:
    """Add one entry, within the transaction of the edit itself.

    `summary` names people by `mention` only. The first of the changes is the main one: an undo
    is refused when none of its kind, with the same fields of such a row, can be turned back.
    `people`, `faces` and `photos` are ids; the photos of the faces are added. Raises ValueError
    for what history never keeps.
    """
    for change in changes:
        kept = KEPT.get(change["model"])
        named = {*(change["before"] or {}), *(change["after"] or {})}
        if kept is None or not named <= set(kept.fields):
            raise ValueError(f"history does not keep {change['model']} {sorted(named)}")
    edit = Edit.objects.create(
        kind=kind,
        summary=summary[:_LONGEST_SUMMARY],
        reason=" ".join(reason.split())[:400],
        changes=list(changes),
        undoes=undoes,
        user=user if getattr(user, "pk", None) else None,
    )
    _add_subjects(edit, people, faces, photos)
    return edit


def of(
    *, person: Person | None = None, face: Face | None = None, photo: Photo | None = None
) -> QuerySet[Edit]:
    """The entries about a person (and those merged into them), a face or a photo, newest first."""
    about = Q()
    if person is not None:
        family = moving.family(person=person)
        about |= Q(kind=EditSubject.Kind.PERSON, subject_id__in=family)
    if face is not None:
        about |= Q(kind=EditSubject.Kind.FACE, subject_id=face.pk)
    if photo is not None:
        about |= Q(kind=EditSubject.Kind.PHOTO, subject_id=photo.pk)
    subjects = EditSubject.objects.filter(about) if about else EditSubject.objects.none()
    return entries().filter(pk__in=subjects.values("edit"))


def entries() -> QuerySet[Edit]:
    """All entries, newest first, without the changes: those of a large edit are megabytes."""
    return Edit.objects.order_by("-pk").select_related("user").defer("changes")


def search(*, text: str) -> QuerySet[Edit]:
    """The entries whose words or reason hold a text, or about people whose name or alias does."""
    people = Person.everyone.matching(text).values("pk")
    about = EditSubject.objects.filter(kind=EditSubject.Kind.PERSON, subject_id__in=people)
    found = Q(summary__icontains=text) | Q(reason__icontains=text)
    return entries().filter(found | Q(pk__in=about.values("edit")))


def undo(*, edit: Edit, user: Any = None, reason: str = "") -> Edit:
    """Turn an edit back and return the entry of that; undoing an undo does the edit again.

    Rows that were changed again since stay as they are, and the entry says how many. Raises
    Refused if the edit is undone already, or if nothing of it can be turned back.
    """
    with transaction.atomic():
        locked = Edit.objects.select_for_update().get(pk=edit.pk)
        plan = planning.plan(edits=[locked], lock=True)[locked.pk]
        if plan.problem:
            raise Refused("cannot_undo", words(plan.problem))
        changes = undoing.apply(plan=plan)
        return record(
            kind="redo" if _is_undo(locked) else "undo",
            summary=_undo_summary(locked, plan.faces_left),
            user=user,
            reason=reason,
            changes=changes,
            people=_subjects(locked, EditSubject.Kind.PERSON) | undoing.owners(changes=changes),
            faces=_subjects(locked, EditSubject.Kind.FACE),
            photos=_subjects(locked, EditSubject.Kind.PHOTO),
            undoes=locked,
        )


def undo_problem(*, edit: Edit) -> str:
    """Why an edit cannot be undone, in a sentence; empty if it can."""
    return undo_problems(edits=[edit])[edit.pk]


def undo_problems(*, edits: Sequence[Edit]) -> dict[int, str]:
    """Why each of some edits cannot be undone; asked together, with few queries.

    Edits of very many rows are looked at when they are undone: here they count as possible,
    unless they are undone already.
    """
    large = planning.large(edits=edits, more_than=_SEVERAL) if len(edits) > 1 else set()
    plans = planning.plan(edits=[edit for edit in edits if edit.pk not in large])
    problems = {edit.pk: "" for edit in edits}
    problems |= {pk: words(plan.problem) for pk, plan in plans.items()}
    for undoing_edit in Edit.objects.filter(undoes__in=large).defer("changes"):
        problems[undoing_edit.undoes_id or 0] = planning.UNDONE
    return problems


def parts(summary: str, people: Iterable[int]) -> list[Part]:
    """A summary in pieces, for pages that link the names of those `people` who are there."""
    there, found, end = set(people), [], 0
    for match in _MENTION.finditer(summary):
        pk = int(match[1])
        found.append(Part(summary[end : match.start()]))
        found.append(Part(match[2] or "a deleted person", pk if pk in there else None))
        end = match.end()
    return [part for part in [*found, Part(summary[end:])] if part.text]


def words(summary: str) -> str:
    """A summary as plain words."""
    return "".join(part.text for part in parts(summary, ()))


def mentioned(summaries: Iterable[str]) -> set[int]:
    """The ids of the people whom summaries mention."""
    return {int(match[1]) for text in summaries for match in _MENTION.finditer(text)}


def forget_people(*, person_ids: Iterable[int]) -> None:
    """Take the names of people, and all that was noted about them, out of every entry."""
    gone = set(person_ids)
    about = EditSubject.objects.filter(kind=EditSubject.Kind.PERSON, subject_id__in=gone)
    for ids in in_chunks(sorted(set(about.values_list("edit_id", flat=True)))):
        edits = list(Edit.objects.filter(pk__in=ids))
        for edit in edits:
            edit.summary = _MENTION.sub(lambda match: _without_name(match, gone), edit.summary)
            edit.reason = ""
            edit.changes = [
                change
                for change in edit.changes
                if change["model"] != "person" or change["id"] not in gone
            ]
        Edit.objects.bulk_update(edits, ["summary", "reason", "changes"])


def _without_name(match: re.Match[str], gone: set[int]) -> str:
    return f"{{person:{match[1]}}}" if int(match[1]) in gone else match[0]


def _add_subjects(
    edit: Edit, people: Iterable[int], faces: Iterable[int], photos: Iterable[int]
) -> None:
    face_ids, photo_ids = set(faces), set(photos)
    for chunk in in_chunks(sorted(face_ids)):
        photo_ids.update(Face.objects.filter(pk__in=chunk).values_list("photo_id", flat=True))
    subjects = {
        EditSubject.Kind.PERSON: set(people),
        EditSubject.Kind.FACE: face_ids,
        EditSubject.Kind.PHOTO: photo_ids,
    }
    EditSubject.objects.bulk_create(
        (
            EditSubject(edit=edit, kind=kind, subject_id=pk)
            for kind, ids in subjects.items()
            for pk in sorted(ids)
        ),
        batch_size=1000,
    )


def _subjects(edit: Edit, kind: str) -> set[int]:
    return set(edit.subjects.filter(kind=kind).values_list("subject_id", flat=True))


def _is_undo(edit: Edit) -> bool:
    return edit.kind == "undo"


def _undo_summary(edit: Edit, left: int) -> str:
    """What was undone or done again, in the words of the edit that began it."""
    first = edit
    while first.undoes is not None:
        first = first.undoes
    text = f"{'Done again' if _is_undo(edit) else 'Undone'}: {first.summary}"
    if not left:
        return text
    stay = "was changed since and stays as it is" if left == 1 else "were changed since and stay"
    return (
        f"{text}. {faces_in_words(left).capitalize()} {stay}{'' if left == 1 else ' as they are'}"
    )
