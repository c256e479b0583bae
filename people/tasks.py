"""Tasks about photos, and how they are queued. The bodies run in the worker only.

They import the worker's services when they run: whoever merely queues a task must not load
models or the index.
"""

from collections.abc import Iterable

from celery import Task, shared_task
from django.conf import settings
from django.db import OperationalError

from faceweb import queues
from people.services import coverage

# Small enough that a search never waits long for a free thread, large enough for batches.
PHOTOS_PER_TASK = 8
# How many such tasks are queued at once where there may be thousands of them.
_TASKS_AT_ONCE = 4

_RETRY = {"autoretry_for": (OperationalError,), "retry_backoff": 2, "max_retries": 5}


@shared_task(bind=True, name="people.process_photos", queue="ingest", **_RETRY)
def process_photos(self: Task, photo_ids: list[int]) -> None:
    from people.services import ingest

    batches = ingest.process_photos(photo_ids=photo_ids, worker=self.request.hostname or "")
    for batch_id in batches:
        queues.send(settle_import, batch_id)


@shared_task(name="people.settle_import", queue="maintenance", **_RETRY)
def settle_import(batch_id: int) -> None:
    from people.models import Import
    from people.services import matching

    batch = Import.objects.filter(pk=batch_id).first()
    if batch is not None:
        matching.settle_import(batch=batch, embedder=settings.FACEWEB_EMBEDDER)


@shared_task(bind=True, name="people.embed_photos", queue="maintenance", **_RETRY)
def embed_photos(self: Task, photo_ids: list[int], last: int) -> None:
    """`last` is the last photo that was queued together with these."""
    from people.services import embedding

    if embedding.embed_photos(photo_ids=photo_ids, worker=self.request.hostname or ""):
        enqueue_embedding(after=last)


@shared_task(name="people.drain_removals", queue="maintenance", **_RETRY)
def drain_removals() -> None:
    from people.services import indexing

    indexing.drain()
    indexing.remove_files()


@shared_task(name="people.index_points", queue="search", ignore_result=False, expires=30)
def index_points() -> int:
    from people.services import indexing

    return indexing.points()


def enqueue_photos(photo_ids: Iterable[int]) -> None:
    queues.send_in_chunks(process_photos, photo_ids, PHOTOS_PER_TASK)


def enqueue_embedding(*, after: int = 0) -> None:
    """Queue the next few photos whose faces the active embedder has not seen, if little waits.

    Never a whole archive: what else is in that queue would wait behind it.
    """
    waiting = queues.waiting("maintenance")
    if waiting is None or waiting > 1:
        return
    found = coverage.photos_to_embed(after=after, limit=_TASKS_AT_ONCE * PHOTOS_PER_TASK)
    crashes = dict(found.values_list("pk", "crashes"))
    if not crashes:
        return
    last = max(crashes)
    together = [pk for pk, count in crashes.items() if not count]
    alone = [[pk] for pk, count in crashes.items() if count]
    chunks = [
        together[start : start + PHOTOS_PER_TASK]
        for start in range(0, len(together), PHOTOS_PER_TASK)
    ]
    for chunk in (*chunks, *alone):
        queues.send(embed_photos, chunk, last)


def enqueue_settling(batch_id: int) -> None:
    """For imports of known photos, which no photo's own task would settle."""
    queues.send(settle_import, batch_id)


def enqueue_removals() -> None:
    queues.send(drain_removals)
