"""Whom faces resemble: faces against people, people against people, a face against its own.

People are given as rows of vectors in which each person's stand together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

# The similarities of a face to one person's faces, as one number.
Fuse = Callable[[Float32], float]

# Similarities worked out at once: 16 million of them take 64 MB.
_BLOCK = 16_000_000


@dataclass(frozen=True, eq=False)
class Resemblances:
    """Probes and the people they resemble, one row for each pair.

    `probes` are rows of the probes, `people` are people's ids, `best` are the rows of the
    person's faces that are most alike, at `similarities`; `scores` take all faces together.
    """

    probes: Int64
    people: Int64
    best: Int64
    similarities: Float32
    scores: Float32


def resemblances(
    probes: Float32, vectors: Float32, people: Int64, *, threshold: float, fuse: Fuse
) -> Resemblances:
    """All pairs of a probe (m, d) and a person with a face (n, d) at least this similar.

    `people` (n,) says whose each face is; each person's faces stand together.
    """
    starts, ends = _spans(people)
    rows: list[tuple[int, int, int, float, float]] = []
    step = max(1, _BLOCK // max(len(vectors), 1))
    for begin in range(0, len(probes) if len(vectors) else 0, step):
        similarities = probes[begin : begin + step] @ vectors.T
        highest = np.maximum.reduceat(similarities, starts, axis=1)
        for probe, person in np.argwhere(highest >= threshold).tolist():
            own = similarities[probe, starts[person] : ends[person]]
            best = int(starts[person]) + int(np.argmax(own))
            rows.append((begin + probe, int(people[best]), best, float(own.max()), fuse(own)))
    return Resemblances(
        probes=np.array([row[0] for row in rows], np.int64),
        people=np.array([row[1] for row in rows], np.int64),
        best=np.array([row[2] for row in rows], np.int64),
        similarities=np.array([row[3] for row in rows], np.float32),
        scores=np.array([row[4] for row in rows], np.float32),
    )


def fits(vectors: Float32, people: Int64, good: Bool, *, fuse: Fuse) -> Float32:
    """How alike each face (n, d) is to the rest of its person; NaN if they have fewer than three.

    A face is compared with the person's `good` (n,) faces, or with all if those are fewer than
    two besides itself.
    """
    fitting = np.full(len(vectors), np.nan, np.float32)
    for start, end in zip(*_spans(people), strict=True):
        own, trusted = vectors[start:end], good[start:end]
        if len(own) < 3:
            continue
        step = max(1, _BLOCK // len(own))
        for begin in range(0, len(own), step):
            similarities = own[begin : begin + step] @ own.T
            for row, values in enumerate(similarities, start=begin):
                others = trusted.copy()
                others[row] = False
                if others.sum() < 2:
                    others = np.arange(len(own)) != row
                fitting[start + row] = fuse(values[others])
    return fitting


def alike_people(
    vectors: Float32, people: Int64, *, threshold: float, among: Bool | None = None
) -> list[tuple[int, int, float]]:
    """Pairs of people whose faces (n, d) are on average at least this similar.

    As (id, id, mean similarity), the smaller id first. With `among` (n,) only people who have
    such a face are compared, each with everybody.
    """
    if not len(vectors):
        return []
    starts, ends = _spans(people)
    ids = people[starts]
    means = np.add.reduceat(vectors, starts, axis=0) / (ends - starts)[:, None].astype(np.float32)
    asked = np.arange(len(ids))
    if among is not None:
        asked = np.flatnonzero(np.logical_or.reduceat(among, starts))
    found: dict[tuple[int, int], float] = {}
    step = max(1, _BLOCK // len(ids))
    for begin in range(0, len(asked), step):
        part = asked[begin : begin + step]
        similarities = means[part] @ means.T
        for row, other in zip(*np.nonzero(similarities >= threshold), strict=True):
            one = part[row]
            if one != other:
                low, high = sorted((int(ids[one]), int(ids[other])))
                found[low, high] = float(similarities[row, other])
    return [(low, high, similarity) for (low, high), similarity in sorted(found.items())]


def closest(one: Float32, other: Float32) -> tuple[int, int]:
    """The rows of the two most similar vectors, one of each side."""
    similarities = one @ other.T
    row, column = np.unravel_index(int(np.argmax(similarities)), similarities.shape)
    return int(row), int(column)


def _spans(people: Int64) -> tuple[Int64, Int64]:
    """Where each person's rows begin and end."""
    starts = np.flatnonzero(np.diff(people, prepend=people[:1] - 1))
    return starts, np.append(starts, len(people))[1:]
