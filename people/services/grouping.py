"""Unknown people: unassigned faces in clusters, kept up as faces come and go. Runs in the worker.

Clusters are guesses. What people decided is kept elsewhere: names with the faces, "these are
two" as NotSame rows; and a cluster that somebody joined of two stays one, since faces that are
together are never taken apart here.
"""

import logging
import time
from collections.abc import Iterable
from datetime import timedelta

import numpy as np
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from faceweb import exclusive
from faceweb.recognition import clustering
from people.models import Cluster, Face, FaceEmbedding, NotSame, Photo
from people.models.counts import count_of_faces
from people.services import scoring, vectors
from people.services.changes import in_chunks
from people.services.vectors import NO_CLUSTER, Faces

log = logging.getLogger("faceweb.people")

# While photos are being looked at, new faces wait until there are so many.
_WORTH_A_RUN = 1000
# An empty cluster stays for a while: undoing brings its faces back to it.
_KEPT_EMPTY = timedelta(days=30)
_BATCH = 200


def refresh() -> bool:
    """Give every unassigned face without a cluster one, if it is time and nobody else does.

    Returns whether the clusters are up to date now.
    """
    with exclusive.only_one("clusters") as mine:
        if not mine:
            return False
        _tidy()
        while is_due():
            _extend()
        return True


def is_due() -> bool:
    """Whether unassigned faces wait for a cluster, and should not wait longer."""
    scale = scoring.scale()
    if scale.calibration is None:
        return False  # similarities of such an embedder say nothing about identity
    new = _new_faces(scale)[:_WORTH_A_RUN].count()
    return new >= _WORTH_A_RUN or (new > 0 and not Photo.objects.pending().exists())


def _new_faces(scale: scoring.Scale) -> QuerySet[FaceEmbedding]:
    return FaceEmbedding.objects.filter(
        embedder=scale.embedder, version=scale.version,
        face__in=Face.objects.unassigned().filter(cluster=None),
    )  # fmt: skip


def _extend() -> None:
    """Cluster what is new, with what is there."""
    start = time.perf_counter()
    scale = scoring.scale()
    assert scale.calibration is not None
    faces = vectors.load(faces=Face.objects.unassigned(), scale=scale)
    rate = clustering.false_match_rate(len(faces))
    labels = clustering.cluster(
        faces.vectors,
        faces.photos,
        threshold=scale.calibration.similarity_at(rate),
        founders=faces.good,
        known=faces.clusters,
        apart=_apart(faces),
        closed=Cluster.objects.exclude(dismissed_at=None).values_list("pk", flat=True),
    )
    _store(faces, labels)
    log.info(
        "%d unknown faces in clusters, %d of them new, %.1f s",
        len(faces), int((faces.clusters == NO_CLUSTER).sum()), time.perf_counter() - start,
    )  # fmt: skip


def _apart(faces: Faces) -> list[tuple[int, int]]:
    """Pairs of rows that somebody said are two people."""
    place = {pk: row for row, pk in enumerate(faces.ids.tolist())}
    pairs = NotSame.objects.values_list("face_id", "other_id")
    return [(place[a], place[b]) for a, b in pairs if a in place and b in place]


def _store(faces: Faces, labels: clustering.Int64) -> None:
    """Write what changed. In steps, so that nobody waits long for the database: a face that a
    broken-off run left without its cluster is new to the next."""
    known = faces.clusters != NO_CLUSTER
    joined = _join(faces.clusters[known], labels[known])
    largest = faces.clusters.max(initial=NO_CLUSTER)
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    members = dict(zip(found.tolist(), np.split(order, starts[1:]), strict=True))
    for chunk in in_chunks(found[found > largest].tolist()):
        own = [faces.where(members[label]) for label in chunk]
        with transaction.atomic():
            made = Cluster.objects.bulk_create(_described(Cluster(), each) for each in own)
            _fill(zip(made, own, strict=True))
    grown = set(labels[~known & (labels <= largest)].tolist()) | joined
    for chunk in in_chunks(sorted(grown)):
        with transaction.atomic():
            there = list(Cluster.objects.filter(pk__in=chunk))
            own = [faces.where(members[cluster.pk]) for cluster in there]
            _fill(zip(there, own, strict=True))
            rows = [_described(cluster, each) for cluster, each in zip(there, own, strict=True)]
            Cluster.objects.bulk_update(rows, ["size", "cover", "cohesion"], batch_size=_BATCH)


def _join(before: clustering.Int64, after: clustering.Int64) -> set[int]:
    """Move the faces of clusters that proved to be one with another; return those others."""
    changed = before != after
    pairs = set(zip(before[changed].tolist(), after[changed].tolist(), strict=True))
    for old, new in pairs:
        with transaction.atomic():
            Face.objects.filter(cluster=old).update(cluster=new)
            Cluster.objects.filter(pk=old).delete()
    return {new for _, new in pairs}


def _fill(clusters: Iterable[tuple[Cluster, Faces]]) -> None:
    """Put those of the faces into their cluster that are new and that nobody named meanwhile."""
    new = [
        Face(pk=pk, cluster=cluster)
        for cluster, faces in clusters
        for pk in faces.ids[faces.clusters == NO_CLUSTER].tolist()
    ]
    free = Face.objects.unassigned().filter(cluster=None)
    free.bulk_update(new, ["cluster"], batch_size=_BATCH)


def _described(cluster: Cluster, faces: Faces) -> Cluster:
    """The cluster with the size, the cover and the cohesion that these faces give it."""
    trusted = faces.where(faces.good) if faces.good.any() else faces
    if cluster.cover_id not in trusted.ids:
        cluster.cover_id = int(trusted.ids[clustering.middle(trusted.vectors)])
    cluster.size, cluster.cohesion = len(faces), clustering.cohesion(faces.vectors)
    return cluster


def _tidy() -> None:
    """Take out faces that got a name or are none, count anew, and drop what is long empty."""
    taken = Q(cluster__isnull=False) & (~Q(person=None) | ~Q(state=Face.State.ACTIVE))
    Face.objects.filter(taken).update(cluster=None)
    count = count_of_faces("cluster")
    Cluster.objects.annotate(faces_now=count).exclude(size=F("faces_now")).update(size=count)
    old = timezone.now() - _KEPT_EMPTY
    Cluster.objects.filter(size=0, created_at__lt=old).delete()
