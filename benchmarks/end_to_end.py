"""A whole faceweb on a folder of photos: import through broker, worker, database and index.

    python -m benchmarks.end_to_end FOLDER [--probe PHOTO] [--json FILE]

Starts an instance of its own in a temporary folder and imports four fifths of FOLDER by command.
Prints photos a second, what share that is of the pipeline alone on the same decoded photos (before
the import and after it, because machines have moods), the worker's memory over time and how busy
the cores were. Then it imports the last fifth while someone searches with one photo every few
seconds, and says how long searches took meanwhile and before.

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
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import keep, machine
from benchmarks.pipeline import decoded, photos_a_second
from tests.e2e.running import Running, running

ENDINGS = (".jpg", ".jpeg", ".png")
SAMPLE = 200  # photos on which the pipeline alone is timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", default="file", choices=("file", "folder", "none"))
    parser.add_argument("--probe", type=Path, help="the photo to search with")
    parser.add_argument("--pause", type=float, default=3, help="seconds between two searches")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    probe = options.probe or next(p for p in sorted(options.folder.rglob("*.jp*g")))
    with tempfile.TemporaryDirectory() as folder:
        most, rest = _divided(options.folder, Path(folder))
        sample = decoded(options.folder, SAMPLE, 4000)
        alone = [photos_a_second(sample, "faceweb", rounds=2)]
        with running(Path(folder) / "data") as site:
            search = _searcher(site, probe)
            results = _import(site, most, options.names)
            alone.append(photos_a_second(sample, "faceweb", rounds=2))
            results["search s, idle"] = _median([search() for _ in range(20)])
            results |= _import_and_search(site, rest, options.names, search, options.pause)
    results["pipeline alone, photos a second"] = [round(rate, 1) for rate in alone]
    share = results["photos a second"] / statistics.mean(alone)
    results["share of the pipeline alone"] = round(share, 2)
    print(f"{machine()['processor']}, {machine()['cores']} cores")
    for key, value in results.items():
        print(f"{key:36} {value}")
    keep(options.json, {"end_to_end": results})


def _divided(folder: Path, into: Path) -> tuple[Path, Path]:
    """Copies of four fifths of a folder's photos and of the last fifth, in their subfolders."""
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    for number, path in enumerate(photos):
        copy = into / ("rest" if number % 5 == 4 else "most") / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return into / "most", into / "rest"


def _import(site: Running, folder: Path, names: str) -> dict[str, Any]:
    worker = site.worker()
    assert worker is not None
    memory, busy = [], []
    done = threading.Event()

    def watch() -> None:
        psutil.cpu_percent()
        while not done.wait(1):
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
        "worker's memory MB, by tenths": [round(m) for m in memory[:: max(1, len(memory) // 10)]],
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
