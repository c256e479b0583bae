"""Taking over an archive that was made with face_recognition: photos, boxes, names, embeddings.

Its embeddings are those of the embedder dlib-resnet, so no network is needed to take them over.
The archive comes as a text file with one JSON object a line (docs/face_recognition.md); nothing
else is read, and nothing in it is run.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from faceweb.recognition import embedders
from faceweb.recognition.drawn import usual_landmarks
from faceweb.recognition.errors import ImageError
from faceweb.recognition.geometry import prominence, upright_box
from faceweb.recognition.headers import stored_orientation
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import portrait
from faceweb.recognition.previews import encode_jpeg
from people import files
from people.jobs import Status
from people.models import Face, FaceEmbedding, Import, Photo
from people.problems import Refused, sentence
from people.services import photos
from people.services.naming import Given, give_imported_names

EMBEDDER = "dlib-resnet"

Float32 = NDArray[np.float32]

_NUMBERS = 128
# dlib's outputs have a length of about 1.4; people who normalised them have 1.
_LENGTHS = (0.3, 5.0)
# A box must be in its photo: boxes of a smaller copy of the photo, or of another, are not.
_LEAST_WITHIN = 0.5
# The detector of face_recognition says that it is a face, not how sure it is.
_SCORE = 1.0


@dataclass(frozen=True, eq=False)
class KnownFace:
    """One line: a face in a photo. `box` (4,): x1, y1, x2, y2 in pixels of the photo."""

    line: int
    photo: str
    name: str
    box: Float32
    vector: Float32


@dataclass
class Outcome:
    """What became of an archive."""

    photos: int = 0
    known: int = 0
    faces: int = 0
    named: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """Keep what is wrong, in a text that can be shown: names of files may hold odd bytes."""
        self.problems.append(problem.encode(errors="replace").decode())


def read_archive(*, file: TextIO, folder: Path, outcome: Outcome) -> dict[str, list[KnownFace]]:
    """The faces of each photo, in the order of the file; what is wrong goes to the outcome."""
    found: dict[str, list[KnownFace]] = {}
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            face = _read_line(number, line, folder)
        except (ValueError, RecursionError) as error:
            outcome.note(f"Line {number}: {error}.")
        else:
            found.setdefault(face.photo, []).append(face)
    return found


def take_photo(
    *, batch: Import, folder: Path, faces: list[KnownFace], upright: bool, outcome: Outcome
) -> None:
    """Store one photo with its faces; one that is here already is left as it is.

    With `upright` the boxes are of the photo as people see it, otherwise of the pixels as they
    are stored, which is how face_recognition loads photos.
    """
    path = folder / faces[0].photo
    try:
        with path.open("rb") as file:
            if Photo.objects.filter(sha256=_sha256(file)).exists():
                photos.note_known(batch=batch)
                outcome.known += 1
                return
            image = decode(file, max_pixels=settings.FACEWEB_MAX_PIXELS)
            orientation = 1 if upright else stored_orientation(file)
            placed = _placed(faces, image, orientation, outcome)
            if placed:
                _store(batch, file, path, image, placed, outcome)
    except ImageError as error:
        outcome.note(f"{faces[0].photo}: {sentence(error.problem.value)}")
    except Refused as refusal:
        outcome.note(f"{faces[0].photo}: {refusal.sentence}")
    except OSError as error:
        outcome.note(f"{faces[0].photo}: {error.strerror}.")


# --- reading ------------------------------------------------------------------------------------


def _read_line(number: int, line: str, folder: Path) -> KnownFace:
    """One face. Raises ValueError with what is wrong."""
    # As float, a whole number of any length is a number, if an infinite one.
    values = json.loads(line, parse_int=float)
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    photo = values.get("photo")
    if not isinstance(photo, str) or not photo:
        raise ValueError('"photo" must be the path of a photo below the folder')
    if not _can_be_a_path(photo):
        raise ValueError(f'"photo" is a name that no file can have, {photo!r}. Correct it')
    if not (folder / photo).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{photo!r} is not below the folder")
    name = values.get("name", "")
    if not isinstance(name, str) or len(name) > 200:
        raise ValueError('"name" must be a text of at most 200 characters')
    if not _can_be_stored(name):
        raise ValueError(f'"name" has a broken character, {name!r}. Correct it')
    top, right, bottom, left = _numbers(values, "box", 4)
    if not (left < right and top < bottom):
        raise ValueError('"box" must be top, right, bottom, left in pixels')
    vector = _numbers(values, "encoding", _NUMBERS)
    length = float(np.linalg.norm(vector))
    if not _LENGTHS[0] <= length <= _LENGTHS[1]:
        raise ValueError(
            f'"encoding" does not come from face_recognition: its length is {length:g}'
        )
    box = np.array([left, top, right, bottom], np.float32)
    return KnownFace(number, photo, " ".join(name.split()), box, vector / np.float32(length))


def _numbers(values: dict[str, Any], key: str, count: int) -> Float32:
    given = values.get(key)
    proper = isinstance(given, list) and all(type(one) in (int, float) for one in given)
    if not proper or len(given or ()) != count:
        raise ValueError(f'"{key}" must be a list of {count} numbers')
    numbers = np.array(given, np.float64)
    if not (np.abs(numbers) < 1e6).all():
        raise ValueError(
            f'"{key}" has a number that is out of range. Write the numbers as face_recognition '
            "gave them"
        )
    return numbers.astype(np.float32)


def _can_be_a_path(text: str) -> bool:
    """Names that are no UTF-8 come with stray halves of characters, which stand for bytes."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _can_be_stored(text: str) -> bool:
    """Whether a database takes a text: no NUL, and no half of a character."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _sha256(file: BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _placed(
    faces: list[KnownFace], image: DecodedImage, orientation: int, outcome: Outcome
) -> list[tuple[KnownFace, Float32]]:
    """Faces with their boxes (4,) in the upright photo, most prominent first."""
    placed = []
    limits = np.array([image.width, image.height] * 2, np.float32)
    for face in faces:
        box = upright_box(face.box, orientation, width=image.width, height=image.height)
        within = box.clip(0, limits)
        if _area(within) < _LEAST_WITHIN * _area(box):
            outcome.note(
                f"Line {face.line}: the box is not within {face.photo}, which has "
                f"{image.width} x {image.height} pixels."
            )
        else:
            placed.append((face, within))
    boxes = np.array([box for _, box in placed], np.float32).reshape(-1, 4)
    order = np.argsort(-prominence(boxes, width=image.width, height=image.height), kind="stable")
    return [placed[number] for number in order]


def _area(box: Float32) -> float:
    return float((box[2:] - box[:2]).prod())


# --- storing ------------------------------------------------------------------------------------


def _store(
    batch: Import,
    file: BinaryIO,
    path: Path,
    image: DecodedImage,
    placed: list[tuple[KnownFace, Float32]],
    outcome: Outcome,
) -> None:
    """Write a photo with its pictures, faces, names and embeddings, all or nothing."""
    written: list[str] = []
    try:
        with transaction.atomic():
            incoming = photos.Incoming(file, path.name, path.stat().st_size)
            photo = photos.add_photo(batch=batch, incoming=incoming, limit=False)
            if photo is None:
                outcome.known += 1
                return
            written.append(photo.file.name or "")
            photo.width, photo.height = image.width, image.height
            photo.status, photo.finished_at = Status.DONE, timezone.now()
            photo.save(update_fields=["width", "height", "status", "finished_at"])
            _write_pictures(photo, image, [box for _, box in placed], written)
            faces = Face.objects.bulk_create(
                _face(photo, number, box) for number, (_, box) in enumerate(placed, start=1)
            )
            _add_embeddings(faces, [face.vector for face, _ in placed])
            names = zip(faces, (face.name for face, _ in placed), strict=True)
            give_imported_names(given=[Given(face, name, True) for face, name in names if name])
    except BaseException:
        for name in written:
            default_storage.delete(name)
        raise
    outcome.photos += 1
    outcome.faces += len(placed)
    outcome.named += sum(bool(face.name) for face, _ in placed)


def _write_pictures(
    photo: Photo, image: DecodedImage, boxes: Iterable[Float32], written: list[str]
) -> None:
    pictures = {
        files.picture(photo.key, "preview"): (image.pixels, files.PREVIEW_SIDE),
        files.picture(photo.key, "thumb"): (image.pixels, files.THUMB_SIDE),
    }
    for box in boxes:
        within = box / np.float32(image.scale)
        # The detector of face_recognition finds upright faces only.
        crop = portrait(image.pixels, within, usual_landmarks(within))
        pictures[_crop_name(photo, box)] = (crop, files.CROP_SIDE)
    for name, (pixels, side) in pictures.items():
        written.append(
            default_storage.save(name, ContentFile(encode_jpeg(pixels, longest_side=side)))
        )


def _face(photo: Photo, number: int, box: Float32) -> Face:
    x1, y1, x2, y2 = (float(v) for v in box)
    return Face(
        photo=photo,
        number=number,
        x1=x1, y1=y1, x2=x2, y2=y2,
        landmarks=[],  # not known; another embedder will have them looked for
        detection_score=_SCORE,
        crop=_crop_name(photo, box),
    )  # fmt: skip


def _crop_name(photo: Photo, box: Float32) -> str:
    return files.crop_of_box(photo.key, box.tolist(), turns=photo.turns)


def _add_embeddings(faces: Iterable[Face], vectors: Iterable[Float32]) -> None:
    spec = embedders.get_spec(EMBEDDER)
    FaceEmbedding.objects.bulk_create(
        FaceEmbedding(face=face, embedder=spec.slug, version=spec.version, vector=vector.tobytes())
        for face, vector in zip(faces, vectors, strict=True)
    )
