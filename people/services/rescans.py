"""Looking at photos again, with everything that people said of their faces kept."""

from collections.abc import Iterable

from people.jobs import Status
from people.models import Photo

_BATCH = 500


def again(*, photo_ids: Iterable[int]) -> list[int]:
    """Queue photos that are done or failed to be looked at once more; return their ids.

    Photos that wait already, or that a worker has in hand, are passed over.
    """
    ids = list(photo_ids)
    queued: list[int] = []
    for start in range(0, len(ids), _BATCH):
        rows = Photo.objects.filter(
            pk__in=ids[start : start + _BATCH], status__in=(Status.DONE, Status.FAILED)
        )
        found = list(rows.order_by("pk").values_list("pk", flat=True))
        Photo.objects.filter(pk__in=found, status__in=(Status.DONE, Status.FAILED)).update(
            status=Status.QUEUED, error_code="", error_detail="", crashes=0
        )
        queued += found
    return queued
