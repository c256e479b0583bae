"""Names and places for other programs: a table of everything, an XMP sidecar for each photo.

People who are hidden from search, or who wait for their deletion, are left out unless asked for.
"""

import csv
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import IO, BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from faceweb.recognition.errors import ImageError
from faceweb.recognition.geometry import turned_boxes
from faceweb.recognition.metadata import read_metadata
from faceweb.recognition.xmp import Region, sidecar
from people.models import Face, Photo
from people.problems import Refused

COLUMNS = ("photo", "sha256", "name", "x1", "y1", "x2", "y2", "left", "top", "width", "height",
           "assigned_by", "confidence")  # fmt: skip

# A byte order mark, without which spreadsheet programs take accents for something else.
BYTE_ORDER_MARK = "\ufeff"
# What spreadsheet programs would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_AT_ONCE = 2000


# Larger bundles go to a temporary file.
_IN_MEMORY = 5_000_000


@dataclass
class Bundle:
    """Sidecars in a ZIP file, how many there are, and the photos without, each with the reason."""

    file: IO[bytes]
    written: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


class _Line:
    """What a csv.writer writes to: it hands each line on."""

    def write(self, line: str) -> str:
        return line


def named_faces(
    *,
    with_hidden: bool = False,
    people: Iterable[int] | None = None,
    photos: Iterable[int] | None = None,
) -> QuerySet[Face]:
    """The faces that have a name, with their photos and people, photo by photo.

    Only those of the `people`, and in the `photos`, where they are given: ids, or a query for
    them.
    """
    faces = (
        Face.objects.filter(state=Face.State.ACTIVE) if with_hidden else Face.objects.searchable()
    )
    if people is not None:
        faces = faces.filter(person__in=people)
    if photos is not None:
        faces = faces.filter(photo__in=photos)
    return faces.exclude(person=None).select_related("photo", "person").order_by("photo", "number")


def by_photo(
    *, with_hidden: bool = False, photos: Iterable[int] | None = None
) -> Iterator[tuple[Photo, list[Face]]]:
    """Every photo that has named faces, or those of the `photos` that do, with the faces."""
    faces = named_faces(with_hidden=with_hidden, photos=photos).iterator(chunk_size=_AT_ONCE)
    for _, group in groupby(faces, key=attrgetter("photo_id")):
        own = list(group)
        yield own[0].photo, own


def csv_lines(
    *,
    with_hidden: bool = False,
    people: Iterable[int] | None = None,
    photos: Iterable[int] | None = None,
) -> Iterator[str]:
    """A table of all named faces, line by line, with a heading.

    `people` and `photos` as for `named_faces`.

    Boxes are pixels of the upright photo (x1, y1, x2, y2) and shares of its sides (left, top,
    width, height). `confidence` is empty: what people say has none.
    """
    writer = csv.writer(_Line())
    yield BYTE_ORDER_MARK + writer.writerow(COLUMNS)
    faces = named_faces(with_hidden=with_hidden, people=people, photos=photos)
    for face in faces.iterator(chunk_size=_AT_ONCE):
        yield writer.writerow(_row(face))


def xmp(*, photo: Photo, faces: Sequence[Face]) -> str:
    """The XMP sidecar of a photo with these of its faces, all of which have names.

    Raises Refused if the stored file is gone or cannot be read.
    """
    try:
        with default_storage.open(photo.file.name or "") as file:
            picture = read_metadata(cast(BinaryIO, file), max_pixels=settings.FACEWEB_MAX_PIXELS)
    except FileNotFoundError as error:
        raise Refused("file_missing", str(error)) from error
    except ImageError as error:
        raise Refused(error.problem.value, error.detail) from error
    # Other programs know nothing of the turns that people gave the photo here.
    boxes = np.array([_shares(face) for face in faces], np.float32).reshape(-1, 4)
    upright = turned_boxes(boxes, -photo.turns, width=1, height=1)
    named = [
        Region(face.person.name if face.person else "", (x1, y1, x2, y2))
        for face, (x1, y1, x2, y2) in zip(faces, upright.tolist(), strict=True)
    ]
    return sidecar(named, picture)


def bundle(*, photo_ids: Sequence[int]) -> Bundle:
    """The XMP sidecars of some photos in one ZIP file; whoever asked for it closes the file."""
    names = Photo.objects.filter(pk__in=photo_ids).values_list("original_name", flat=True)
    often = Counter(name.casefold() for name in names)
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    found = Bundle(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for photo, faces in by_photo(photos=photo_ids):
            name = f"{photo.original_name}.xmp"
            if often[photo.original_name.casefold()] > 1:
                name = f"{photo.sha256[:12]}/{name}"
            try:
                archive.writestr(name, xmp(photo=photo, faces=faces))
                found.written += 1
            except Refused as refusal:
                found.refused.append((photo.original_name, refusal.sentence))
    file.seek(0)
    return found


def _row(face: Face) -> list[str | float]:
    x1, y1, x2, y2 = _shares(face)
    return [
        _plain(face.photo.original_name),
        face.photo.sha256,
        _plain(face.person.name if face.person else ""),
        *(round(value, 1) for value in face.box),
        *(round(value, 6) for value in (x1, y1, x2 - x1, y2 - y1)),
        face.assigned_by,
        "",
    ]


def _shares(face: Face) -> tuple[float, float, float, float]:
    """The box of a face as shares of the sides of its photo."""
    width, height = face.photo.width or 1, face.photo.height or 1
    return face.x1 / width, face.y1 / height, face.x2 / width, face.y2 / height


def _plain(text: str) -> str:
    """Text that no spreadsheet program runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
