"""Names and places for other programs: a table of everything, an XMP sidecar for each photo.

People who are hidden from search, or who wait for their deletion, are left out unless asked for.
"""

import csv
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import BinaryIO, cast

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


class _Line:
    """What a csv.writer writes to: it hands each line on."""

    def write(self, line: str) -> str:
        return line


def named_faces(*, with_hidden: bool = False) -> QuerySet[Face]:
    """The faces that have a name, with their photos and people, photo by photo."""
    faces = (
        Face.objects.filter(state=Face.State.ACTIVE) if with_hidden else Face.objects.searchable()
    )
    return faces.exclude(person=None).select_related("photo", "person").order_by("photo", "number")


def by_photo(*, with_hidden: bool = False) -> Iterator[tuple[Photo, list[Face]]]:
    """Every photo that has named faces, with those."""
    faces = named_faces(with_hidden=with_hidden).iterator(chunk_size=_AT_ONCE)
    for _, group in groupby(faces, key=attrgetter("photo_id")):
        own = list(group)
        yield own[0].photo, own


def csv_lines(*, with_hidden: bool = False) -> Iterator[str]:
    """A table of all named faces, line by line, with a heading.

    Boxes are pixels of the upright photo (x1, y1, x2, y2) and shares of its sides (left, top,
    width, height). `confidence` is empty: what people say has none.
    """
    writer = csv.writer(_Line())
    yield BYTE_ORDER_MARK + writer.writerow(COLUMNS)
    for face in named_faces(with_hidden=with_hidden).iterator(chunk_size=_AT_ONCE):
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
