"""Rows for tests, made in one line each."""

import hashlib
import io
import itertools

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from faceweb.recognition.embedders import SFACE
from people import files
from people.jobs import Status
from people.models import Face, FaceEmbedding, Import, Person, Photo
from people.names import name_key

_numbers = itertools.count(1)


def picture(width: int = 64, height: int = 48, *, kind: str = "JPEG") -> bytes:
    """A small picture without a face; no two are the same."""
    colour = (next(_numbers) * 7 % 256, next(_numbers) % 256, 90)
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, kind)
    return buffer.getvalue() + next(_numbers).to_bytes(4, "big")


def make_import(**values) -> Import:
    return Import.objects.create(**{"kind": "folder", "names": "file", **values})


def make_photo(*, stored: bool = False, hint: str = "", content: bytes = b"", **values) -> Photo:
    """A photo's row, done if nothing else is said; with its files if `stored`."""
    number = next(_numbers)
    photo = Photo(
        **{
            "original_name": f"photo-{number}.jpg",
            "sha256": hashlib.sha256(f"{number}".encode()).hexdigest(),
            "media_type": "image/jpeg",
            "size": 1,
            "width": 400,
            "height": 300,
            "status": Status.DONE,
            "name_hint": hint,
            "hint_key": name_key(hint),
            "naming": Photo.Naming.WAITING if hint else Photo.Naming.NONE,
            **values,
        }
    )
    photo.file.name = files.original(photo.key, ".jpg")
    if stored:
        default_storage.save(photo.file.name, ContentFile(content or picture()))
        for kind in ("preview", "thumb"):
            default_storage.save(files.picture(photo.key, kind), ContentFile(picture()))
    photo.save()
    return photo


def make_person(name: str = "Ana Silva", **values) -> Person:
    return Person.objects.create(name=name, **values)


def make_face(
    photo: Photo | None = None, *, person: Person | None = None, vector=None, box=None, **values
) -> Face:
    """A face with its embedding and its crop file."""
    photo = photo or make_photo()
    number = photo.faces.count() + 1
    x1, y1, x2, y2 = box or (100, 80, 180, 180)
    face = Face.objects.create(
        **{
            "photo": photo, "number": number, "person": person,
            "x1": x1, "y1": y1, "x2": x2, "y2": y2, "landmarks": [[0, 0]] * 5,
            "detection_score": 0.99, "crop": files.crop(photo.key, number), **values,
        }
    )  # fmt: skip
    default_storage.save(face.crop.name, ContentFile(picture()))
    FaceEmbedding.objects.create(
        face=face,
        embedder=SFACE.slug,
        version=SFACE.version,
        vector=(direction(number) if vector is None else vector).tobytes(),
    )
    return face


def direction(number: int) -> np.ndarray:
    """A unit vector; different numbers give orthogonal ones."""
    vector = np.zeros(SFACE.dimension, np.float32)
    vector[number % SFACE.dimension] = 1
    return vector


def near(vector: np.ndarray, similarity: float, towards: int = 127) -> np.ndarray:
    """A unit vector with this cosine to `vector`, leaning towards another direction."""
    other = direction(towards)
    mixed = similarity * vector + np.sqrt(1 - similarity**2) * other
    return mixed.astype(np.float32)
