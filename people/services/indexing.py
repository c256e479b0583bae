"""The one module that writes the index, always after the database.

Rows say what should be there: embeddings without `indexed_at` are to be added, IndexRemoval
rows to be taken out. Both can be done again without harm.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.core.files.storage import default_storage
from django.utils import timezone

from faceweb import runtime
from faceweb.recognition import embedders
from faceweb.recognition.embedders import collection_name
from people import files
from people.models import Face, FaceEmbedding, FileRemoval, IndexRemoval
from people.services.changes import in_chunks

log = logging.getLogger("faceweb.index")

_BATCH = 1000


@dataclass(frozen=True)
class Reconciliation:
    """What was put right: points that were missing, points that had no row."""

    added: int
    removed: int


def add_embeddings(*, rows: Sequence[FaceEmbedding]) -> None:
    """Put committed embeddings into the index and mark them."""
    by_collection: dict[str, list[FaceEmbedding]] = {}
    for row in rows:
        by_collection.setdefault(collection_name(row.embedder, row.version), []).append(row)
    for collection, members in by_collection.items():
        vectors = np.stack([np.frombuffer(bytes(row.vector), np.float32) for row in members])
        runtime.index().upsert(collection, [row.pk for row in members], vectors)
    ids = [row.pk for row in rows]
    marked = FaceEmbedding.objects.filter(pk__in=ids).update(indexed_at=timezone.now())
    if marked != len(ids):
        # Deleted in between: their removal may have been drained before the upsert.
        gone = set(ids) - set(FaceEmbedding.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for collection, members in by_collection.items():
            runtime.index().remove(collection, [row.pk for row in members if row.pk in gone])


def drain(*, limit: int = 20_000) -> int:
    """Add what is not indexed yet and remove what has to go; return how many points changed."""
    changed = 0
    waiting = FaceEmbedding.objects.unindexed().order_by("pk")[:limit]
    for rows in in_chunks(waiting, _BATCH):
        add_embeddings(rows=rows)
        changed += len(rows)
    for removals in in_chunks(IndexRemoval.objects.order_by("pk")[:limit], _BATCH):
        by_collection: dict[str, list[int]] = {}
        for removal in removals:
            by_collection.setdefault(removal.collection, []).append(removal.point)
        for collection, points in by_collection.items():
            runtime.index().remove(collection, points)
        IndexRemoval.objects.filter(pk__in=[r.pk for r in removals]).delete()
        changed += len(removals)
    return changed


def remove_files(*, limit: int = 20_000) -> int:
    """Delete the stored files that have to go; return how many."""
    removed = 0
    for removals in in_chunks(FileRemoval.objects.order_by("pk")[:limit], _BATCH):
        # A crop's name follows from its box: a face whose box came back may use it again.
        crops = [removal.name for removal in removals if files.is_crop(removal.name)]
        used = set(Face.objects.filter(crop__in=crops).values_list("crop", flat=True))
        for removal in removals:
            if removal.name not in used:
                default_storage.delete(removal.name)
        FileRemoval.objects.filter(pk__in=[r.pk for r in removals]).delete()
        removed += len(removals)
    return removed


def reconcile() -> Reconciliation:
    """Make every collection hold exactly the points that have rows."""
    added = removed = 0
    for embedder, version in _kinds():
        collection = collection_name(embedder, version)
        # The index is read first: a point that is there had its row before, so that what
        # other workers add meanwhile is never taken for a leftover.
        present = set(runtime.index().ids(collection))
        rows = FaceEmbedding.objects.filter(embedder=embedder, version=version)
        wanted = set(rows.values_list("pk", flat=True))
        extra = sorted(present - wanted)
        for ids in in_chunks(extra, _BATCH):
            runtime.index().remove(collection, ids)
        missing = sorted(wanted - present)
        for ids in in_chunks(missing, _BATCH):
            add_embeddings(rows=list(FaceEmbedding.objects.filter(pk__in=ids)))
        added, removed = added + len(missing), removed + len(extra)
    if added or removed:
        log.warning("index put right: %d points added, %d removed", added, removed)
    return Reconciliation(added, removed)


def rebuild() -> int:
    """Make the index anew from the rows, without a model; return how many points it holds."""
    for embedder, version in _kinds():
        runtime.index().drop(collection_name(embedder, version))
    FaceEmbedding.objects.update(indexed_at=None)
    points = 0
    while done := drain():
        points += done
    return points


def points() -> int:
    """How many points the index holds in all."""
    return sum(runtime.index().count(collection_name(*kind)) for kind in _kinds())


def _kinds() -> list[tuple[str, str]]:
    """Every embedder and version, by name, that the index may hold vectors of."""
    rows = FaceEmbedding.objects.order_by().values_list("embedder", "version").distinct()
    known = {(spec.slug, spec.version) for spec in embedders.specs()}
    return sorted(known.union(rows))
