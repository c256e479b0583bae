"""Detectors side by side: faceweb's mtcnn and yunet, and facenet-pytorch's MTCNN.

    python -m benchmarks.detection FOLDER [FOLDER ...] [--cores N] [--sample N] [--rounds N]

Every folder is a set of photos of its own. Each contender is a process of its own that keeps to one
core (or to N), decodes the same photos, no larger than detectors search, and takes them in the same
batches: up to 8 in a row that are of one size, because facenet-pytorch takes no others. On several
cores each works as it does in use: PyTorch shares the cores among one batch's operations, and
faceweb's worker has a batch on each. They take turns, batch by batch (or N by N), so that a machine
that slows down slows all of them. What is printed are medians over the rounds. The settings are the
same: smallest face, thresholds, factor of the pyramid.

A face of facenet-pytorch's counts as found again if some box overlaps it by 0.7 (intersection over
union); 0.5 is shown as well. A face counts as extra if it overlaps none of them by 0.5.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import facenet_mtcnn
from benchmarks.machine import keep, machine, table
from benchmarks.pipeline import photos_below
from faceweb.recognition.detection import DetectorSettings
from faceweb.recognition.errors import ImageError
from faceweb.recognition.geometry import overlaps
from faceweb.recognition.images import decode

REFERENCE = "facenet-pytorch"
CONTENDERS = (REFERENCE, "mtcnn", "yunet")
BATCH = 8
SETTINGS = DetectorSettings(min_score=0.7)  # facenet-pytorch's last threshold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--sample", type=int, default=400, help="photos of each folder at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        _serve(options.contender, options.cores)
        return
    results: dict[str, Any] = {}
    for folder in options.folders:
        paths = _spread(folder, options.sample)
        title, rows = _measure(folder.name, paths, options.rounds, options.cores)
        cores = f"{options.cores} core{'s' * (options.cores > 1)}"
        print(f"\n{title}, {machine()['processor']}, {cores}\n\n{table(rows)}")
        results[folder.name] = rows
    keep(options.json, results)


def _spread(folder: Path, most: int) -> list[Path]:
    paths = photos_below(folder)
    return paths[:: max(1, -(-len(paths) // most))]


def _measure(
    name: str, paths: list[Path], rounds: int, cores: int
) -> tuple[str, list[dict[str, Any]]]:
    processes = {contender: _start(contender, cores) for contender in CONTENDERS}
    names = [str(path) for path in paths]
    sizes, *_ = (_ask(process, names) for process in processes.values())
    taken = [n for n, size in enumerate(sizes) if size]
    batches = list(_batches(taken, sizes))
    turns_of = [batches[at : at + cores] for at in range(0, len(batches), cores)]
    seconds: dict[str, list[list[float]]] = {contender: [] for contender in CONTENDERS}
    found: dict[str, list[Any]] = {contender: [] for contender in CONTENDERS}
    for some in turns_of:
        for contender in CONTENDERS:
            _ask(processes[contender], some)  # the first time at a size is no measure
        turns = [{c: _ask(processes[c], some) for c in CONTENDERS} for _ in range(rounds)]
        for contender in CONTENDERS:
            seconds[contender].append([turn[contender]["seconds"] for turn in turns])
            found[contender] += turns[0][contender]["boxes"]
    for process in processes.values():
        process.stdin.close()
        process.wait()
    width, height = np.mean([sizes[n] for n in taken], axis=0)
    title = f"{name}: {len(taken)} photos, mean {width:.0f}x{height:.0f}"
    return title, _rows(len(taken), seconds, found)


def _batches(taken: list[int], sizes: list[Any]) -> Iterator[list[int]]:
    """Photos in a row that are of one size, a few at a time."""
    breaks = [n for n, (a, b) in enumerate(pairwise(taken), start=1) if sizes[a] != sizes[b]]
    for start, end in pairwise([0, *breaks, len(taken)]):
        for at in range(start, end, BATCH):
            yield taken[at : min(at + BATCH, end)]


def _rows(
    photos: int, seconds: dict[str, list[list[float]]], found: dict[str, list[Any]]
) -> list[dict[str, Any]]:
    total = {c: sum(statistics.median(rounds) for rounds in seconds[c]) for c in CONTENDERS}
    rows = []
    for contender in CONTENDERS:
        pairs = [
            (np.reshape(theirs, (-1, 4)), np.reshape(ours, (-1, 4)))
            for theirs, ours in zip(found[REFERENCE], found[contender], strict=True)
        ]
        shared = [overlaps(theirs, ours) for theirs, ours in pairs]
        best = np.concatenate([m.max(axis=1, initial=0) for m in shared])
        nearest = np.concatenate([m.max(axis=0, initial=0) for m in shared])
        rows.append({
            "detector": contender,
            "ms a photo": 1000 * total[contender] / photos,
            "times as fast": total[REFERENCE] / total[contender],
            "faces": len(nearest),
            "found again": f"{(best >= 0.7).mean():.2%}",
            "at 0.5": f"{(best >= 0.5).mean():.2%}",
            "extra": int((nearest < 0.5).sum()),
        })  # fmt: skip
    return rows


def _start(contender: str, cores: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.detection",
               "--contender", contender, "--cores", str(cores)]  # fmt: skip
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(process: subprocess.Popen[str], question: Any) -> Any:
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


# --- what a contender's process does ------------------------------------------------------------


def _serve(contender: str, cores: int) -> None:
    """Answer with the photos' sizes, then with the time and boxes of some batches at a time."""
    _keep_to(cores)
    detect = _facenet() if contender == REFERENCE else _own(contender)
    photos = [_decoded(Path(path)) for path in json.loads(sys.stdin.readline())]
    _answer([None if photo is None else (photo.shape[1], photo.shape[0]) for photo in photos])
    # PyTorch has the cores for itself; batches of faceweb share them.
    with ThreadPoolExecutor(1 if contender == REFERENCE else cores) as threads:
        for line in sys.stdin:
            batches = [[photos[number] for number in batch] for batch in json.loads(line)]
            start = time.perf_counter()
            done = list(threads.map(detect, batches))
            seconds = time.perf_counter() - start - sum(uncounted for _, uncounted in done)
            boxes = [np.asarray(b, float).tolist() for found, _ in done for b in found]
            _answer({"seconds": seconds, "boxes": boxes})


def _answer(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def _keep_to(cores: int) -> None:
    import cv2
    import torch

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    torch.set_num_threads(cores)
    cv2.setNumThreads(1)


def _decoded(path: Path) -> np.ndarray | None:
    """The photo, unless it cannot be read or is too small for facenet-pytorch."""
    try:
        photo = decode(path.read_bytes(), working_side=SETTINGS.longest_side).pixels
    except ImageError:
        return None
    return photo if min(photo.shape[:2]) >= _smallest(photo) else None


def _own(slug: str):
    module = importlib.import_module(f"faceweb.recognition.detection.{slug}")
    detector = module.load(SETTINGS, "cpu")
    return lambda photos: ([found.boxes for found in detector.detect(photos)], 0.0)


def _facenet():
    """Its suppression is torchvision's, with a stand-in here: what that takes is not counted."""
    mtcnn = facenet_mtcnn()(keep_all=True)
    cascade = importlib.import_module("facenet_pytorch.models.utils.detect_face")
    spent = [0.0]
    suppress = cascade.batched_nms

    def timed(*arguments):
        start = time.perf_counter()
        kept = suppress(*arguments)
        spent[0] += time.perf_counter() - start
        return kept

    cascade.batched_nms = timed

    def detect(photos):
        spent[0] = 0.0
        mtcnn.min_face_size = _smallest(photos[0])
        boxes, _ = mtcnn.detect(np.stack(photos))
        return [[] if found is None else found for found in boxes], spent[0]

    return detect


def _smallest(photo: np.ndarray) -> float:
    return max(SETTINGS.min_face, SETTINGS.min_face_share * max(photo.shape))


if __name__ == "__main__":
    main()
