"""A Qdrant server or cluster through qdrant-client."""

import threading
from collections.abc import Iterator, Sequence

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from faceweb.vectors.base import Float32, Hit, IndexUnavailable

_PAGE = 1000


class ServerIndex:
    """A VectorIndex on a Qdrant server; ServerIndex(":memory:") is the client's own, for tests."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self._known: set[str] = set()
        self._lock = threading.Lock()
        try:
            self._client = (
                QdrantClient(":memory:")
                if url == ":memory:"
                else QdrantClient(url=url, api_key=api_key, timeout=30)
            )
            self._client.get_collections()
        except (ApiException, QdrantException, OSError, ValueError) as error:
            raise IndexUnavailable(
                f"The Qdrant server at {url} does not answer ({error}). Check QDRANT_URL."
            ) from error

    def upsert(self, collection: str, ids: Sequence[int], vectors: Float32) -> None:
        if not ids:
            return
        self._ensure(collection, vectors.shape[1])
        batch = models.Batch(ids=list(ids), vectors=vectors.tolist())
        self._client.upsert(collection, points=batch, wait=True)

    def remove(self, collection: str, ids: Sequence[int]) -> None:
        if ids and self._exists(collection):
            selector = models.PointIdsList(points=list(ids))
            self._client.delete(collection, points_selector=selector, wait=True)

    def search(self, collection: str, vectors: Float32, *, limit: int) -> list[list[Hit]]:
        if not len(vectors) or not self._exists(collection):
            return [[] for _ in vectors]
        requests = [models.QueryRequest(query=vector.tolist(), limit=limit) for vector in vectors]
        return [
            [Hit(int(point.id), point.score) for point in response.points]
            for response in self._client.query_batch_points(collection, requests=requests)
        ]

    def count(self, collection: str) -> int:
        if not self._exists(collection):
            return 0
        return self._client.count(collection, exact=True).count

    def ids(self, collection: str) -> Iterator[int]:
        offset = None
        while self._exists(collection):
            records, offset = self._client.scroll(
                collection, limit=_PAGE, offset=offset, with_payload=False, with_vectors=False
            )
            yield from (int(record.id) for record in records)
            if offset is None:
                return

    def drop(self, collection: str) -> None:
        self._known.discard(collection)
        if self._client.collection_exists(collection):
            self._client.delete_collection(collection)

    def close(self) -> None:
        self._client.close()

    def _exists(self, collection: str) -> bool:
        if collection not in self._known and self._client.collection_exists(collection):
            self._known.add(collection)
        return collection in self._known

    def _ensure(self, collection: str, dimension: int) -> None:
        with self._lock:
            if not self._exists(collection):
                params = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
                self._client.create_collection(collection, vectors_config=params)
                self._known.add(collection)
