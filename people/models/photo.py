"""Photos, and what they came in with."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models

from people import files
from people.jobs import Job, JobQuerySet, Status
from people.models.counts import count_of_faces
from people.models.face import Face
from people.names import search_key


class Import(models.Model):
    """Photos that came in together: one upload or one folder."""

    class Kind(models.TextChoices):
        UPLOAD = "upload", "Upload"
        FOLDER = "folder", "Folder"

    class Names(models.TextChoices):
        NONE = "none", "No names"
        FILE = "file", "From the file name"
        FOLDER = "folder", "From the folder name"

    kind = models.CharField(max_length=10, choices=Kind)
    names = models.CharField(max_length=10, choices=Names, default=Names.NONE)
    source = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # Files that were not taken: [{"name": ..., "code": ...}], and how many were known already.
    refused = models.JSONField(default=list, editable=False)
    known = models.PositiveIntegerField(default=0, editable=False)
    # When names that need the whole import (several faces, one name) were last settled.
    settled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.source or f"{self.get_kind_display()} {self.pk}"


class PhotoQuerySet(JobQuerySet):
    def undecided(self) -> Self:
        """Photos with a name that waits for a person to say which face it belongs to."""
        return self.filter(naming=Photo.Naming.UNDECIDED)

    def without_faces(self) -> Self:
        faces = Face.objects.active().filter(photo=models.OuterRef("pk"))
        return self.filter(~models.Exists(faces), status=Status.DONE)

    def with_unnamed_faces(self) -> Self:
        unnamed = Face.objects.unassigned().filter(photo=models.OuterRef("pk"))
        return self.filter(models.Exists(unnamed))

    def with_face_count(self) -> Self:
        """Add `face_count`, by a subquery that runs only for the rows that are shown."""
        return self.annotate(face_count=count_of_faces("photo"))


class Photo(Job):
    """One stored picture, known by its content."""

    class Naming(models.TextChoices):
        """What became of the name that came with the photo."""

        NONE = "none", "No name"
        WAITING = "waiting", "Not looked at yet"
        GIVEN = "given", "Given to a face"
        UNDECIDED = "undecided", "A person must decide"
        NO_FACE = "no_face", "No face to name"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    file = models.FileField(max_length=200)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    original_name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=40, editable=False)
    size = models.PositiveBigIntegerField(editable=False)
    width = models.PositiveIntegerField(null=True, editable=False)
    height = models.PositiveIntegerField(null=True, editable=False)
    source = models.CharField(max_length=200, blank=True, db_index=True)
    batch = models.ForeignKey(
        Import, null=True, editable=False, on_delete=models.SET_NULL, related_name="photos"
    )
    # The name that came with the photo, as written and as compared.
    name_hint = models.CharField(max_length=200, blank=True, editable=False)
    hint_key = models.CharField(max_length=200, blank=True, editable=False, db_index=True)
    naming = models.CharField(
        max_length=10, choices=Naming, default=Naming.NONE, editable=False, db_index=True
    )

    search_key = models.CharField(max_length=255, editable=False, default="")
    taken_at = models.DateTimeField(null=True, blank=True, db_index=True)
    # Quarter turns to the left that a person added to what the file says.
    turns = models.PositiveSmallIntegerField(default=0, editable=False)
    # Named regions that the file brought: [{"name", "box": [x1, y1, x2, y2] as shares of 1}].
    regions = models.JSONField(default=list, editable=False)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        # Whether photos of an import still wait is asked after every few of them.
        indexes = (models.Index(fields=("batch", "status"), name="photos_of_an_import"),)

    def __str__(self) -> str:
        return self.original_name

    @property
    def version(self) -> str:
        """Differs when its pictures do; for addresses that browsers may remember."""
        return f"{self.turns}-{self.finished_at.timestamp():.0f}" if self.finished_at else ""

    def picture(self, kind: str) -> str:
        """The stored file of its preview or its thumb; of small photos, both are one."""
        is_small = max(self.width or 0, self.height or 0) <= files.THUMB_SIDE
        return files.picture(self.key, "preview" if is_small else kind)

    def save(self, *args: object, **kwargs: object) -> None:
        self.fill_search_key()
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def fill_search_key(self) -> None:
        """Derive the key from the name; whoever makes rows without `save` must ask for it."""
        self.search_key = search_key(self.original_name)[:255]
