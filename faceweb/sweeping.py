"""Returning to the queue what a dead worker or a lost message left behind. Worker only."""

import json
import logging
import os
import time

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from faceweb import queues
from people import tasks as people_tasks
from people.jobs import MAX_CRASHES, JobQuerySet, Status
from people.models import Evaluation, Face, Import, Photo
from people.services import embedding, grouping, indexing, judging, people_edits
from search import tasks as search_tasks
from search.models import Search
from search.services import searches

log = logging.getLogger("faceweb.sweep")


def sweep(*, worker: str | None = None) -> None:
    """Put right what was left behind; safe to run at any time, by any number of workers.

    `worker` is the name of a worker that has just started: what it held in a former life is
    returned at once, without waiting for the leases to run out, the index is held against the
    database, and faces without a quality are judged.
    """
    for jobs in (Photo.objects.all(), Search.objects.all(), Evaluation.objects.all()):
        _return_abandoned(jobs, worker)
    embedding.release(worker=worker)
    _requeue_forgotten()
    for batch in _unsettled_imports():
        queues.send(people_tasks.settle_import, batch.pk)
    searches.purge_expired()
    people_edits.purge_deleted()
    indexing.drain()
    indexing.remove_files()
    if worker is not None:
        indexing.reconcile()
        queues.send(people_tasks.judge_faces if judging.is_due() else people_tasks.refresh_guesses)
    elif grouping.is_due():
        queues.send(people_tasks.group_faces)


def report_ready(*, worker: str) -> None:
    """Leave a note that this worker answers; `manage.py start` waits for it."""
    note = {"pid": os.getpid(), "worker": worker, "at": time.time()}
    (settings.DATA_DIR / "run" / "worker.json").write_text(json.dumps(note))


def report_gone() -> None:
    (settings.DATA_DIR / "run" / "worker.json").unlink(missing_ok=True)


def _return_abandoned(jobs: JobQuerySet, worker: str | None) -> None:
    """Queue again what a dead worker held, and set aside what killed it twice."""
    abandoned = jobs.abandoned(now=timezone.now(), worker=worker)
    hopeless = abandoned.filter(crashes__gte=MAX_CRASHES - 1)
    set_aside = hopeless.fail("crashed_worker")
    returned = abandoned.release(crashed=True)
    if set_aside or returned:
        name = jobs.model._meta.verbose_name_plural
        log.warning("%s: %d returned to the queue, %d set aside", name, returned, set_aside)


def _requeue_forgotten() -> None:
    """Send tasks for queued rows when nothing waits: their messages are lost."""
    if queues.waiting("search") == 0:
        for pk in Search.objects.filter(status=Status.QUEUED).values_list("pk", flat=True):
            search_tasks.enqueue_search(pk)
        waiting = Face.objects.waiting().filter(photo__status=Status.DONE).order_by()
        people_tasks.enqueue_boxes(waiting.values_list("photo", flat=True).distinct())
    if queues.waiting("maintenance") == 0:
        for pk in Evaluation.objects.filter(status=Status.QUEUED).values_list("pk", flat=True):
            people_tasks.enqueue_evaluation(pk)
    if queues.waiting("ingest") == 0:
        queued = Photo.objects.filter(status=Status.QUEUED).order_by("pk")
        people_tasks.enqueue_photos(queued.filter(crashes=0).values_list("pk", flat=True))
        # Photos that were in hand at a crash go last and alone, so that they harm no others.
        for pk in queued.filter(crashes__gt=0).values_list("pk", flat=True):
            people_tasks.enqueue_photos([pk])
    people_tasks.enqueue_embedding()


def _unsettled_imports() -> QuerySet[Import]:
    """Imports whose photos are all looked at and whose names nobody settled yet."""
    return Import.objects.filter(settled_at=None).exclude(
        photos__status__in=(Status.QUEUED, Status.PROCESSING)
    )
