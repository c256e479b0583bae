"""Taking photos in: known by their content, stored before anything is looked at."""

import hashlib
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F

from faceweb.recognition.errors import ImageError
from faceweb.recognition.headers import read_header
from people import files
from people.jobs import Status
from people.models import Import, Photo
from people.names import name_key, printable
from people.problems import Refused
from people.services import regions, rescans
from people.services.changes import in_chunks

_CHUNK = 1024 * 1024
_TOGETHER = 8  # uploads whose rows are made in one transaction
# "Ana 2", "Ana-2", "Ana (2)", "Ana2", "Ana 2003 07"
_TRAILING_NUMBERS = re.compile(r"(?:[\s.,#-]*\(?\d+\)?)+$")
_EXTENSIONS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif",
    "image/bmp": ".bmp", "image/tiff": ".tif", "image/x-portable-anymap": ".ppm",
    "image/heif": ".heic", "image/avif": ".avif",
}  # fmt: skip


def start_import(*, kind: str, names: str = "none", source: str = "", user: Any = None) -> Import:
    """Begin an upload or a folder import."""
    return Import.objects.create(kind=kind, names=names, source=printable(source), created_by=user)


@dataclass(frozen=True, eq=False)
class Incoming:
    """A file that may become a photo. `file` is read from its start.

    `folder` is the name of the folder it lay in, `sidecar` the XMP file that lay beside it.
    """

    file: BinaryIO
    name: str
    size: int
    folder: str = ""
    sidecar: bytes = b""


# What became of a file: a photo to look at, none if it is here already, or why it was not taken.
Outcome = Photo | None | Refused | OSError


def add_uploads(
    *, batch: Import, uploads: Iterable[Any], with_regions: bool = False
) -> list[Photo]:
    """Store uploaded files; return the photos to look at. Refusals are kept on the import."""
    added = []
    for few in in_chunks(uploads, size=_TOGETHER):
        outcomes = add_photos(
            batch=batch,
            incoming=[Incoming(upload, upload.name, upload.size) for upload in few],
            with_regions=with_regions,
        )
        added += [outcome for outcome in outcomes if isinstance(outcome, Photo)]
        for upload, outcome in zip(few, outcomes, strict=True):
            if isinstance(outcome, Refused):
                note_refusal(batch=batch, name=upload.name, code=outcome.code)
        for outcome in outcomes:
            if isinstance(outcome, OSError):
                raise outcome
    return added


def refuse_rest(*, batch: Import, uploads: Iterable[Any]) -> None:
    """Say of each file beyond the limit that it was not taken."""
    for upload in uploads:
        note_refusal(batch=batch, name=upload.name, code="too_many_files")


def add_photo(
    *, batch: Import, incoming: Incoming, limit: bool = True, with_regions: bool = False
) -> Photo | None:
    """Store one picture; see add_photos. Raises Refused and OSError."""
    [outcome] = add_photos(batch=batch, incoming=[incoming], limit=limit, with_regions=with_regions)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def add_photos(
    *,
    batch: Import,
    incoming: Sequence[Incoming],
    limit: bool = True,
    with_regions: bool = False,
) -> list[Outcome]:
    """Store a few pictures and make their rows, queued; say for each in order what became of it.

    With `with_regions`, the names that the file or its sidecar has for places in the picture are
    kept; a picture that is here without them is queued again and comes back as its photo. Refused
    has the code empty, not_an_image, damaged, too_many_pixels or too_large.
    """
    read = [_attempt(_read, batch, one, limit, with_regions) for one in incoming]
    sums = [one.sha256 for one in read if isinstance(one, Photo)]
    known = set(Photo.objects.filter(sha256__in=sums).values_list("sha256", flat=True))
    stored: list[Photo] = []
    outcomes: list[Outcome] = []
    try:
        for one, file in zip(read, incoming, strict=True):
            outcome: Outcome = one
            if isinstance(one, Photo) and one.sha256 not in known:
                outcome = _attempt(_stored, one, file.file)
                if isinstance(outcome, Photo):
                    stored.append(outcome)
                    known.add(outcome.sha256)
            outcomes.append(outcome)
        _make_rows(stored)
    finally:  # whatever ended it: no file without a row
        for photo in stored:
            if photo.pk is None:
                default_storage.delete(photo.file.name or "")
    for number, result in enumerate(outcomes):
        if isinstance(result, Photo) and result.pk is None:
            if Photo.objects.filter(sha256=result.sha256).exists():
                outcomes[number] = _known(batch, result)
            else:  # deleted meanwhile
                outcomes[number : number + 1] = add_photos(
                    batch=batch,
                    incoming=[incoming[number]],
                    limit=limit,
                    with_regions=with_regions,
                )
    return outcomes


def _attempt(step: Callable[..., Photo], *values: Any) -> Photo | Refused | OSError:
    try:
        return step(*values)
    except ImageError as error:
        return Refused(error.problem.value, error.detail)
    except (Refused, OSError) as error:
        return error


def _read(batch: Import, incoming: Incoming, limit: bool, with_regions: bool) -> Photo:
    """A photo that is not stored yet, with what is known of it before it is opened."""
    if limit and incoming.size > settings.FACEWEB_MAX_UPLOAD_MB * 1024 * 1024:
        raise Refused("too_large", f"{incoming.size} bytes")
    hint = name_from(batch.names, file_name=incoming.name, folder=incoming.folder)
    photo = Photo(
        key=uuid.uuid4(),
        sha256=_sha256(incoming.file),
        original_name=files.shown_name(incoming.name),
        size=incoming.size,
        source=batch.source,
        batch=batch,
        name_hint=hint,
        hint_key=name_key(hint),
        naming=Photo.Naming.WAITING if hint else Photo.Naming.NONE,
    )
    photo.fill_search_key()
    if with_regions:
        photo.regions = regions.read(file=incoming.file, sidecar=incoming.sidecar)
    return photo


def _stored(photo: Photo, file: BinaryIO) -> Photo:
    """The photo, with its file in the storage."""
    photo.media_type = read_header(file, max_pixels=settings.FACEWEB_MAX_PIXELS).media_type
    file.seek(0)
    path = files.original(photo.key, _EXTENSIONS[photo.media_type])
    photo.file.name = default_storage.save(path, File(file))
    return photo


def _make_rows(photos: Sequence[Photo]) -> None:
    """Make the rows of stored photos. Those whose picture arrived at this very moment get none."""
    try:
        with transaction.atomic():
            Photo.objects.bulk_create(photos)
    except (IntegrityError, OperationalError):
        # One by one they cannot wait for someone who waits for them: that would be a deadlock.
        for photo in photos:
            photo.pk = None
            try:
                with transaction.atomic():
                    photo.save(force_insert=True)
            except IntegrityError:
                photo.pk = None


def note_refusal(*, batch: Import, name: str, code: str) -> None:
    """Keep on the import that a file was not taken, and why."""
    with transaction.atomic():
        locked = Import.objects.select_for_update().get(pk=batch.pk)
        locked.refused = [*locked.refused, {"name": files.shown_name(name), "code": code}]
        locked.save(update_fields=["refused"])


def note_known(*, batch: Import) -> None:
    """Count on the import that a picture was here already."""
    Import.objects.filter(pk=batch.pk).update(known=F("known") + 1)


def retry(*, photo_ids: list[int]) -> int:
    """Queue failed photos again with a clean slate; return how many there were."""
    return sum(
        Photo.objects.filter(pk__in=chunk, status=Status.FAILED).update(
            status=Status.QUEUED, error_code="", error_detail="", crashes=0, finished_at=None
        )
        for chunk in in_chunks(photo_ids)
    )


def name_from(names: str, *, file_name: str, folder: str) -> str:
    """The person's name that a file carries, or an empty string.

    From a file name: what precedes the extension, underscores as spaces, without trailing
    numbers (`João_Baião_1.jpg` is "João Baião"). From a folder: its name, likewise.
    """
    if names == Import.Names.FILE:
        raw = PurePath(file_name.replace("\\", "/")).stem
    elif names == Import.Names.FOLDER:
        raw = folder
    else:
        return ""
    words = unicodedata.normalize("NFC", raw).replace("_", " ").split()
    name = printable(" ".join(words))
    if names == Import.Names.FILE:
        name = _TRAILING_NUMBERS.sub("", name)
    return name[:200] if any(c.isalpha() for c in name) else ""


def _known(batch: Import, photo: Photo) -> Photo | None:
    """Note that a picture is here already, and give its photo what this one has and it lacks.

    Returns it if it has to be looked at again.
    """
    known = Photo.objects.filter(sha256=photo.sha256)
    if photo.name_hint:
        known.filter(name_hint="").update(
            name_hint=photo.name_hint, hint_key=photo.hint_key, naming=photo.naming, batch=batch
        )
    note_known(batch=batch)
    if not photo.regions or not known.filter(regions=[]).update(regions=photo.regions, batch=batch):
        return None
    rescans.again(photo_ids=list(known.values_list("pk", flat=True)))
    looked_at_again: Photo = known.get()
    return looked_at_again


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
