"""Photos, the faces in them, and the people they belong to."""

import unicodedata
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.db.models.functions import Coalesce

from people.jobs import Job, JobQuerySet, Status


def name_key(name: str) -> str:
    """The form of a name by which two spellings are the same: composed, case folded."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def _count_of_faces(owner: str) -> Coalesce:
    """How many faces the row of the outer query has, which Face knows as `owner`."""
    faces = Face.objects.active().filter(**{owner: models.OuterRef("pk")}).order_by()
    counts = faces.values(owner).annotate(n=Count("pk")).values("n")
    return Coalesce(models.Subquery(counts), models.Value(0))


class PersonQuerySet(models.QuerySet["Person"]):
    def named(self, name: str) -> Self:
        return self.filter(name_key=name_key(name))

    def with_face_count(self) -> Self:
        """Add `face_count`, by a subquery that runs only for the rows that are shown."""
        return self.annotate(face_count=_count_of_faces("person"))


class Person(models.Model):
    """Someone with a name. Two people may share one."""

    name = models.CharField(max_length=200)
    name_key = models.CharField(max_length=200, editable=False, db_index=True)
    # The name under which imports know this person; it stays when the person is renamed.
    import_key = models.CharField(max_length=200, null=True, unique=True, editable=False)
    notes = models.TextField(blank=True)
    cover = models.ForeignKey(
        "Face", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    is_searchable = models.BooleanField(
        default=True, help_text="If not, this person never appears in search results."
    )
    lawful_basis = models.CharField(
        max_length=200, blank=True, help_text="Why this person's face may be processed."
    )
    consent_on = models.DateField(null=True, blank=True)
    retain_until = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PersonQuerySet.as_manager()

    class Meta:
        ordering = ("name_key", "pk")
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)  # type: ignore[arg-type]


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
        return self.filter(status=Status.DONE, faces__isnull=True)

    def with_unnamed_faces(self) -> Self:
        unnamed = Face.objects.unassigned().filter(photo=models.OuterRef("pk"))
        return self.filter(models.Exists(unnamed))

    def with_face_count(self) -> Self:
        """Add `face_count`, by a subquery that runs only for the rows that are shown."""
        return self.annotate(face_count=_count_of_faces("photo"))


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

    objects = PhotoQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.original_name


class FaceQuerySet(models.QuerySet["Face"]):
    def active(self) -> Self:
        return self.filter(state=Face.State.ACTIVE)

    def unassigned(self) -> Self:
        return self.active().filter(person=None)

    def searchable(self) -> Self:
        """Faces that search may show: real ones, of nobody or of a person who is not hidden."""
        return self.active().filter(Q(person=None) | Q(person__is_searchable=True))


class Face(models.Model):
    """One face in one photo. Coordinates are pixels of the upright photo."""

    class State(models.TextChoices):
        ACTIVE = "active", "Face"
        NOT_A_FACE = "not_a_face", "Not a face"

    class AssignedBy(models.TextChoices):
        NOBODY = "", "Nobody"
        IMPORT = "import", "A name on import"
        HAND = "hand", "By hand"
        SUGGESTION = "suggestion", "A suggestion, accepted"

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="faces")
    number = models.PositiveSmallIntegerField(help_text="1 is the most prominent face.")
    person = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.SET_NULL, related_name="faces"
    )
    assigned_by = models.CharField(
        max_length=10, choices=AssignedBy, blank=True, default="", editable=False
    )
    # Whether the photo alone settled the name: such faces anchor the doubtful ones.
    is_anchor = models.BooleanField(default=False, editable=False)
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    landmarks = models.JSONField(help_text="Five x, y pairs: eyes, nose, corners of the mouth.")
    detection_score = models.FloatField()
    crop = models.FileField(max_length=200, editable=False)
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FaceQuerySet.as_manager()

    class Meta:
        ordering = ("photo", "number")
        constraints = (
            models.UniqueConstraint(fields=("photo", "number"), name="one_face_per_number"),
        )

    def __str__(self) -> str:
        return f"Face {self.number} in photo {self.photo_id}"

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1


class FaceEmbeddingQuerySet(models.QuerySet["FaceEmbedding"]):
    def unindexed(self) -> Self:
        return self.filter(indexed_at=None)


class FaceEmbedding(models.Model):
    """The vector of a face by one embedder. Its id is its point's id in the index."""

    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="embeddings")
    embedder = models.CharField(max_length=80)
    version = models.CharField(max_length=40)
    vector = models.BinaryField(help_text="float32, little-endian, unit length")
    indexed_at = models.DateTimeField(null=True, db_index=True)

    objects = FaceEmbeddingQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("face", "embedder"), name="one_vector_per_embedder"),
        )
        indexes = (models.Index(fields=("embedder", "version")),)

    def __str__(self) -> str:
        return f"{self.embedder} of face {self.face_id}"


class IndexRemoval(models.Model):
    """A point that must leave the index, written in the transaction that deletes its row."""

    collection = models.CharField(max_length=120)
    point = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.collection} {self.point}"


class FileRemoval(models.Model):
    """A stored file that must go, written in the transaction that deletes its row."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
