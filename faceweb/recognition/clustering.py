"""Unknown faces that are one person: groups of vectors under rules that a person can follow.

Groups are merged from the most similar pair down, as long as the mean similarity between all
faces of the one and all faces of the other stays above a threshold (average linkage). Two
groups are never merged if they hold two faces of one photo or two faces that somebody said
are different people. Poor faces may join a group but never found one or hold two together,
because blurred faces resemble each other by chance far more often than clear ones do.

A mean above the threshold needs at least one pair above it, so only such pairs are looked at:
the result is that of average linkage over all pairs, without a matrix of all pairs.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

NONE = -1

# How many strangers may be expected to be alike enough, for each face, among all others. The
# archive is taken to have at least so many faces: while it grows, faces that came early must
# not be grouped by what only holds among few.
_STRANGERS, _LEAST_FACES = 0.05, 10_000

# Similarities worked out at once: 32 million of them take 128 MB.
_BLOCK = 32_000_000
# Pairs kept of one face: a person with thousands of photos would else have millions of them.
_MOST_PAIRS = 64


@dataclass(eq=False)
class _Group:
    """Faces that are one person so far."""

    label: int
    members: list[int]
    photos: set[int]
    # Faces that must never be in it.
    against: set[int]
    closed: bool
    # Whether an earlier run gave the label: what is known by it keeps it.
    known: bool
    # The groups with which it has a pair above the threshold, by their place in the list.
    neighbours: set[int] = field(default_factory=set)
    # Goes up with every face that joins, so that what was said of it before is known as old.
    version: int = 0
    gone: bool = False

    @property
    def size(self) -> int:
        return len(self.members)


@dataclass(eq=False)
class _Groups:
    """Groups; of each, whether a good face is in it, and how many vectors with which sum (n, d)
    speak for it: those of its good faces, if there are any."""

    groups: list[_Group]
    founded: Bool
    speakers: Int64
    totals: Float32


def cluster(
    vectors: Float32,
    photos: Int64,
    *,
    threshold: float,
    founders: Bool | None = None,
    known: Int64 | None = None,
    apart: Sequence[tuple[int, int]] = (),
    closed: Iterable[int] = (),
) -> Int64:
    """Labels (n,) of unit vectors (n, d): faces with one label are probably one person.

    `photos` (n,) says from which photo each face is, `founders` (n,) which are good enough to
    found a group, `apart` lists pairs of faces (indices) that are two people.

    With `known` (n,), the labels of an earlier run or NONE for what is new, only the new faces
    are compared: they join known groups or found new ones, and may show that two known groups
    are one, which then goes on under the label of the larger. A known group keeps its label,
    however many new faces join it, and faces that were together stay so. A `closed` group takes
    in single faces but is not merged with another group.

    Every face gets a label, if only for itself. New labels count on from the largest known.
    """
    count = len(vectors)
    known = np.full(count, NONE, np.int64) if known is None else known
    founders = np.ones(count, np.bool_) if founders is None else founders
    new = known == NONE
    first_new = int(known.max(initial=NONE)) + 1
    labels = known.copy()
    labels[new] = np.arange(new.sum()) + first_new
    order = np.argsort(new, kind="stable")  # known faces first
    pairs = close_pairs(vectors[order], threshold=threshold, first=int((~new).sum()))
    # The label of an empty group, which may be closed, can be given anew.
    shut = {label for label in closed if label < first_new}
    groups = _groups(labels, vectors, photos, founders, apart, shut, pairs, order, first_new)
    _merge(groups, threshold, poor=False)
    _merge(groups, threshold, poor=True)
    for group in groups.groups:
        if not group.gone:
            labels[group.members] = group.label
    return labels


def false_match_rate(faces: int) -> float:
    """The rate by which to choose the threshold for clustering so many faces."""
    return _STRANGERS / max(faces, _LEAST_FACES)


def close_pairs(vectors: Float32, *, threshold: float, first: int = 0) -> tuple[Int64, Int64]:
    """Pairs of rows at least this similar, each once: the later rows, the earlier rows.

    Only rows from `first` on are compared, each with all before it. Of each row the most
    similar 64 are kept. Memory stays bounded, however many rows there are.
    """
    later: list[Int64] = []
    earlier: list[Int64] = []
    start = first
    while start < len(vectors):
        end = min(len(vectors), start + min(1024, max(1, _BLOCK // len(vectors))))
        similarities = vectors[start:end] @ vectors[:end].T
        square = similarities[:, start:]
        square[np.triu_indices(end - start)] = -1  # a row with itself and with later ones
        limits = np.full(end - start, threshold, np.float32)
        for row in np.flatnonzero((similarities >= threshold).sum(axis=1) > _MOST_PAIRS):
            limits[row] = np.partition(similarities[row], -_MOST_PAIRS)[-_MOST_PAIRS]
        rows, columns = np.nonzero(similarities >= limits[:, None])
        later.append(rows.astype(np.int64) + start)
        earlier.append(columns.astype(np.int64))
        start = end
    if not later:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(later), np.concatenate(earlier)


def cohesion(vectors: Float32) -> float | None:
    """The mean similarity of vectors (n, d) to their nearest other; none of a single one."""
    if len(vectors) < 2:
        return None
    nearest = np.empty(len(vectors), np.float32)
    step = max(1, _BLOCK // len(vectors))
    for start in range(0, len(vectors), step):
        similarities = vectors[start : start + step] @ vectors.T
        rows = np.arange(len(similarities))
        similarities[rows, rows + start] = -1
        nearest[start : start + step] = similarities.max(axis=1)
    return float(nearest.mean())


def middle(vectors: Float32) -> int:
    """The index of the vector (n, d) that is most like all of them."""
    return int(np.argmax(vectors @ vectors.sum(axis=0)))


def _groups(
    labels: Int64,
    vectors: Float32,
    photos: Int64,
    founders: Bool,
    apart: Sequence[tuple[int, int]],
    closed: set[int],
    pairs: tuple[Int64, Int64],
    order: Int64,
    first_new: int,
) -> _Groups:
    """The groups to begin with: those that have a pair with another above the threshold."""
    links = np.stack([labels[order[side]] for side in pairs], axis=1)
    links = links[links[:, 0] != links[:, 1]]
    linked, ends = np.unique(links, return_inverse=True)
    place = {label: n for n, label in enumerate(linked.tolist())}
    members: list[list[int]] = [[] for _ in place]
    for face in np.flatnonzero(np.isin(labels, linked)).tolist():
        members[place[int(labels[face])]].append(face)
    against: dict[int, set[int]] = {}
    for a, b in apart:
        against.setdefault(a, set()).add(b)
        against.setdefault(b, set()).add(a)
    groups = [
        _Group(
            label=label,
            members=faces,
            photos={int(photos[face]) for face in faces},
            against=set().union(*(against.get(face, ()) for face in faces)),
            closed=label in closed,
            known=label < first_new,
        )
        for label, faces in zip(place, members, strict=True)
    ]
    for a, b in ends.reshape(-1, 2).tolist():
        groups[a].neighbours.add(b)
        groups[b].neighbours.add(a)
    founded = np.array([founders[group.members].any() for group in groups], np.bool_)
    speaking = [
        [face for face in group.members if founders[face] or not good]
        for group, good in zip(groups, founded, strict=True)
    ]
    totals = np.empty((len(groups), vectors.shape[1]), np.float32)
    for n, faces in enumerate(speaking):
        vectors[faces].sum(axis=0, out=totals[n])
    return _Groups(groups, founded, np.array([len(faces) for faces in speaking]), totals)


def _merge(all_groups: _Groups, threshold: float, *, poor: bool) -> None:
    """Merge founded groups, the most similar first; or let the poor ones join them.

    Each group has its best partner in the heap. A merger never makes two groups more alike
    than one of its halves was, so that an old entry is at worst too high: it is looked up
    again when its turn comes.
    """
    groups = all_groups.groups
    heap: list[tuple[float, int, int, int, int]] = []

    def offer(a: int) -> None:
        best = _partner(all_groups, a, threshold)
        if best is not None:
            similarity, b = best
            heapq.heappush(heap, (-similarity, a, groups[a].version, b, groups[b].version))

    for a, group in enumerate(groups):
        if not group.gone and all_groups.founded[a] != poor:
            offer(a)
    while heap:
        _, a, version_a, b, version_b = heapq.heappop(heap)
        if groups[a].gone or groups[a].version != version_a:
            continue
        if groups[b].gone or groups[b].version != version_b:
            offer(a)
            continue
        stays = _unite(all_groups, a, b)
        if not poor:
            offer(stays)


def _partner(all_groups: _Groups, a: int, threshold: float) -> tuple[float, int] | None:
    """The founded group most like group `a` that may be merged with it, and the similarity."""
    groups, group = all_groups.groups, all_groups.groups[a]
    others = np.fromiter(group.neighbours, np.int64, len(group.neighbours))
    others = np.sort(others[all_groups.founded[others]])
    counts = all_groups.speakers[others] * all_groups.speakers[a]
    similarities = all_groups.totals[others] @ all_groups.totals[a] / counts
    while len(others):
        best = int(np.argmax(similarities))
        if similarities[best] < threshold:
            break
        if _may_merge(group, groups[others[best]]):
            return float(similarities[best]), int(others[best])
        similarities[best] = -np.inf
    return None


def _may_merge(one: _Group, other: _Group) -> bool:
    if (one.closed and (other.size > 1 or other.closed)) or (other.closed and one.size > 1):
        return False
    if not one.photos.isdisjoint(other.photos):
        return False
    return one.against.isdisjoint(other.members) and other.against.isdisjoint(one.members)


def _unite(all_groups: _Groups, a: int, b: int) -> int:
    """Make two groups one, in the place of the larger; return which that is.

    It goes on under the label of the closed, the known, the larger or the older of the two.
    """
    groups = all_groups.groups
    first = min(groups[a], groups[b], key=lambda g: (not g.closed, not g.known, -g.size, g.label))
    stays, goes = (a, b) if groups[a].size >= groups[b].size else (b, a)
    large, small = groups[stays], groups[goes]
    if all_groups.founded[stays] == all_groups.founded[goes]:
        all_groups.totals[stays] += all_groups.totals[goes]
        all_groups.speakers[stays] += all_groups.speakers[goes]
    elif all_groups.founded[goes]:
        all_groups.totals[stays] = all_groups.totals[goes]
        all_groups.speakers[stays] = all_groups.speakers[goes]
        all_groups.founded[stays] = True
    large.label, large.closed, large.known = first.label, first.closed, first.known
    large.members += small.members
    large.photos |= small.photos
    large.against |= small.against
    for other in small.neighbours - {stays}:
        groups[other].neighbours.discard(goes)
        groups[other].neighbours.add(stays)
    large.neighbours |= small.neighbours
    large.neighbours -= {stays, goes}
    large.version += 1
    small.gone = True
    return stays
