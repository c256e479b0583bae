"""How well photos of one person find each other: false-match curve, rank 1 and throughput.

FOLDER holds one folder for each person, as LFW does. The most prominent face of each photo counts.
"""

import argparse
import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from faceweb.recognition import pipeline
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import decode

RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    parser.add_argument("--mirrored", action="store_true", help="embed mirror images too")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*/*.jp*g"))[:: options.every]
    loaded = pipeline.load(embedder="sface", detector="mtcnn")
    start = time.perf_counter()
    names, vectors, faces, missed = [], [], 0, 0
    for at in range(0, len(paths), BATCH):
        part = paths[at : at + BATCH]
        images = [image for image in map(_decoded, part) if image is not None]
        for path, found in zip(
            part, loaded.analyse(images, mirrored=options.mirrored), strict=True
        ):
            faces += len(found)
            if found:
                names.append(path.parent.name)
                vectors.append(found[0].embedding)
            else:
                missed += 1
    seconds = time.perf_counter() - start
    figures = {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.processor() or platform.system()}",
        "photos": len(paths), "faces": faces, "photos_without_a_face": missed,
        "photos_per_second_one_thread": round(len(paths) / seconds, 1),
        **_accuracy(np.stack(vectors), np.array(names)),
    }  # fmt: skip
    for key, value in figures.items():
        print(f"{key:30} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def _decoded(path: Path):
    try:
        return decode(path.read_bytes())
    except ImageError as error:
        raise SystemExit(f"{path}: {error}") from error


def _accuracy(vectors: np.ndarray, names: np.ndarray) -> dict[str, object]:
    similarity = vectors @ vectors.T
    same = names[:, None] == names[None]
    upper = np.triu_indices(len(names), 1)
    strangers = np.sort(similarity[upper][~same[upper]])[::-1]
    one_person = similarity[upper][same[upper]]
    curve = {
        f"FMR {rate:.0e}": {
            "similarity": round(float(strangers[int(rate * len(strangers))]), 3),
            "TMR": round(float((one_person >= strangers[int(rate * len(strangers))]).mean()), 4),
        }
        for rate in RATES
        if rate * len(strangers) >= 100  # fewer pairs than that say little
    }
    np.fill_diagonal(similarity, -1)
    has_another = same.sum(axis=1) > 1
    right = names[similarity.argmax(axis=1)] == names
    return {
        "pairs_of_different_people": len(strangers),
        "pairs_of_one_person": len(one_person),
        **curve,
        "rank_1": round(float(right[has_another].mean()), 4),
    }


if __name__ == "__main__":
    main()
