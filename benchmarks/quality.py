"""Whether quality says how much of a face's similarity is left: photos are spoilt step by step.

FOLDER holds one folder for each person, as LFW does. Of each person with several photos one photo
is spoilt in several ways, and its face compared with the person's other photos as they are.
"""

import argparse
import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from faceweb.recognition import calibration, pipeline
from faceweb.recognition.embedders import SFACE
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import FoundFace, Pipeline

BATCH, WAYS_EACH = 8, 8
BANDS = (0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.001)

Pixels = np.ndarray
Spoil = Callable[[Pixels, np.ndarray], Pixels]
RNG = np.random.default_rng(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=10**6, help="take so many people at most")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    loaded = pipeline.load(embedder="sface", detector="mtcnn")
    known = calibration.shipped(SFACE.slug, SFACE.version)
    assert known is not None
    match = known.similarity_at(1e-4)
    folders = [f for f in sorted(options.folder.iterdir()) if len(list(f.glob("*.jp*g"))) > 1]
    rows = [row for f in folders[: options.people] for row in _of_person(loaded, f)]
    found = np.array([(left, score, similarity >= match) for _, left, score, similarity in rows])
    ways = np.array([way for way, *_ in rows])
    print(f"{len(rows)} faces; correlation of quality and share left: "
          f"{np.corrcoef(found[:, 0], found[:, 1])[0, 1]:.3f}")  # fmt: skip
    figures = {}
    for way in dict.fromkeys(["none", *WAYS]):
        figures[way] = _shown(way, found[ways == way])
    for low, high in pairwise(BANDS):
        band = f"quality {low:g} to {high:.1f}"
        figures[band] = _shown(band, found[(found[:, 1] >= low) & (found[:, 1] < high)])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def _shown(name: str, rows: np.ndarray) -> dict[str, float]:
    if not len(rows):
        return {"faces": 0}
    left, score, matching = rows.mean(axis=0)
    print(f"{name:22} faces {len(rows):5}  share left {left:6.3f}  quality {score:.3f}  "
          f"matching {matching:.3f}")  # fmt: skip
    return {"faces": len(rows), "share_left": left, "quality": score, "matching": matching}


def _of_person(loaded: Pipeline, folder: Path) -> list[tuple[str, float, float, float]]:
    """How it was spoilt, the share of similarity left, quality and similarity."""
    images = [decode(path.read_bytes()) for path in sorted(folder.glob("*.jp*g"))]
    faces = [found[0] for found in loaded.analyse(images) if found]
    if len(faces) < 2:
        return []
    others = np.stack([face.embedding for face in faces[1:]])
    before = float((others @ faces[0].embedding).mean())
    chosen = RNG.choice(list(WAYS), WAYS_EACH, replace=False)
    pictures = [WAYS[way](images[0].pixels, faces[0].box) for way in chosen]
    # Detection finds the face again; what is left of another person's is not compared.
    analysed = loaded.analyse([_saved(picture) for picture in pictures])
    rows = [("none", 1.0, faces[0].quality, before)]
    for way, found in zip(chosen, analysed, strict=True):
        face = max(found, key=lambda one: _likeness(one, faces[0]), default=None)
        if face is not None and _likeness(face, faces[0]) > 0:
            similarity = float((others @ face.embedding).mean())
            rows.append((str(way), similarity / before, face.quality, similarity))
    return rows


def _likeness(one: FoundFace, other: FoundFace) -> float:
    return float(one.embedding @ other.embedding)


def _saved(picture: Pixels) -> DecodedImage:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=88)
    return decode(buffer.getvalue())


def _smaller(share: float) -> Spoil:
    return lambda p, _: cv2.resize(p, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def _blurred(sigma: float) -> Spoil:
    return lambda p, _: cv2.GaussianBlur(p, (0, 0), sigma)


def _moved(length: int) -> Spoil:
    def spoil(picture: Pixels, _: np.ndarray) -> Pixels:
        kernel, angle = np.zeros((length, length), np.float32), RNG.uniform(0, np.pi)
        along = np.linspace(-0.5, 0.5, 4 * length) * (length - 1)
        middle = (length - 1) / 2
        rows, columns = (middle + along * f(angle) for f in (np.sin, np.cos))
        kernel[rows.round().astype(int), columns.round().astype(int)] = 1
        return cv2.filter2D(picture, -1, kernel / kernel.sum())

    return spoil


def _lit(gain: float, offset: float = 0) -> Spoil:
    def spoil(picture: Pixels, _: np.ndarray) -> Pixels:
        noise = RNG.normal(0, 2, picture.shape) if gain < 1 else 0
        return (picture.astype(np.float32) * gain + offset + noise).clip(0, 255).astype(np.uint8)

    return spoil


def _cut(share: float, axis: int) -> Spoil:
    def spoil(picture: Pixels, box: np.ndarray) -> Pixels:
        start = int(box[axis] + share * (box[axis + 2] - box[axis]))
        return picture[:, max(start, 0) :] if axis == 0 else picture[max(start, 0) :]

    return spoil


WAYS: dict[str, Spoil] = {
    **{f"at {share:.0%} size": _smaller(share) for share in (0.7, 0.5, 0.4, 0.32, 0.26, 0.22)},
    **{f"blur, sigma {sigma}": _blurred(sigma) for sigma in (1, 2, 3, 4, 5)},
    **{f"moved by {length}": _moved(length) for length in (7, 13, 19)},
    **{f"dark, {gain}": _lit(gain) for gain in (0.4, 0.2, 0.12)},
    **{f"bright, {gain}": _lit(gain, o) for gain, o in ((1.5, 0), (2, 20), (2.5, 40))},
    **{f"side cut by {share:.0%}": _cut(share, 0) for share in (0.1, 0.2, 0.3)},
    **{f"top cut by {share:.0%}": _cut(share, 1) for share in (0.1, 0.2, 0.3)},
}


if __name__ == "__main__":
    main()
