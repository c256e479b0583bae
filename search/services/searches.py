"""Asking, and forgetting what was asked."""

from typing import Any, BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from faceweb.recognition.errors import ImageError
from faceweb.recognition.headers import read_header
from people.files import shown_name
from people.jobs import Status
from people.models import Face, FileRemoval
from people.problems import Refused
from search import files
from search.models import DEFAULT_TOP, ProbeFace, Search

# What rows hold instead of a verdict where nothing says what similarities mean.
NO_VERDICT = ""

_NUMBERS = {0: "No face was", 1: "1 face was"}


def create_search(
    *, upload: BinaryIO, name: str, top: int = DEFAULT_TOP, user: Any = None
) -> Search:
    """Store a probe photo and make its row, queued. Raises Refused if it is not a picture."""
    upload.seek(0, 2)
    if upload.tell() > settings.FACEWEB_MAX_UPLOAD_MB * 1024 * 1024:
        raise Refused("too_large")
    try:
        read_header(upload, max_pixels=settings.FACEWEB_MAX_PIXELS)
    except ImageError as error:
        raise Refused(error.problem.value, error.detail) from error
    upload.seek(0)
    search = Search(
        original_name=shown_name(name),
        top=top,
        created_by=user,
        embedder=settings.FACEWEB_EMBEDDER,
        expires_at=timezone.now() + settings.FACEWEB_SEARCH_RETENTION,
    )
    search.file.name = default_storage.save(files.probe(search.pk), File(upload))
    search.save(force_insert=True)
    return search


def delete_searches(*, searches: QuerySet[Search]) -> int:
    """Delete searches with their photos and crops; return how many."""
    with transaction.atomic():
        ids = list(searches.values_list("pk", flat=True))
        crops = ProbeFace.objects.filter(search__in=ids).values_list("search_id", "number")
        names = [files.crop(pk, number) for pk, number in crops]
        for pk in ids:
            names += [files.probe(pk), *files.made_for(pk, ())]
        FileRemoval.objects.bulk_create(FileRemoval(name=name) for name in names)
        Search.objects.filter(pk__in=ids).delete()
    return len(ids)


def purge_expired() -> int:
    """Delete the searches whose time is up."""
    return delete_searches(searches=Search.objects.filter(expires_at__lte=timezone.now()))


def live_faces() -> QuerySet[Face]:
    """The stored faces that results may show now: what was erased or hidden since is not."""
    return Face.objects.searchable()


def faces_sentence(search: Search, count: int) -> str:
    """How many faces were found, in words."""
    if search.status != Status.DONE:
        return ""
    return f"{_NUMBERS.get(count, f'{count} faces were')} found in this photo"
