"""When photos were taken, as their files say."""

from datetime import datetime
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from faceweb.recognition.errors import ImageError
from faceweb.recognition.metadata import read_metadata
from people.models import Photo


def read_missing() -> tuple[int, int]:
    """Read the dates of photos that have none; return how many were looked at, and have one now.

    Only the beginnings of files are read, so it takes about a millisecond for each.
    """
    looked_at = found = 0
    for photo in Photo.objects.filter(taken_at=None).only("pk", "file").iterator():
        looked_at += 1
        try:
            with default_storage.open(photo.file.name or "") as file:
                moment = read_metadata(
                    cast(BinaryIO, file), max_pixels=settings.FACEWEB_MAX_PIXELS
                ).taken_at
        except (ImageError, FileNotFoundError):
            continue  # the photo's own page says so
        if moment is not None:
            rows = Photo.objects.filter(pk=photo.pk, taken_at=None)
            found += rows.update(taken_at=aware(moment))
    return looked_at, found


def aware(moment: datetime) -> datetime:
    """The moment itself, or, where the camera did not say, in the time zone of the settings."""
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
