"""Whole pipelines side by side: decoded photos to embeddings, in fresh processes.

    python -m benchmarks.pipeline FOLDER [FOLDER ...] [--sample N] [--side PIXELS] [--rounds N]

Every folder is a set of photos of its own, repeated until there are enough for all cores to have
some of them all the time. The contenders take turns, round by round, so that a
machine that slows down slows all of them; medians and ratios of medians are printed.
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.contenders import CONTENDERS
from benchmarks.machine import keep, machine, table
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import decode

# Photos that a contender gets. Where threads share them, the last one at work hardly counts then.
LEAST, LEAST_SHARED = 64, 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=100, help="photos of each folder at most")
    parser.add_argument("--side", type=int, default=1300, help="longer side of photos at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for folder in options.folders:
        photos = decoded(folder, options.sample, options.side)
        rows = _measure(photos, options.only, options.rounds)
        sizes = np.array([photo.shape[:2] for photo in photos])
        title = f"{folder.name}: {len(photos)} photos, mean {sizes[:, 1].mean():.0f}x"
        print(f"\n{title}{sizes[:, 0].mean():.0f}, {machine()['processor']}\n\n{table(rows)}")
        results[folder.name] = rows
    keep(options.json, results)


def photos_below(folder: Path) -> list[Path]:
    """The files below a folder whose names end as photos' do, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))


def decoded(folder: Path, sample: int, side: int, *, seed: int = 0) -> list[np.ndarray]:
    """Some readable photos below a folder, the same for the same seed, no larger than `side`."""
    paths = photos_below(folder)
    # At random: names may repeat in a pattern, and every n-th be much the same photo each time.
    chosen = random.Random(seed).sample(paths, min(sample, len(paths)))
    photos = []
    for path in chosen:
        try:
            pixels = decode(path.read_bytes()).pixels
        except ImageError:
            continue
        photo = Image.fromarray(pixels)
        photo.thumbnail((side, side))
        photos.append(np.asarray(photo))
    return photos


def _measure(photos: list[np.ndarray], names: list[str], rounds: int) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {name: [] for name in names}
    faces: dict[str, int] = {}
    with _stored(photos) as path:
        for _ in range(rounds):
            for name in names:
                outcome = _fresh(name, path, len(photos))
                seconds[name].append(outcome["seconds"])
                faces[name] = int(outcome["faces"])
    rates = {name: len(photos) / statistics.median(seconds[name]) for name in names}
    return [
        {
            "pipeline": name,
            "photos a second": round(rates[name], 2),
            "faces found": faces[name],
            **{f"times {peer}": round(rates[name] / rates[peer], 1)
               for peer in ("face_recognition", "notebook") if peer in rates},
        }
        for name in names
    ]  # fmt: skip


def photos_a_second(photos: list[np.ndarray], name: str, *, rounds: int) -> float:
    """How many photos a second one contender manages in a fresh process."""
    with _stored(photos) as path:
        seconds = [_fresh(name, path, len(photos))["seconds"] for _ in range(rounds)]
    return len(photos) / statistics.median(seconds)


@contextlib.contextmanager
def _stored(photos: list[np.ndarray]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photos.npz"
        np.savez(path, *photos)
        yield path


def _fresh(name: str, path: Path, photos: int) -> dict[str, float]:
    """The seconds that a contender takes for so many photos, and the faces that it finds."""
    least = LEAST_SHARED if name.startswith("faceweb") else LEAST
    repeats = -(-least // photos)
    command = [sys.executable, "-m", "benchmarks.contenders", name, str(path), str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    outcome = json.loads(done.stdout.splitlines()[-1])
    return {what: number / repeats for what, number in outcome.items()}


if __name__ == "__main__":
    main()
