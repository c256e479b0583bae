"""Faces and their embeddings."""

from pathlib import PurePosixPath
from typing import Self

from django.db import models
from django.db.models import F, Q

from people.models.person import Person


class FaceQuerySet(models.QuerySet["Face"]):
    def active(self) -> Self:
        """Real faces, without those of people who wait for their deletion."""
        return self.filter(state=Face.State.ACTIVE, person__deleted_at=None)

    def unassigned(self) -> Self:
        return self.filter(state=Face.State.ACTIVE, person=None)

    def waiting(self) -> Self:
        """Faces whose box a person drew or moved, and at which nobody looked yet."""
        return self.filter(crop="")

    def searchable(self) -> Self:
        """Faces that search may show: real ones, of nobody or of a person who is not hidden."""
        return self.active().filter(Q(person=None) | Q(person__is_searchable=True))

    def best_first(self) -> Self:
        """The best pictures first; one not judged yet comes after those that were."""
        return self.order_by(F("quality").desc(nulls_last=True), "-detection_score", "pk")

    def without_embedding(self, embedder: str, version: str) -> Self:
        """Faces that this version of an embedder has not seen."""
        own = FaceEmbedding.objects.filter(
            face=models.OuterRef("pk"), embedder=embedder, version=version
        )
        return self.filter(~models.Exists(own))


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
        CLUSTER = "cluster", "Named with others like it"
        AUTOMATIC = "automatic", "Automatically"
        REGION = "region", "A name in the file"

    class Origin(models.TextChoices):
        DETECTED = "detected", "Found by faceweb"
        DRAWN = "drawn", "Drawn by hand"

    photo = models.ForeignKey("Photo", on_delete=models.CASCADE, related_name="faces")
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
    origin = models.CharField(
        max_length=10, choices=Origin, default=Origin.DETECTED, editable=False
    )
    # 0 (useless) to 1 (as good as a portrait), and the codes of what is wrong; none if not judged.
    quality = models.FloatField(null=True, editable=False)
    quality_reasons = models.JSONField(default=list, editable=False)
    cluster = models.ForeignKey(
        "Cluster", null=True, editable=False, on_delete=models.SET_NULL, related_name="faces"
    )
    # Similarity to the person's other faces, as a whole; low means: perhaps someone else.
    fit = models.FloatField(null=True, editable=False, db_index=True)
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
    def is_waiting(self) -> bool:
        """Whether the worker has yet to look at its box: no crop, landmarks or embedding."""
        return not self.crop

    @property
    def version(self) -> str:
        """Differs when its picture does; for addresses that browsers may remember."""
        return PurePosixPath(self.crop.name or "").stem

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.x1, self.y1, self.x2, self.y2

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
    embedder = models.CharField(max_length=200)
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
