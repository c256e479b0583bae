"""Bringing back people who wait for their deletion."""

from typing import Any

from people.models import Edit, Person
from people.problems import Refused
from people.services import history


def deletion_of(*, person: Person) -> Edit | None:
    """The edit by which a person waits for deletion; None if they do not.

    That is not always one that deleted them: an undo takes away whom an edit had made.
    """
    if person.deleted_at is None:
        return None
    kinds = ("delete", "undo", "redo")
    edits = history.of(person=person).filter(kind__in=kinds, undone_by=None)
    # With their changes at once, and a few at a time, as those of a large edit are megabytes.
    for edit in edits.defer(None).iterator(chunk_size=10):
        if any(
            change["model"] == "person"
            and change["id"] == person.pk
            and (change["after"] or {}).get("deleted_at")
            for change in edit.changes
        ):
            return edit
    return None


def restore(*, person: Person, user: Any = None, reason: str = "") -> Edit:
    """Undo a person's deletion while their time of grace lasts. Raises Refused."""
    found = Person.everyone.filter(pk=person.pk).first()
    if found is None:
        raise Refused("person_gone")
    if found.merged_into_id is not None:
        raise Refused("was_merged")
    edit = deletion_of(person=found)
    if edit is None:
        raise Refused("not_deleted")
    return history.undo(edit=edit, user=user, reason=reason)
