"""Qdrant Edge: Qdrant's engine inside this process, its files in a folder.

One process at a time may have the folder open; within it, any number of threads.
"""

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import qdrant_edge as edge

from faceweb.vectors.base import Float32, Hit, IndexUnavailable

_VECTOR = "face"
_PAGE = 1000


class EdgeIndex:
    """A VectorIndex in a folder, one shard for each collection."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, edge.EdgeShard] = {}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def upsert(self, collection: str, ids: Sequence[int], vectors: Float32) -> None:
        if not ids:
            return
        points = [
            edge.Point(point, {_VECTOR: vector.tolist()}, {})
            for point, vector in zip(ids, vectors, strict=True)
        ]
        shard = self._shard(collection, dimension=vectors.shape[1])
        assert shard is not None
        shard.update(edge.UpdateOperation.upsert_points(points))

    def remove(self, collection: str, ids: Sequence[int]) -> None:
        shard = self._shard(collection)
        if shard is not None and ids:
            shard.update(edge.UpdateOperation.delete_points(list(ids)))

    def search(self, collection: str, vectors: Float32, *, limit: int) -> list[list[Hit]]:
        shard = self._shard(collection)
        if shard is None or not len(vectors):
            return [[] for _ in vectors]
        queries = [
            edge.QueryRequest(query=edge.Query.Nearest(vector.tolist(), using=_VECTOR), limit=limit)
            for vector in vectors
        ]
        return [
            [Hit(int(point.id), point.score) for point in shard.query(query)] for query in queries
        ]

    def count(self, collection: str) -> int:
        shard = self._shard(collection)
        return shard.count(edge.CountRequest(exact=True)) if shard is not None else 0

    def ids(self, collection: str) -> Iterator[int]:
        shard = self._shard(collection)
        offset = None
        while shard is not None:
            request = edge.ScrollRequest(
                offset=offset, limit=_PAGE, with_payload=False, with_vector=False
            )
            records, offset = shard.scroll(request)
            yield from (int(record.id) for record in records)
            if offset is None:
                return

    def drop(self, collection: str) -> None:
        with self._lock:
            shard = self._shards.pop(collection, None)
            if shard is not None:
                shard.close()
            shutil.rmtree(self._folder / collection, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            for shard in self._shards.values():
                shard.flush()
                shard.close()
            self._shards.clear()

    def _shard(self, collection: str, dimension: int | None = None) -> edge.EdgeShard | None:
        """The collection's shard; made if a dimension is given, else None if there is none."""
        with self._lock:
            if collection not in self._shards:
                path = self._folder / collection
                if path.is_dir() and any(path.iterdir()):
                    self._shards[collection] = _load(path)
                elif dimension is not None:
                    self._shards[collection] = _create(path, dimension)
            return self._shards.get(collection)


def _config(dimension: int) -> edge.EdgeConfig:
    # Without a graph every search is exact: at 100,000 vectors that still takes about 10 ms.
    return edge.EdgeConfig(
        vectors={_VECTOR: edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine)}
    )


def _create(path: Path, dimension: int) -> edge.EdgeShard:
    """A new shard, made aside and moved into place: a process that dies here leaves no half."""
    draft = path.with_name(f".{path.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shard = edge.EdgeShard.create(str(draft), _config(dimension))
    shard.flush()
    shard.close()
    if path.is_dir():
        path.rmdir()  # empty, or it would have been loaded
    draft.rename(path)
    return _load(path)


def _load(path: Path) -> edge.EdgeShard:
    try:
        return edge.EdgeShard.load(str(path))
    except Exception as error:  # the binding raises bare exceptions of its own
        if "WouldBlock" in str(error) or "Resource temporarily unavailable" in str(error):
            raise IndexUnavailable(
                f"The search index in {path.parent} is in use by another process. "
                "Only one faceweb can run on a data folder."
            ) from error
        raise IndexUnavailable(
            f"The search index in {path} cannot be opened ({error}). "
            "Run `python manage.py rebuild_index` to make it anew from the database."
        ) from error
