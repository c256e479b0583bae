"""Taking photos in: known by their content, stored before anything is looked at."""

import hashlib
import re
import unicodedata
import uuid
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import F

from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import read_header
from people import files
from people.jobs import Status
from people.models import Import, Photo
from people.names import name_key
from people.problems import Refused
from people.services import regions, rescans
from people.services.changes import in_chunks

_CHUNK = 1024 * 1024
# "Ana 2", "Ana-2", "Ana (2)", "Ana2", "Ana 2003 07"
_TRAILING_NUMBERS = re.compile(r"(?:[\s.,#-]*\(?\d+\)?)+$")
_EXTENSIONS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif",
    "image/bmp": ".bmp", "image/tiff": ".tif", "image/x-portable-anymap": ".ppm",
    "image/heif": ".heic", "image/avif": ".avif",
}  # fmt: skip


def start_import(*, kind: str, names: str = "none", source: str = "", user: Any = None) -> Import:
    """Begin an upload or a folder import."""
    return Import.objects.create(kind=kind, names=names, source=source, created_by=user)


def add_uploads(
    *, batch: Import, uploads: Iterable[Any], with_regions: bool = False
) -> list[Photo]:
    """Store uploaded files; return the photos to look at. Refusals are kept on the import."""
    added = []
    for upload in uploads:
        try:
            photo = add_photo(
                batch=batch, file=upload, name=upload.name, size=upload.size,
                with_regions=with_regions,
            )  # fmt: skip
        except Refused as refusal:
            note_refusal(batch=batch, name=upload.name, code=refusal.code)
        else:
            if photo is not None:
                added.append(photo)
    return added


def refuse_rest(*, batch: Import, uploads: Iterable[Any]) -> None:
    """Say of each file beyond the limit that it was not taken."""
    for upload in uploads:
        note_refusal(batch=batch, name=upload.name, code="too_many_files")


def add_photo(
    *,
    batch: Import,
    file: BinaryIO,
    name: str,
    size: int,
    folder: str = "",
    limit: bool = True,
    with_regions: bool = False,
    sidecar: bytes = b"",
) -> Photo | None:
    """Store one picture and make its row, queued; None if the same picture is here already.

    `file` is read from its start; `folder` is the name of the folder it lay in. With
    `with_regions`, the names that the file or its XMP `sidecar` has for places in the picture
    are kept; a picture that is here without them is queued again and returned. Raises Refused
    with the code empty, not_an_image, damaged, too_many_pixels or too_large.
    """
    if limit and size > settings.FACEWEB_MAX_UPLOAD_MB * 1024 * 1024:
        raise Refused("too_large", f"{size} bytes")
    hint = name_from(batch.names, file_name=name, folder=folder)
    sha256 = _sha256(file)
    named = regions.read(file=file, sidecar=sidecar) if with_regions else []
    if _is_known(batch, sha256, hint):
        return _with_regions(batch, sha256, named)
    try:
        header = read_header(file, max_pixels=settings.FACEWEB_MAX_PIXELS)
    except ImageError as error:
        raise Refused(error.problem.value, error.detail) from error
    photo = Photo(
        key=uuid.uuid4(),
        sha256=sha256,
        original_name=files.shown_name(name),
        media_type=header.media_type,
        size=size,
        source=batch.source,
        batch=batch,
        name_hint=hint,
        hint_key=name_key(hint),
        naming=Photo.Naming.WAITING if hint else Photo.Naming.NONE,
        regions=named,
    )
    if _store(photo, file):
        return photo
    _is_known(batch, sha256, hint)
    return _with_regions(batch, sha256, named)


def _store(photo: Photo, file: BinaryIO) -> bool:
    """Store a picture and its row; False if the same picture arrived at the same moment."""
    file.seek(0)
    path = files.original(photo.key, _EXTENSIONS[photo.media_type])
    photo.file.name = default_storage.save(path, File(file))
    try:
        with transaction.atomic():
            photo.save(force_insert=True)
    except IntegrityError:
        default_storage.delete(photo.file.name)
        return False
    return True


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
    name = " ".join(unicodedata.normalize("NFC", raw).replace("_", " ").split())
    if names == Import.Names.FILE:
        name = _TRAILING_NUMBERS.sub("", name)
    return name[:200] if any(c.isalpha() for c in name) else ""


def _is_known(batch: Import, sha256: str, hint: str) -> bool:
    """Whether the picture is here already; a photo without a name then takes one that came."""
    known = Photo.objects.filter(sha256=sha256)
    if not known.exists():
        return False
    if hint:
        known.filter(name_hint="").update(
            name_hint=hint, hint_key=name_key(hint), naming=Photo.Naming.WAITING, batch=batch
        )
    note_known(batch=batch)
    return True


def _with_regions(batch: Import, sha256: str, named: list[dict[str, Any]]) -> Photo | None:
    """The known photo, queued again, if it had no named regions before; else None."""
    if not named:
        return None
    known = Photo.objects.filter(sha256=sha256, regions=[])
    if not known.update(regions=named, batch=batch):
        return None
    rescans.again(photo_ids=list(Photo.objects.filter(sha256=sha256).values_list("pk", flat=True)))
    return Photo.objects.get(sha256=sha256)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
