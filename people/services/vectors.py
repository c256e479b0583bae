"""Faces with their vectors, as arrays to calculate with."""

from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from faceweb.recognition import embedders
from faceweb.recognition.quality import defines_person
from people.models import Face, FaceEmbedding
from people.services.scoring import Scale

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

NOBODY = 0
NO_CLUSTER = -1


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces row by row, those of each person together.

    `people` is NOBODY for unassigned faces, `clusters` NO_CLUSTER for faces of none; `good`
    are those that may define a person or found a cluster.
    """

    ids: Int64
    photos: Int64
    people: Int64
    clusters: Int64
    good: Bool
    vectors: Float32

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: Bool | Int64) -> "Faces":
        """Some of the rows."""
        return Faces(
            self.ids[chosen], self.photos[chosen], self.people[chosen], self.clusters[chosen],
            self.good[chosen], self.vectors[chosen],
        )  # fmt: skip


def load(*, faces: QuerySet[Face], scale: Scale) -> Faces:
    """The faces that have a vector of the scale's embedder."""
    rows = FaceEmbedding.objects.filter(
        face__in=faces.order_by(), embedder=scale.embedder, version=scale.version
    ).order_by("face__person_id", "face_id")
    columns = ("face_id", "face__photo_id", "face__person_id", "face__cluster_id", "face__quality",
               "vector")  # fmt: skip
    found = [
        (face, photo, person or NOBODY, NO_CLUSTER if cluster is None else cluster,
         defines_person(quality), bytes(vector))
        for face, photo, person, cluster, quality, vector in rows.values_list(*columns).iterator()
    ]  # fmt: skip
    dimension = embedders.get_spec(scale.embedder).dimension
    ids, photos, people, clusters, good, blobs = list(zip(*found, strict=True)) or [()] * 6
    return Faces(
        ids=np.array(ids, np.int64),
        photos=np.array(photos, np.int64),
        people=np.array(people, np.int64),
        clusters=np.array(clusters, np.int64),
        good=np.array(good, np.bool_),
        vectors=np.frombuffer(b"".join(blobs), np.float32).reshape(-1, dimension),
    )
