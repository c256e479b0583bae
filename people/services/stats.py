"""Counting what is there."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet

from people.jobs import Status
from people.models import (
    Face,
    FaceEmbedding,
    FileRemoval,
    Import,
    IndexRemoval,
    Person,
    Photo,
)
from people.problems import sentence
from people.services.coverage import coverage


@dataclass(frozen=True)
class ArchiveSummary:
    """What the whole archive holds."""

    photos: int
    done: int
    pending: int
    failed: int
    faces: int
    people: int
    unassigned: int


@dataclass(frozen=True)
class PhotoState:
    """One way of filtering photos."""

    slug: str
    label: str
    photos: QuerySet[Photo] = field(compare=False)
    count: int


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not taken, and why."""

    name: str
    sentence: str


@dataclass(frozen=True)
class ImportProgress:
    """How far an import is."""

    total: int
    done: int
    failed: int
    pending: int
    faces: int
    unnamed: int
    undecided: int
    known: int
    refused: list[RefusedFile]

    @property
    def is_working(self) -> bool:
        return self.pending > 0

    @property
    def percent(self) -> int:
        return 100 * (self.done + self.failed) // self.total if self.total else 100


def archive_summary() -> ArchiveSummary:
    by_status = _by_status(Photo.objects.all())
    return ArchiveSummary(
        photos=sum(by_status.values()),
        done=by_status.get(Status.DONE, 0),
        pending=_pending(by_status),
        failed=by_status.get(Status.FAILED, 0),
        faces=Face.objects.active().count(),
        people=Person.objects.count(),
        unassigned=Face.objects.unassigned().count(),
    )


def photo_states() -> list[PhotoState]:
    """The filters of the photo list, with their counts."""
    photos = Photo.objects.all()
    filters = [
        ("all", "All", photos),
        ("pending", "Waiting", photos.pending()),
        ("done", "Done", photos.filter(status=Status.DONE)),
        ("failed", "Could not be read", photos.filter(status=Status.FAILED)),
        ("undecided", "Needs your decision", photos.undecided()),
        ("unnamed", "With unnamed faces", photos.with_unnamed_faces()),
        ("no-faces", "No face found", photos.without_faces()),
    ]
    return [
        PhotoState(slug, label, query.with_face_count(), query.count())
        for slug, label, query in filters
    ]


def recent_imports(*, limit: int) -> list[tuple[Import, int]]:
    """The newest imports that brought photos, each with the number of them."""
    own = Photo.objects.filter(batch=OuterRef("pk"))
    imports = list(Import.objects.filter(Exists(own))[:limit])
    photos = Photo.objects.filter(batch__in=imports).order_by()
    counts = dict(photos.values_list("batch").annotate(n=Count("pk")))
    return [(batch, counts.get(batch.pk, 0)) for batch in imports]


def import_progress(batch: Import) -> ImportProgress:
    by_status = _by_status(batch.photos.all())
    return ImportProgress(
        total=sum(by_status.values()),
        done=by_status.get(Status.DONE, 0),
        failed=by_status.get(Status.FAILED, 0),
        pending=_pending(by_status),
        faces=Face.objects.active().filter(photo__batch=batch).count(),
        unnamed=Face.objects.unassigned().filter(photo__batch=batch).count(),
        undecided=batch.photos.undecided().count(),
        known=batch.known,
        refused=[RefusedFile(r["name"], sentence(r["code"])) for r in batch.refused],
    )


def looked_at(batch: Import) -> tuple[int, int]:
    """How many photos of an import were looked at, and how many wait."""
    by_status = _by_status(batch.photos.all())
    pending = _pending(by_status)
    return sum(by_status.values()) - pending, pending


def figures(*, points: int | None) -> dict[str, Any]:
    """Everything `manage.py stats` prints; `points` is what the index says it holds."""
    embeddings = FaceEmbedding.objects.values_list("embedder").annotate(n=Count("pk")).order_by()
    by_status = _by_status(Photo.objects.all())
    covered = coverage()
    return {
        "photos": {"total": sum(by_status.values()),
                   **{str(s.value): by_status.get(s, 0) for s in Status}},
        "photos_waiting_for_a_decision": Photo.objects.undecided().count(),
        "faces": Face.objects.active().count(),
        "faces_unassigned": Face.objects.unassigned().count(),
        "people": Person.objects.count(),
        "embeddings": dict(embeddings),
        "faces_waiting_for_the_embedder": covered.waiting,
        "faces_that_cannot_be_embedded": covered.impossible,
        "index_points": points,
        "pending_index_writes": FaceEmbedding.objects.unindexed().count(),
        "pending_index_removals": IndexRemoval.objects.count(),
        "pending_file_removals": FileRemoval.objects.count(),
    }  # fmt: skip


def _by_status(photos: QuerySet[Photo]) -> dict[str, int]:
    return dict(photos.order_by().values_list("status").annotate(n=Count("pk")))


def _pending(by_status: dict[str, int]) -> int:
    return by_status.get(Status.QUEUED, 0) + by_status.get(Status.PROCESSING, 0)
