"""Where stored files are: one folder for each photo, named by its key."""

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import PurePosixPath

from people.names import printable

PREVIEW_SIDE = 1280
THUMB_SIDE = 320
CROP_SIDE = 192


def folder(key: uuid.UUID) -> str:
    """Two levels of folders keep any one of them small."""
    return f"photos/{key.hex[:2]}/{key.hex[2:4]}/{key.hex}"


def original(key: uuid.UUID, extension: str) -> str:
    return f"{folder(key)}/original{extension}"


def picture(key: uuid.UUID, kind: str) -> str:
    """`kind` is preview (to look at) or thumb (for lists); both are JPEG and upright.

    Photo.picture says which of them a photo has.
    """
    return f"{folder(key)}/{kind}.jpg"


def crop(key: uuid.UUID, mark: int | str) -> str:
    return f"{folder(key)}/face-{mark}.jpg"


def crop_of_box(key: uuid.UUID, box: Sequence[float], *, turns: int) -> str:
    """The crop of a box in a photo that was turned so many times.

    The name follows from what is in the picture: looking again writes the same files, and a
    face whose box changed gets a new file, so that no browser shows the old one for it.
    """
    text = ",".join(str(round(float(value))) for value in box)
    return crop(key, hashlib.blake2s(f"{turns}:{text}".encode(), digest_size=5).hexdigest())


def is_crop(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[:1] == ("photos",) and path.name.startswith("face-")


def of_photo(key: uuid.UUID, original_name: str, crops: list[str]) -> list[str]:
    """Every file that a photo owns."""
    return [original_name, picture(key, "preview"), picture(key, "thumb"), *crops]


def shown_name(name: str) -> str:
    """A file name that a browser or a person sent, made harmless to keep and to show."""
    base = PurePosixPath(name.replace("\\", "/")).name
    return printable(base).strip()[-255:] or "photo"
