"""A whole faceweb on a folder of photos: import through broker, worker, database and index.

    python -m benchmarks.end_to_end FOLDER [--probe PHOTO] [--json FILE]

Starts an instance of its own in a temporary folder, imports FOLDER by command, and meanwhile
searches with one photo every few seconds. Prints photos a second, what share that is of the
pipeline alone on the same decoded photos, the worker's memory over time, how busy the cores
were, and how long searches took during the import and after it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import keep, machine
from benchmarks.pipeline import decoded, photos_a_second
from tests.e2e.running import ROOT, Running, running

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
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as site:
        results = _import(site, options.folder, options.names, probe, options.pause)
        results["search s, idle"] = _median([_search(site, probe) for _ in range(10)])
    alone = photos_a_second(decoded(options.folder, SAMPLE, 4000), "faceweb", rounds=1)
    results["pipeline alone, photos a second"] = round(alone, 1)
    results["share of the pipeline alone"] = round(results["photos a second"] / alone, 2)
    print(f"{machine()['processor']}, {machine()['cores']} cores")
    for key, value in results.items():
        print(f"{key:36} {value}")
    keep(options.json, {"end_to_end": results})


def _import(site: Running, folder: Path, names: str, probe: Path, pause: float) -> dict[str, Any]:
    worker = site.worker()
    assert worker is not None
    memory, busy, searches = [], [], []
    done = threading.Event()

    def watch() -> None:
        psutil.cpu_percent()
        while not done.wait(1):
            memory.append(worker.memory_info().rss / 1e6)
            busy.append(psutil.cpu_percent())

    def ask() -> None:
        while not done.wait(pause):
            searches.append(_search(site, probe))

    threads = [threading.Thread(target=watch), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    try:
        outcome = site.answer("import_photos", str(folder), "--names", names)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return {
        "photos": outcome["new"],
        "done": outcome["done"],
        "faces": outcome["faces"],
        "seconds": outcome["seconds"],
        "photos a second": round(outcome["new"] / outcome["seconds"], 1),
        "cores busy, %": round(statistics.mean(busy)),
        "worker's memory MB, by tenths": [round(m) for m in memory[:: max(1, len(memory) // 10)]],
        "search s, during the import": _median(searches),
    }


def _search(site: Running, probe: Path) -> float:
    """Seconds from the question to the answer, as the instance says; commands start slowly."""
    command = [sys.executable, "manage.py", "search", str(probe), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=site.environment, check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout)[0]["seconds"])


def _median(seconds: list[float]) -> float | None:
    return round(statistics.median(seconds), 3) if seconds else None


if __name__ == "__main__":
    main()
