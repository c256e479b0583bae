"""Labelled pairs of photos: the list of them, and the most prominent face of each photo."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.comparisons import Bool, Comparisons, Float32, Float64, Int64, of_pairs
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import Pipeline

# The similarity of a pair with a photo in which no face was found: it is never accepted.
NO_FACE = -1.0

_BATCH = 8
_TRUE, _FALSE = {"1", "true", "yes", "same"}, {"0", "false", "no", "different"}


class PairsError(ValueError):
    """A list of pairs that cannot be used; the message says why."""


@dataclass(frozen=True)
class Pair:
    """Two photos, as paths below one folder, and whether they show one person."""

    a: str
    b: str
    same: bool
    split: str = ""


@dataclass(frozen=True, eq=False)
class EmbeddedPhotos:
    """The faces of photos: unit vectors (n, d) by the photos' names, and what was not found."""

    names: list[str]
    vectors: Float32
    without_face: list[str]
    unreadable: list[str]

    def similarities(self, pairs: Sequence[Pair]) -> Float64:
        """The similarity of each pair (n,); NO_FACE where one of its photos has no face."""
        place = {name: number for number, name in enumerate(self.names)}
        found = np.full(len(pairs), NO_FACE)
        for number, pair in enumerate(pairs):
            if pair.a in place and pair.b in place:
                found[number] = float(self.vectors[place[pair.a]] @ self.vectors[place[pair.b]])
        return found

    def comparisons(self, pairs: Sequence[Pair]) -> Comparisons:
        """Those of the pairs that could be compared, counted."""
        similarities, same = self.similarities(pairs), labels(pairs)
        compared = similarities > NO_FACE
        return of_pairs(similarities[compared], same[compared])

    def of(self, pairs: Sequence[Pair]) -> tuple[Float32, Int64]:
        """The vectors (m, d) of the photos that are in these pairs, and whose they are (m,)."""
        wanted = set(photos_of(pairs))
        chosen = [number for number, name in enumerate(self.names) if name in wanted]
        names = [identity(self.names[number]) for number in chosen]
        return self.vectors[chosen], np.unique(names, return_inverse=True)[1].astype(np.int64)


def read_pairs(path: Path) -> list[Pair]:
    """Read a CSV file with the columns a, b, same and perhaps split. Raises PairsError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := {"a", "b", "same"} - set(rows.fieldnames or ()):
                raise PairsError(f"{path.name} has no column {', '.join(sorted(missing))}")
            pairs = [_pair(row, rows.line_num) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PairsError(f"{path} cannot be read ({error})") from None
    if not pairs:
        raise PairsError(f"{path.name} holds no pairs")
    return pairs


def labels(pairs: Sequence[Pair]) -> Bool:
    return np.array([pair.same for pair in pairs], bool)


def photos_of(pairs: Sequence[Pair]) -> list[str]:
    """The photos of the pairs, each once, in order."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b)))


def identity(name: str) -> str:
    """Whose photo it is: its folder, or where there is none the file's name without its number."""
    path = PurePosixPath(name)
    if path.parent.name:
        return str(path.parent)
    return re.sub(r"[\W_]*\d+\W*$", "", path.stem).casefold()


def names_agree(pairs: Sequence[Pair]) -> bool:
    """Whether the photos' folders (or names) tell the same as the labels of the pairs: only then
    do they tell who is in photos that are not paired."""
    return all((identity(pair.a) == identity(pair.b)) == pair.same for pair in pairs)


def embed(
    pipeline: Pipeline,
    folder: Path,
    names: Sequence[str],
    *,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> EmbeddedPhotos:
    """Embed the most prominent face of each photo. Raises PairsError if a file is missing.

    `progress` is told how many more photos are done.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise PairsError(f"{len(missing)} of {len(names)} photos are not there: {missing[0]}...")
    batches = [names[at : at + _BATCH] for at in range(0, len(names), _BATCH)]
    vectors: dict[str, NDArray[np.float32]] = {}
    without_face: list[str] = []
    unreadable: list[str] = []
    with ThreadPoolExecutor(threads) as pool:
        for batch in pool.map(lambda part: _faces(pipeline, folder, part), batches):
            for name, vector, readable in batch:
                if vector is not None:
                    vectors[name] = vector
                else:
                    (without_face if readable else unreadable).append(name)
            if progress is not None:
                progress(len(batch))
    stacked = np.stack(list(vectors.values())) if vectors else np.zeros((0, 1), np.float32)
    return EmbeddedPhotos(list(vectors), stacked, without_face, unreadable)


Found = tuple[str, NDArray[np.float32] | None, bool]


def _faces(pipeline: Pipeline, folder: Path, names: Sequence[str]) -> list[Found]:
    """For each photo its name, its most prominent face's vector, and whether it was readable."""
    decoded = {name: image for name, image in _decoded(folder, names) if image is not None}
    faces = dict(zip(decoded, pipeline.analyse(list(decoded.values())), strict=True))
    return [
        (name, faces[name][0].embedding if faces.get(name) else None, name in faces)
        for name in names
    ]


def _decoded(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, DecodedImage | None]]:
    for name in names:
        try:
            yield name, decode((folder / name).read_bytes())
        except ImageError:
            yield name, None


def _pair(row: dict[str, str], line: int) -> Pair:
    label = (row["same"] or "").strip().lower()
    if not row["a"] or not row["b"] or label not in _TRUE | _FALSE:
        raise PairsError(f"line {line}: two photos and 1 or 0 are needed")
    return Pair(row["a"], row["b"], label in _TRUE, (row.get("split") or "").strip())
