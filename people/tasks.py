"""Tasks about photos, and how they are queued. The bodies run in the worker only.

They import the worker's services when they run: whoever merely queues a task must not load
models or the index.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.db import OperationalError

from faceweb import queues
from people.jobs import Status
from people.models import Edit, EditSubject, Face, Photo
from people.services import coverage
from people.services.changes import in_chunks

# Photos of one task, and bytes of their files: a few large ones take as long as many small ones.
# Small enough that a search never waits long for a free thread.
_SMALL = 16, 1_000_000
# So large that what a task costs in itself hardly counts. Such a task stops where a search waits.
PHOTOS_PER_TASK = 48
_LARGE = PHOTOS_PER_TASK, 3_000_000
# As many as services.ingest looks at as one batch: tasks are of so many or several times as many.
_FEWEST = 12
# How many photos that someone has open go past those of an import.
_FEW = 8
# How many photos are queued at once where there may be thousands of them.
_QUEUED_AT_ONCE = 32

# Another thread is at the same work: this comes again soon, and holds no thread meanwhile.
_BUSY: dict[str, Any] = {"countdown": 2, "max_retries": 1000}
# Kinds of edits after which photos or boxes may have to be looked at.
_WITH_A_LOOK = ("box_add", "box_move", "rotate", "undo", "redo")

_RETRY = {"autoretry_for": (OperationalError,), "retry_backoff": 2, "max_retries": 5}
# For tasks that leave what the storage could not give them just now to the next try.
_RETRY_STORAGE = {**_RETRY, "autoretry_for": (OperationalError, OSError)}


@shared_task(bind=True, name="people.process_photos", queue="ingest", **_RETRY)
def process_photos(self: Task, photo_ids: list[int]) -> None:
    """Look at photos, unless someone waits for an answer meanwhile: then the rest comes later."""
    _look_at_photos(self, photo_ids, pause=lambda: bool(queues.waiting("search")))


@shared_task(bind=True, name="people.look_again", queue="search", **_RETRY)
def look_again(self: Task, photo_ids: list[int]) -> None:
    """The same for a few photos that someone has open: they do not wait behind an import."""
    _look_at_photos(self, photo_ids, pause=lambda: False)


def _look_at_photos(task: Task, photo_ids: list[int], pause: Callable[[], bool]) -> None:
    from people.services import ingest

    worker = task.request.hostname or ""
    outcome = ingest.process_photos(photo_ids=photo_ids, worker=worker, pause=pause)
    if outcome.left:
        queues.send(process_photos, outcome.left)
    for batch_id in outcome.through:
        queues.send(settle_import, batch_id)


@shared_task(name="people.look_at_boxes", queue="search", **_RETRY)
def look_at_boxes(photo_ids: list[int]) -> None:
    from people.services import drawn

    drawn.look(photo_ids=photo_ids)


@shared_task(name="people.settle_import", queue="maintenance", **_RETRY)
def settle_import(batch_id: int) -> None:
    from people.models import Import
    from people.services import matching

    batch = Import.objects.filter(pk=batch_id).first()
    if batch is not None:
        settled = matching.settle_import(batch=batch, embedder=settings.FACEWEB_EMBEDDER)
        if settled is not None:
            queues.send(refresh_after_import, batch_id)


@shared_task(bind=True, name="people.evaluate_gallery", queue="maintenance", **_RETRY)
def evaluate_gallery(self: Task, evaluation_id: int) -> None:
    from people.services import evaluating

    evaluating.run_evaluation(evaluation_id=evaluation_id, worker=self.request.hostname or "")


@shared_task(bind=True, name="people.embed_photos", queue="maintenance", **_RETRY_STORAGE)
def embed_photos(self: Task, photo_ids: list[int], last: int) -> None:
    """`last` is the last photo that was queued together with these."""
    from people.services import embedding

    if embedding.embed_photos(photo_ids=photo_ids, worker=self.request.hostname or ""):
        enqueue_embedding(after=last)
        if coverage.is_complete(after=last):
            enqueue_guesses()


@shared_task(name="people.drain_removals", queue="maintenance", **_RETRY)
def drain_removals() -> None:
    from people.services import indexing

    indexing.drain()
    indexing.remove_files()


@shared_task(bind=True, name="people.refresh_after_edit", queue="maintenance", **_RETRY)
def refresh_after_edit(self: Task, edit_id: int) -> None:
    from people.services import guesses

    if not guesses.refresh_after_edit(edit_id=edit_id):
        raise self.retry(**_BUSY)


@shared_task(bind=True, name="people.refresh_after_import", queue="maintenance", **_RETRY)
def refresh_after_import(self: Task, batch_id: int) -> None:
    from people.services import guesses

    if not guesses.refresh_after_import(batch_id=batch_id):
        raise self.retry(**_BUSY)


@shared_task(bind=True, name="people.refresh_guesses", queue="maintenance", **_RETRY)
def refresh_guesses(self: Task) -> None:
    from people.services import guesses

    if not guesses.refresh_all():
        raise self.retry(**_BUSY)


@shared_task(name="people.group_faces", queue="maintenance", **_RETRY)
def group_faces() -> None:
    from people.services import grouping

    grouping.refresh()


@shared_task(name="people.index_points", queue="search", ignore_result=False, expires=30)
def index_points() -> int:
    from people.services import indexing

    return indexing.points()


@shared_task(name="people.judge_faces", queue="maintenance", **_RETRY)
def judge_faces(after: int = 0) -> None:
    """Judge the quality of a few faces that have none, then of the next few."""
    from people.services import judging

    last = judging.judge_faces(after=after)
    if last is not None:
        queues.send(judge_faces, last)
    else:  # poor faces found no clusters and speak for nobody
        queues.send(refresh_guesses)


def enqueue_photos(photo_ids: Iterable[int], *, more: bool = False) -> None:
    """Queue photos; with `more`, others follow at once, and tasks stay large."""
    _enqueue(process_photos, photo_ids, fewest=PHOTOS_PER_TASK if more else _FEWEST)


def _enqueue(task: Task, photo_ids: Iterable[int], *, fewest: int = _FEWEST) -> None:
    sizes: list[tuple[int, int]] = []
    for some in in_chunks(photo_ids):
        sizes += Photo.objects.filter(pk__in=some).order_by("pk").values_list("pk", "size")
    for ids in _portions(sizes, *(_LARGE if task is process_photos else _SMALL), fewest=fewest):
        queues.send(task, ids)


def _portions(
    sizes: Sequence[tuple[int, int]], most: int, most_bytes: int, *, fewest: int
) -> Iterator[list[int]]:
    """The ids of photos for one task each, from the ids and the sizes of files in bytes.

    The fewer are left, the smaller tasks become: all threads have work until the end.
    """
    at = 0
    while at < len(sizes):
        share = (len(sizes) - at) // (2 * settings.FACEWEB_WORKER_THREADS) // _FEWEST * _FEWEST
        few = sizes[at : at + min(most, max(fewest, share))]
        light = sum(total <= most_bytes for total in accumulate(size for _, size in few))
        few = few[: max(1, light)]
        yield [pk for pk, _ in few]
        at += len(few)


def enqueue_again(photo_ids: Iterable[int]) -> None:
    """For photos that somebody asked to be looked at again: a few at once, many in their turn."""
    ids = list(photo_ids)
    _enqueue(process_photos if len(ids) > _FEW else look_again, ids)


def enqueue_boxes(photo_ids: Iterable[int]) -> None:
    """For photos with boxes that were drawn or moved."""
    _enqueue(look_at_boxes, photo_ids)


def enqueue_embedding(*, after: int = 0) -> None:
    """Queue the next few photos whose faces the active embedder has not seen, if little waits.

    Never a whole archive: what else is in that queue would wait behind it.
    """
    waiting = queues.waiting("maintenance")
    if waiting is None or waiting > 1:
        return
    found = coverage.photos_to_embed(after=after, limit=_QUEUED_AT_ONCE)
    photos = list(found.values_list("pk", "size", "crashes"))
    sizes = [(pk, size) for pk, size, crashes in photos if not crashes]
    together = _portions(sizes, *_SMALL, fewest=_SMALL[0])
    alone = [[pk] for pk, _, crashes in photos if crashes]
    for ids in (*together, *alone):
        queues.send(embed_photos, ids, photos[-1][0])


def enqueue_settling(batch_id: int) -> None:
    """For imports of known photos, which no photo's own task would settle."""
    queues.send(settle_import, batch_id)


def enqueue_evaluation(evaluation_id: int) -> None:
    queues.send(evaluate_gallery, evaluation_id)


def enqueue_removals() -> None:
    queues.send(drain_removals)


def enqueue_after_edit(edit: Edit) -> None:
    """What follows every edit of the history in the worker: views and commands call this once.

    `edit.subjects` says which people and faces it was about.
    """
    queues.send(drain_removals)
    queues.send(refresh_after_edit, edit.pk)
    if edit.kind in _WITH_A_LOOK:
        about = edit.subjects.filter(kind=EditSubject.Kind.PHOTO).values("subject_id")
        photos = Photo.objects.filter(pk__in=about).order_by()
        enqueue_again(photos.filter(status=Status.QUEUED).values_list("pk", flat=True))
        waiting = photos.filter(status=Status.DONE, faces__in=Face.objects.waiting())
        enqueue_boxes(waiting.values_list("pk", flat=True).distinct())


def enqueue_guesses() -> None:
    """After what changes all scores: other rates, another calibration, another embedder."""
    queues.send(refresh_guesses)
