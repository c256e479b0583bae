"""Tasks about searches, and how they are queued. The bodies run in the worker only."""

import uuid
from typing import Any

from celery import Task, shared_task
from django.db import OperationalError

from faceweb import queues


@shared_task(bind=True, name="search.run", queue="search", autoretry_for=(OperationalError,),
             retry_backoff=1, max_retries=5)  # fmt: skip
def run_search(self: Task, search_id: str) -> None:
    from search.services import identification

    identification.run_search(search_id=uuid.UUID(search_id), worker=self.request.hostname or "")


def enqueue_search(search_id: Any) -> None:
    queues.send(run_search, str(search_id))
