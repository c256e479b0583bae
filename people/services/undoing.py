"""Doing what an undo was planned to do, with bulk statements only."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from people.models import Face, Person, Rejection
from people.services import moving, upkeep
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
    refused: set[int] = set()
    people = [step for step in plan.steps if step["model"] == "person"]
    _insert([step for step in people if step["before"] is None])
    write_people(changes=[step for step in people if step["before"] and step["after"]])
    for name in [name for name in KEPT if name != "person"]:
        own = [step for step in plan.steps if step["model"] == name]
        _update(name, [step for step in own if step["before"] and step["after"]])
        _delete(name, [step["id"] for step in own if step["after"] is None])
        refused |= _insert([step for step in own if step["before"] is None])
    refused |= _delete_empty([step for step in people if step["after"] is None])
    done = [step for n, step in enumerate(plan.steps) if id(step) not in refused]
    done += _carry_along(people)
    keep_up(changes=done)
    return done


def write_people(*, changes: Iterable[Change]) -> None:
    """Write the `after` of changes of people, with the keys that follow from their names."""
    kept = KEPT["person"]
    values = {change["id"]: change["after"] for change in changes}
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


def keep_up(*, changes: Iterable[Change]) -> None:
    """Put right what depends on changed rows: covers, clusters, suggestions."""
    people: set[Any] = set()
    faces: set[int] = set()
    clusters: set[Any] = set()
    for change in changes:
        both: tuple[Values, ...] = (change["before"] or {}, change["after"] or {})
        if change["model"] == "person":
            people.add(change["id"])
        elif change["model"] == "face":
            faces.add(change["id"])
            people |= {values.get("person") for values in both}
            clusters |= {values.get("cluster") for values in both}
    upkeep.mend_covers(person_ids=people)
    upkeep.faces_changed(face_ids=faces, cluster_ids=clusters)


def _update(name: str, steps: list[Change]) -> None:
    """Write rows that become the same with one statement."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for step in steps:
        groups[tuple(sorted(step["after"].items()))].append(step["id"])
    for values, ids in groups.items():
        write(name, ids, dict(values))


def _insert(steps: list[Change]) -> set[int]:
    """Make rows again under their old ids; return the steps whose row is there in another form."""
    refused: set[int] = set()
    for name in {step["model"] for step in steps}:
        kept, own = KEPT[name], [step for step in steps if step["model"] == name]
        rows = []
        for step in own:
            values = {
                attribute(kept, field): real_value(kept, field, value)
                for field, value in step["after"].items()
            }
            rows.append(kept.model(pk=step["id"], **values))
        for row in rows:
            if isinstance(row, Person):
                row.fill_keys()
        manager(kept).bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
        there: set[int] = set()
        for chunk in in_chunks([step["id"] for step in own]):
            there.update(manager(kept).filter(pk__in=chunk).values_list("pk", flat=True))
        refused |= {id(step) for step in own if step["id"] not in there}
    return refused


def _delete(name: str, ids: list[int]) -> None:
    for chunk in in_chunks(ids):
        manager(KEPT[name]).filter(pk__in=chunk).delete()


def _delete_empty(steps: list[Change]) -> set[int]:
    """Delete people whom an edit had made, unless someone has use for them by now."""
    ids = [step["id"] for step in steps]
    used = {
        *Face.objects.filter(person__in=ids).values_list("person_id", flat=True),
        *Rejection.objects.filter(person__in=ids).values_list("person_id", flat=True),
        *Person.everyone.filter(merged_into__in=ids).values_list("merged_into_id", flat=True),
    }
    _delete("person", [pk for pk in ids if pk not in used])
    return {id(step) for step in steps if step["id"] in used}


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
