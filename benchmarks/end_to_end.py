"""A whole faceweb on a folder of photos: import through broker, worker, database and index.

    python -m benchmarks.end_to_end FOLDER [--rounds N] [--copies N] [--side PIXELS]
                                           [--names file|folder|none] [--probe PHOTO] [--json FILE]

Starts an instance of its own in a temporary folder and imports four fifths of the photos by
command, in a few rounds. Before, between and after the rounds, when the worker has come to rest,
the pipeline alone looks at some photos of the round before, decoded: machines have moods, and only
what was measured side by side compares.
Prints photos a second and what share that is of the pipeline alone, for each round and on average,
the worker's memory over time and how busy the cores were. Then it imports the last fifth while
someone searches with one photo every few seconds, and says how long searches took meanwhile and
before.

With --copies, small folders become large: each photo is taken so many times, each time cut by other
numbers of pixels from the left and from above, so that none is known already.

Not right after another run: for some minutes, ext4 looks at every deleted file before it makes a
new one, which costs a photo up to 3 ms. A file system of its own (TMPDIR) has no such memory.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from PIL import Image, ImageOps

from benchmarks.machine import keep, machine
from benchmarks.pipeline import decoded, photos_a_second, photos_below
from tests.e2e.running import Running, running

SAMPLE = 200  # photos on which the pipeline alone is timed
CUTS = 16  # from the left by 0 to 15 pixels, and as much from above
AT_REST = 5  # per cent of a core that a worker takes at most that has nothing to do


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="imports that are timed")
    parser.add_argument("--copies", type=int, default=1, help=f"of a photo, {CUTS**2} at most")
    parser.add_argument("--side", type=int, help="longer side of photos at most")
    parser.add_argument("--names", default="file", choices=("file", "folder", "none"))
    parser.add_argument("--probe", type=Path, help="the photo to search with")
    parser.add_argument("--pause", type=float, default=3, help="seconds between two searches")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = photos_below(options.folder)
    if not 1 <= options.copies <= CUTS**2:
        parser.error(f"--copies goes from 1 to {CUTS**2}")
    if options.rounds < 1 or len(paths) * options.copies < 5 * options.rounds:
        parser.error("--rounds is at least 1, and each needs five photos")
    probe = options.probe or next(p for p in sorted(options.folder.rglob("*.jp*g")))
    with tempfile.TemporaryDirectory() as folder:
        rounds, last = _divided(paths, options, Path(folder))
        with running(Path(folder) / "data") as site:
            search = _searcher(site, probe)
            results = _in_turns(site, rounds, options.names)
            results["search s, idle"] = _median([search() for _ in range(20)])
            results |= _import_and_search(site, last, options.names, search, options.pause)
    print(f"{machine()['processor']}, {machine()['cores']} cores")
    for key, value in results.items():
        print(f"{key:36} {value}")
    keep(options.json, {"end_to_end": results})


def _divided(paths: list[Path], options: argparse.Namespace, into: Path) -> tuple[list[Path], Path]:
    """Folders with four fifths of the photos, one for each round, and one with the last fifth."""
    rounds = [into / f"round{number}" for number in range(options.rounds)]
    last = into / "last"
    photos = [(copy, path) for copy in range(options.copies) for path in paths]
    for number, (copy, path) in enumerate(photos):
        part = last if number % 5 == 4 else rounds[(number - number // 5) % len(rounds)]
        target = part / str(copy) / path.relative_to(options.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy or options.side:
            # "a.png" and "a.jpg" may lie side by side; a number is no part of a person's name.
            target = target.with_name(f"{path.stem}_{number}.jpg")
            _cut(path, copy, options.side).save(target, quality=90)
        else:
            shutil.copyfile(path, target)
    return rounds, last


def _cut(path: Path, number: int, side: int | None) -> Image.Image:
    with Image.open(path) as file:
        photo = ImageOps.exif_transpose(file).convert("RGB")
    if side:
        photo.thumbnail((side, side))
    return photo.crop((number % CUTS, number // CUTS, *photo.size))


def _in_turns(site: Running, rounds: list[Path], names: str) -> dict[str, Any]:
    """Import one folder after the other, and ask the pipeline alone before and after each."""
    alone = [_alone(site, rounds[0], 0)]
    imports = []
    for number, folder in enumerate(rounds, start=1):
        imports.append(_import(site, folder, names))
        alone.append(_alone(site, folder, number))
    rates = [one["photos a second"] for one in imports]
    beside = [(before + after) / 2 for before, after in pairwise(alone)]
    shares = [rate / pipeline for rate, pipeline in zip(rates, beside, strict=True)]
    together = {key: [one[key] for one in imports] for key in imports[0]}
    memory = [size for one in together.pop("memory") for size in one]
    return together | {
        "worker's memory MB, by tenths": [round(m) for m in memory[:: max(1, len(memory) // 10)]],
        "pipeline alone, photos a second": [round(rate, 1) for rate in alone],
        "share of the pipeline alone": [round(share, 2) for share in shares],
        "share, on average": round(statistics.mean(shares), 3),
    }


def _alone(site: Running, folder: Path, seed: int) -> float:
    worker = site.worker()
    assert worker is not None
    while worker.cpu_percent(interval=1) > AT_REST:  # it groups faces when an import is through
        pass
    return photos_a_second(decoded(folder, SAMPLE, 4000, seed=seed), "faceweb", rounds=2)


def _import(site: Running, folder: Path, names: str) -> dict[str, Any]:
    worker = site.worker()
    assert worker is not None
    memory, busy = [], []
    done = threading.Event()

    def watch() -> None:
        psutil.cpu_percent()
        while not busy or not done.is_set():
            done.wait(1)
            memory.append(worker.memory_info().rss / 1e6)
            busy.append(psutil.cpu_percent())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        outcome = site.answer("import_photos", str(folder), "--names", names, timeout=None)
    finally:
        done.set()
        thread.join()
    return {
        "photos": outcome["new"],
        "done": outcome["done"],
        "faces": outcome["faces"],
        "seconds": outcome["seconds"],
        "photos a second": round(outcome["new"] / outcome["seconds"], 1),
        "cores busy, %": round(statistics.mean(busy)),
        "memory": memory,
    }


def _import_and_search(
    site: Running, folder: Path, names: str, search: Callable[[], float], pause: float
) -> dict[str, Any]:
    thread = threading.Thread(target=_import, args=(site, folder, names))
    thread.start()
    seconds = []
    while thread.is_alive():
        time.sleep(pause)
        seconds.append(search())
    thread.join()
    return {
        "searches during an import": len(seconds),
        "search s, during it, median": _median(seconds),
        "search s, during it, longest": round(max(seconds), 3),
    }


def _searcher(site: Running, probe: Path) -> Callable[[], float]:
    """A client in this process: starting another one for every search would take its share."""
    os.environ.update(site.environment, DJANGO_SETTINGS_MODULE="faceweb.settings")
    import django
    from django.core.management import call_command

    django.setup()

    def search() -> float:
        answer = io.StringIO()
        begun = time.perf_counter()
        call_command("search", str(probe), "--json", stdout=answer)
        seconds = time.perf_counter() - begun
        assert json.loads(answer.getvalue())[0]["faces"]
        return seconds

    return search


def _median(seconds: list[float]) -> float | None:
    return round(statistics.median(seconds), 3) if seconds else None


if __name__ == "__main__":
    main()
