"""How well unnamed faces are grouped by person: purity, completeness, and how long it takes.

FOLDER holds one folder for each person, as LFW does. All faces are grouped; the most prominent one
of each photo counts, and is taken to be the person after whom the folder is named. Purity is the
share of the faces in groups of several that belong to the group's largest person; completeness the
share of a person's faces that are in the person's largest group, of people with several faces.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from faceweb.recognition import calibration, clustering, embedders, pipeline
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import decode

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*/*.jp*g"))[:: options.every]
    vectors, photos, names = _faces(paths)
    meaning = calibration.shipped(embedders.SFACE.slug, embedders.SFACE.version)
    assert meaning is not None
    print(f"{len(vectors)} faces, {int((names >= 0).sum())} of them of a known person")
    for batches in (1, 20, 100):
        start = time.perf_counter()
        labels = np.full(len(vectors), clustering.NONE)
        order = np.random.default_rng(0).permutation(len(vectors))
        for part in np.array_split(order, batches):
            seen = np.concatenate([np.flatnonzero(labels != clustering.NONE), part])
            rate = clustering.false_match_rate(len(seen))
            labels[seen] = clustering.cluster(
                vectors[seen], photos[seen],
                threshold=meaning.similarity_at(rate), known=labels[seen],
            )  # fmt: skip
        seconds = time.perf_counter() - start
        purity, completeness = _judged(labels[names >= 0], names[names >= 0])
        print(
            f"in {batches:3} batches: purity {purity:.4f}, completeness {completeness:.4f}, "
            f"{seconds:.1f} s"
        )
    more = _more(vectors, 10_000)
    start = time.perf_counter()
    rate = clustering.false_match_rate(len(more))
    clustering.cluster(more, np.arange(len(more)), threshold=meaning.similarity_at(rate))
    print(f"{len(more)} faces at once: {time.perf_counter() - start:.1f} s")


def _faces(paths: list[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (n, d), numbers of photos (n,), and numbers of people (n,), -1 for others."""
    loaded = pipeline.load(embedder="sface", detector="mtcnn")
    people = {name: number for number, name in enumerate(sorted({p.parent.name for p in paths}))}
    vectors, photos, names = [], [], []
    for at in range(0, len(paths), BATCH):
        part = [(path, image) for path in paths[at : at + BATCH] if (image := _decoded(path))]
        found = loaded.analyse([image for _, image in part])
        for number, ((path, _), faces) in enumerate(zip(part, found, strict=True), start=at):
            for place, face in enumerate(faces):
                vectors.append(face.embedding)
                photos.append(number)
                names.append(-1 if place else people[path.parent.name])
    return np.stack(vectors), np.array(photos), np.array(names)


def _decoded(path: Path):
    try:
        with path.open("rb") as file:
            return decode(file)
    except ImageError:
        return None


def _judged(labels: np.ndarray, names: np.ndarray) -> tuple[float, float]:
    return _agreement(labels, names), _agreement(names, labels)


def _agreement(groups: np.ndarray, others: np.ndarray) -> float:
    """The share of what is in groups of several that agrees with the most of its group."""
    sizes = Counter(groups.tolist())
    largest: dict[int, int] = {}
    for (group, _), count in Counter(zip(groups.tolist(), others.tolist(), strict=True)).items():
        largest[group] = max(largest.get(group, 0), count)
    several = [group for group, size in sizes.items() if size > 1]
    return sum(largest[g] for g in several) / max(1, sum(sizes[g] for g in several))


def _more(vectors: np.ndarray, count: int) -> np.ndarray:
    """So many vectors: these, and turned ones, which are as many other people."""
    rng = np.random.default_rng(1)
    dimension = vectors.shape[1]
    turns = [np.eye(dimension)]
    while len(turns) * len(vectors) < count:
        turns.append(np.linalg.qr(rng.normal(size=(dimension, dimension)))[0])
    return np.concatenate([vectors @ turn for turn in turns])[:count].astype(np.float32)


if __name__ == "__main__":
    main()
