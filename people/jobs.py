"""Rows as jobs: how a worker claims work in the database so that nothing is lost or done twice.

A row is queued, then processing under a claim with a lease, then done or failed. A claim is
one conditional update, so that of two workers only one gets a row. When a worker dies its
rows are returned by `release`; a row that was alone in hand at a second death is set aside.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

LEASE = timedelta(minutes=10)
MAX_CRASHES = 2


class Status(models.TextChoices):
    QUEUED = "queued", "Waiting"
    PROCESSING = "processing", "Being looked at"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class JobQuerySet(models.QuerySet[Any]):
    """Queries over rows that are jobs."""

    def claim(self, ids: list[Any], *, worker: str) -> Self:
        """Claim those of the queued rows `ids` that are still free; return the claimed ones.

        A row that was in hand when a worker died is claimed only when it is asked for alone,
        so that it cannot take others down with it.
        """
        free = self.filter(pk__in=ids, status=Status.QUEUED)
        if len(ids) > 1:
            free = free.filter(crashes=0)
        token = uuid.uuid4()
        free.update(
            status=Status.PROCESSING,
            claim=token,
            claimed_by=worker,
            lease_expires_at=timezone.now() + LEASE,
        )
        return self.filter(claim=token, status=Status.PROCESSING)

    def pending(self) -> Self:
        return self.filter(status__in=(Status.QUEUED, Status.PROCESSING))

    def abandoned(self, *, now: datetime, worker: str | None = None) -> Self:
        """Rows in hand whose lease has run out, or that `worker` held in a former life."""
        lost = models.Q(lease_expires_at__lt=now)
        if worker is not None:
            lost |= models.Q(claimed_by=worker)
        return self.filter(lost, status=Status.PROCESSING)

    def release(self, *, crashed: bool) -> int:
        """Return rows in hand to the queue; count a crash against them if there was one."""
        return self.update(
            status=Status.QUEUED,
            claim=None,
            claimed_by="",
            lease_expires_at=None,
            crashes=models.F("crashes") + int(crashed),
        )

    def fail(self, code: str, detail: str = "") -> int:
        return self.update(
            status=Status.FAILED,
            claim=None,
            claimed_by="",
            lease_expires_at=None,
            error_code=code,
            error_detail=detail[:500],
            finished_at=timezone.now(),
        )


class Job(models.Model):
    """What every row that is worked on by a worker has."""

    status = models.CharField(
        max_length=10, choices=Status, default=Status.QUEUED, editable=False, db_index=True
    )
    error_code = models.CharField(max_length=40, blank=True, editable=False)
    error_detail = models.CharField(max_length=500, blank=True, editable=False)
    crashes = models.PositiveSmallIntegerField(default=0, editable=False)
    claim = models.UUIDField(null=True, editable=False, db_index=True)
    claimed_by = models.CharField(max_length=200, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)
    seconds = models.FloatField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_pending(self) -> bool:
        return self.status in (Status.QUEUED, Status.PROCESSING)

    @property
    def problem(self) -> str:
        """Why it failed, in a sentence; empty if it did not."""
        from people.problems import sentence

        return sentence(self.error_code) if self.error_code else ""
