"""What faceweb asks of a vector index, whatever stands behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """A stored point near a query: its id, and the cosine of the two vectors (-1 to 1)."""

    id: int
    similarity: float


class IndexUnavailable(Exception):
    """The index cannot be opened or reached; the message says what to do."""


class VectorIndex(Protocol):
    """Vectors by id, in collections that are made when first used.

    Points carry no payload: who a vector belongs to is the database's to say. All methods may
    be called from several threads, and writing the same thing twice changes nothing.
    """

    def upsert(self, collection: str, ids: Sequence[int], vectors: Float32) -> None:
        """Store unit vectors (n, dimension) under ids, replacing what was there."""
        ...

    def remove(self, collection: str, ids: Sequence[int]) -> None:
        """Remove points; ids that are not there are passed over."""
        ...

    def search(self, collection: str, vectors: Float32, *, limit: int) -> list[list[Hit]]:
        """The `limit` nearest points of each query vector (n, dimension), nearest first."""
        ...

    def count(self, collection: str) -> int:
        """How many points a collection holds; 0 if there is no such collection."""
        ...

    def ids(self, collection: str) -> Iterator[int]:
        """The ids of all points of a collection, ascending."""
        ...

    def drop(self, collection: str) -> None:
        """Remove a whole collection, if there is one."""
        ...

    def close(self) -> None:
        """Make everything durable and let go of files and connections."""
        ...
