"""Changes of rows as plain data: taken down, held against what is there now, and turned back.

A change is {"model", "id", "before", "after"}: the values of the changed fields, with the ids of
other rows and dates as text. `before` is None for a row that was made, `after` for one that went.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from django.db.models import ForeignKey, Model

from people.models import Cluster, Face, NotSame, Person, PersonPair, Photo, Rejection

Change = dict[str, Any]
Values = dict[str, Any]
Item = TypeVar("Item")

# How many rows one statement names.
CHUNK = 500


@dataclass(frozen=True)
class Kept:
    """What the history keeps of one kind of row. Vectors, crops and landmarks are never kept."""

    model: type[Model]
    fields: tuple[str, ...]
    # Conveniences that faceweb itself changes at any time: not compared, put back if possible.
    loose: frozenset[str] = frozenset()
    # What a row that comes back has in the fields that are not kept.
    missing: Mapping[str, Any] = field(default_factory=dict)


KEPT = {
    "person": Kept(
        Person,
        ("name", "aliases", "notes", "birth_year", "cover", "is_searchable", "lawful_basis",
         "consent_on", "retain_until", "import_key", "merged_into", "deleted_at"),
        frozenset({"cover", "import_key"}),
    ),
    "face": Kept(
        Face,
        ("person", "assigned_by", "is_anchor", "state", "cluster", "photo", "number", "origin",
         "x1", "y1", "x2", "y2"),
        frozenset({"cluster", "is_anchor"}),
        {"landmarks": [], "detection_score": 0.0},
    ),
    "photo": Kept(Photo, ("naming", "turns", "taken_at", "source")),
    "rejection": Kept(Rejection, ("face", "person")),
    "notsame": Kept(NotSame, ("face", "other")),
    "pair": Kept(
        PersonPair, ("person", "other", "face", "other_face", "similarity", "dismissed_at")
    ),
    "cluster": Kept(Cluster, ("dismissed_at",)),
}  # fmt: skip


def made(name: str, row: Model) -> Change:
    """The change that made a row."""
    kept = KEPT[name]
    values = {field: plain(getattr(row, attribute(kept, field))) for field in kept.fields}
    return {"model": name, "id": row.pk, "before": None, "after": values}


def gone(name: str, pk: int, values: Values) -> Change:
    """The change that took a row away, which had these values."""
    return {"model": name, "id": pk, "before": values, "after": None}


def updated(name: str, pk: int, before: Values, after: Values) -> Change:
    """The change of some fields of a row; `before` may have more fields than `after`."""
    return {
        "model": name,
        "id": pk,
        "before": {field: before[field] for field in after},
        "after": dict(after),
    }


def values_of(
    name: str, ids: Iterable[int], *, lock: bool = False, fields: Sequence[str] = ()
) -> dict[int, Values]:
    """The kept values of rows as they are now, by id; locked until the transaction ends."""
    kept = KEPT[name]
    wanted = tuple(fields) or kept.fields
    columns = [attribute(kept, field) for field in wanted]
    found: dict[int, Values] = {}
    for chunk in in_chunks(sorted(set(ids))):
        rows = manager(kept).filter(pk__in=chunk).order_by("pk")
        if lock:
            rows = rows.select_for_update()
        for pk, *values in rows.values_list("pk", *columns):
            found[pk] = dict(zip(wanted, map(plain, values), strict=True))
    return found


def write(name: str, ids: Iterable[int], values: Values) -> None:
    """Give many rows the same plain values."""
    kept = KEPT[name]
    real = {attribute(kept, field): real_value(kept, field, v) for field, v in values.items()}
    for chunk in in_chunks(sorted(ids)):
        manager(kept).filter(pk__in=chunk).update(**real)


def manager(kept: Kept) -> Any:
    """Every row, whether its default manager would show it or not."""
    return kept.model._base_manager


def attribute(kept: Kept, field: str) -> str:
    """The attribute that holds a field's plain value: the id of a row that it points to."""
    return str(kept.model._meta.get_field(field).attname)  # type: ignore[union-attr]


def points_to(kept: Kept, field: str) -> type[Model] | None:
    """The model of the row that a field points to, if it does."""
    found = kept.model._meta.get_field(field)
    related = found.related_model if isinstance(found, ForeignKey) else None
    return related if isinstance(related, type) else None


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def real_value(kept: Kept, field: str, value: Any) -> Any:
    found: Any = kept.model._meta.get_field(field)
    if isinstance(found, ForeignKey):
        return value
    return found.to_python(value)


def in_chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
