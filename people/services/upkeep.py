"""What must be right again after faces changed hands: covers, clusters and suggestions."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from people.models import Cluster, Face, FaceEmbedding, Person, Suggestion
from people.models.counts import count_of_faces
from people.services import leftovers
from people.services.changes import Change, in_chunks, updated


def mend_covers(*, person_ids: Iterable[int]) -> list[Change]:
    """Choose covers for people who have none or whose cover is no face of theirs any more.

    Returns the changes of those who had another cover before.
    """
    changes: list[Change] = []
    for chunk in in_chunks(sorted(set(person_ids))):
        right = Face.objects.filter(
            pk=OuterRef("cover"), person=OuterRef("pk"), state=Face.State.ACTIVE
        )
        wrong = Person.everyone.filter(pk__in=chunk).filter(Q(cover=None) | ~Exists(right))
        before = dict(wrong.values_list("pk", "cover_id"))
        people = Person.everyone.filter(pk__in=before)
        people.update(cover=Subquery(_best_faces().values("pk")[:1]))
        lost = people.filter(pk__in=[pk for pk, cover in before.items() if cover is not None])
        changes += [
            updated("person", pk, {"cover": before[pk]}, {"cover": cover})
            for pk, cover in lost.values_list("pk", "cover_id")
        ]
    return changes


def faces_changed(*, face_ids: Iterable[int], cluster_ids: Iterable[int | None]) -> None:
    """Forget what was suggested for faces that have a person or are none; count clusters anew."""
    settled = ~Q(face__person=None) | ~Q(face__state=Face.State.ACTIVE)
    for chunk in in_chunks(sorted(face_ids)):
        Suggestion.objects.filter(settled, face__in=chunk).delete()
    for clusters in in_chunks(sorted({pk for pk in cluster_ids if pk is not None})):
        Cluster.objects.filter(pk__in=clusters).update(size=count_of_faces("cluster"))
        strangers = Face.objects.filter(pk=OuterRef("cover")).exclude(cluster=OuterRef("pk"))
        first = Face.objects.filter(cluster=OuterRef("pk")).best_first()
        without = Q(cover=None) | Exists(strangers)
        found = Cluster.objects.filter(pk__in=clusters).filter(without)
        Cluster.objects.filter(pk__in=list(found.values_list("pk", flat=True))).update(
            cover=Subquery(first.values("pk")[:1])
        )


def forget_looks(*, face_ids: Iterable[int]) -> None:
    """Drop what was seen in the boxes of faces that were moved, or that are about to go.

    A face without a crop waits until the worker has looked at its box.
    """
    for chunk in in_chunks(sorted(face_ids)):
        faces = Face.objects.filter(pk__in=chunk)
        embeddings = FaceEmbedding.objects.filter(face__in=chunk)
        leftovers.note_points(embeddings=embeddings)
        leftovers.note_files(names=faces.values_list("crop", flat=True))
        embeddings.delete()
        Suggestion.objects.filter(face__in=chunk).delete()
        faces.update(crop="", landmarks=[], quality=None, quality_reasons=[], fit=None)


def _best_faces() -> QuerySet[Face]:
    return Face.objects.filter(person=OuterRef("pk"), state=Face.State.ACTIVE).best_first()
