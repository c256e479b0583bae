"""Doing what an undo was planned to do, with bulk statements only."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from people.models import Face, Person, Rejection
from people.services import moving, numbering, turning, upkeep
from people.services.changes import (
    CHUNK,
    KEPT,
    Change,
    Values,
    attribute,
    in_chunks,
    manager,
    real_value,
    write,
)
from people.services.planning import Plan


def apply(*, plan: Plan) -> list[Change]:
    """Do what was planned, within the transaction that planned it; return what was changed."""
    people = [step for step in plan.steps if step["model"] == "person"]
    write_people(changes=[step for step in people if step["id"] not in plan.made])
    refused: set[int] = set()
    for name in [name for name in KEPT if name != "person"]:
        own = [step for step in plan.steps if step["model"] == name]
        _update(name, [step for step in own if step["before"] and step["after"]])
        delete(name, [step["id"] for step in own if step["after"] is None])
        refused |= _insert(name, [step for step in own if step["before"] is None])
    used = _used(plan.made)
    write_people(changes=[s for s in people if s["id"] in plan.made and s["id"] not in used])
    refused |= {id(step) for step in people if step["id"] in used}
    done = [step for step in plan.steps if id(step) not in refused]
    done += _carry_along(people)
    return done + keep_up(changes=done)


def write_people(*, changes: Iterable[Change]) -> None:
    """Write the `after` of changes of people, with the keys that follow from their names."""
    kept = KEPT["person"]
    values: dict[int, Values] = {}
    for change in changes:
        values.setdefault(change["id"], {}).update(change["after"])
    people = Person.everyone.in_bulk(list(values))
    fields: set[str] = {"name_key", "search_key", "revision"}
    for pk, person in people.items():
        for field, value in values[pk].items():
            setattr(person, attribute(kept, field), real_value(kept, field, value))
        person.fill_keys()
        person.revision += 1
        fields |= set(values[pk])
    if people:
        Person.everyone.bulk_update(people.values(), sorted(fields), batch_size=CHUNK)


def keep_up(*, changes: list[Change]) -> list[Change]:
    """Put right what depends on changed rows: boxes, covers, clusters, suggestions.

    Returns the changes of covers that their people lost by it.
    """
    faces = [change for change in changes if change["model"] == "face"]
    people = {change["id"] for change in changes if change["model"] == "person"}
    moved = [one["id"] for one in faces if one["before"] and one["after"] and "x1" in one["after"]]
    upkeep.forget_looks(face_ids=moved)
    for change in changes:
        if change["model"] == "photo" and "turns" in (change["after"] or {}):
            by = change["after"]["turns"] - change["before"]["turns"]
            turning.follow(photo_id=change["id"], by=by)
    upkeep.faces_changed(
        face_ids=[change["id"] for change in faces], cluster_ids=_values(faces, "cluster")
    )
    return upkeep.mend_covers(person_ids=people | owners(changes=changes))


def owners(*, changes: list[Change]) -> set[int]:
    """The ids of the people from whom, or to whom, faces went."""
    return _values([change for change in changes if change["model"] == "face"], "person")


def _values(changes: list[Change], field: str) -> set[int]:
    """Every value that a field had before or has after some changes, without none."""
    both = [(change["before"] or {}, change["after"] or {}) for change in changes]
    return {values[field] for pair in both for values in pair if values.get(field) is not None}


def _update(name: str, steps: list[Change]) -> None:
    """Write rows that become the same with one statement."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for step in steps:
        groups[tuple(sorted(step["after"].items()))].append(step["id"])
    for values, ids in groups.items():
        write(name, ids, dict(values))


def _insert(name: str, steps: list[Change]) -> set[int]:
    """Make rows again under their old ids; return the steps whose row is there in another form."""
    kept = KEPT[name]
    rows: list[Any] = []
    for step in steps:
        values = step["after"].items()
        real = {attribute(kept, field): real_value(kept, field, value) for field, value in values}
        rows.append(kept.model(pk=step["id"], **{**kept.missing, **real}))
    if name == "face":
        numbering.renumber_taken(faces=rows)
    manager(kept).bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
    there: set[int] = set()
    for chunk in in_chunks([step["id"] for step in steps]):
        there.update(manager(kept).filter(pk__in=chunk).values_list("pk", flat=True))
    return {id(step) for step in steps if step["id"] not in there}


def delete(name: str, ids: list[int]) -> None:
    """Delete rows; what was seen in the boxes of faces goes with them."""
    if name == "face":
        upkeep.forget_looks(face_ids=ids)
    for chunk in in_chunks(ids):
        manager(KEPT[name]).filter(pk__in=chunk).delete()


def _used(people: set[int]) -> set[int]:
    """Those people whom a face, a rejection or someone merged into them still needs."""
    return {
        *Face.objects.filter(person__in=people).values_list("person_id", flat=True),
        *Rejection.objects.filter(person__in=people).values_list("person_id", flat=True),
        *Person.everyone.filter(merged_into__in=people).values_list("merged_into_id", flat=True),
    }


def _carry_along(people: list[Change]) -> list[Change]:
    """When a merge is done again, what the merged people got meanwhile goes along."""
    merged: dict[int, set[int]] = defaultdict(set)
    for step in people:
        if into := (step["after"] or {}).get("merged_into"):
            merged[into].add(step["id"])
    return [
        change
        for into, others in merged.items()
        for change in moving.take_over(into=Person.everyone.get(pk=into), others=others)
    ]
