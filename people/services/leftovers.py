"""Noting what must follow rows outside the database: points of the index, stored files.

Within the transaction in which the rows go or change.
"""

from collections.abc import Iterable

from django.db.models import QuerySet

from faceweb.recognition.embedders import collection_name
from people.models import FaceEmbedding, FileRemoval, IndexRemoval

_BATCH = 500


def note_points(*, embeddings: QuerySet[FaceEmbedding]) -> None:
    """The points of embeddings that are about to go."""
    IndexRemoval.objects.bulk_create(
        [
            IndexRemoval(collection=collection_name(embedder, version), point=pk)
            for pk, embedder, version in embeddings.values_list("pk", "embedder", "version")
        ],
        batch_size=_BATCH,
    )


def note_files(*, names: Iterable[str]) -> None:
    """Files that nothing needs any more; empty names are passed over."""
    FileRemoval.objects.bulk_create(
        [FileRemoval(name=name) for name in names if name], batch_size=_BATCH
    )
