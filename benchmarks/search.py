"""The index: latency and recall at many sizes, exact, with a graph, and with a graph and int8.

    python -m benchmarks.search [--sizes 10000 100000 1000000] [--kinds exact graph graph+int8]

Vectors are made up to lie as embeddings do: 128 numbers, four faces for each person, two faces
of one person about 0.65 alike, strangers near 0. A probe is another face of somebody stored.
Every row is measured in a process of its own; the truth for recall at 10 is computed by numpy.
"exact" is what faceweb uses.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import keep, machine, table

DIMENSION, FACES_EACH, QUERIES, TOP = 128, 4, 100, 10
SPREAD = 0.73  # noise that leaves two faces of one person about 0.65 alike
KINDS = ("exact", "graph", "graph+int8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(_row(int(options.row[0]), options.row[1])))
        return
    rows = []
    for size in options.sizes:
        for kind in options.kinds:
            command = [sys.executable, "-m", "benchmarks.search", "--row", str(size), kind]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], file=sys.stderr)
    print(f"\n{machine()['processor']}, {machine()['cores']} cores\n\n{table(rows)}")
    keep(options.json, {"search": rows})


def _row(size: int, kind: str) -> dict[str, Any]:
    random = np.random.default_rng(1)
    stored = _faces(size, random)
    chosen = stored[random.choice(size, QUERIES, replace=False)]
    probes = _unit(chosen + 0.5 * _noise(len(chosen), random))
    truth = np.concatenate([np.argsort(-(part @ stored.T), axis=1)[:, :TOP]
                            for part in np.split(probes, QUERIES // 10)])  # fmt: skip
    before = _memory()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        shard = _filled(folder, stored, kind)
        inserted = time.perf_counter()
        if kind != "exact":
            shard.optimize()
        built = time.perf_counter()
        seconds, right = _queries(shard, probes, truth)
        row = {
            "vectors": size,
            "index": kind,
            "insert s": round(inserted - start, 1),
            "build s": round(built - inserted, 1),
            "query ms, median": round(float(np.median(seconds)) * 1000, 2),
            "query ms, 95 %": round(float(np.quantile(seconds, 0.95)) * 1000, 2),
            "recall at 10": round(right, 3),
            "memory MB": round(_memory() - before),
        }
        shard.close()
    return row


def _filled(folder: str, stored: np.ndarray, kind: str) -> Any:
    import qdrant_edge as edge

    options: dict[str, Any] = {}
    if kind != "exact":
        options["hnsw_config"] = edge.HnswIndexConfig(16, 100, 10_000)
    if kind == "graph+int8":
        options["quantization_config"] = edge.ScalarQuantizationConfig(
            edge.ScalarType.Int8, always_ram=True
        )
    vectors = {"face": edge.EdgeVectorParams(size=DIMENSION, distance=edge.Distance.Cosine)}
    shard = edge.EdgeShard.create(folder, edge.EdgeConfig(vectors=vectors, **options))
    for at in range(0, len(stored), 1000):
        part = enumerate(stored[at : at + 1000], start=at)
        points = [edge.Point(number, {"face": vector.tolist()}, {}) for number, vector in part]
        shard.update(edge.UpdateOperation.upsert_points(points))
    return shard


def _queries(shard: Any, probes: np.ndarray, truth: np.ndarray) -> tuple[list[float], float]:
    import qdrant_edge as edge

    seconds, right = [], 0
    for probe, wanted in zip(probes, truth, strict=True):
        query = edge.QueryRequest(query=edge.Query.Nearest(probe.tolist(), using="face"), limit=TOP)
        start = time.perf_counter()
        found = shard.query(query)
        seconds.append(time.perf_counter() - start)
        right += len({point.id for point in found} & set(wanted.tolist()))
    return seconds, right / truth.size


def _faces(count: int, random: np.random.Generator) -> np.ndarray:
    people = _unit(random.standard_normal((count // FACES_EACH + 1, DIMENSION)))
    return _unit(people[np.arange(count) // FACES_EACH] + SPREAD * _noise(count, random))


def _noise(count: int, random: np.random.Generator) -> np.ndarray:
    return random.standard_normal((count, DIMENSION)).astype(np.float32) / np.sqrt(DIMENSION)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _memory() -> float:
    """Megabytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
