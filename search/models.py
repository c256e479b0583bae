"""Searches: a probe photo, its faces, and the candidates found for each."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from people.jobs import Job, JobQuerySet
from people.models import Face, Person

DEFAULT_TOP = 5
MAX_TOP = 50


class Verdict(models.TextChoices):
    MATCH = "match", "Match"
    POSSIBLE = "possible", "Possible"
    UNKNOWN = "unknown", "Unknown"


class Search(Job):
    """One question: who is in this photo? The photo is never added to the gallery."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.FileField(max_length=200, editable=False)
    original_name = models.CharField(max_length=255, editable=False)
    top = models.PositiveSmallIntegerField(
        default=DEFAULT_TOP, validators=[MinValueValidator(1), MaxValueValidator(MAX_TOP)]
    )
    embedder = models.CharField(max_length=200, blank=True, editable=False)
    gallery_size = models.PositiveIntegerField(
        null=True, editable=False, help_text="How many stored faces the photo was compared with."
    )
    width = models.PositiveIntegerField(null=True, editable=False)
    height = models.PositiveIntegerField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.CASCADE
    )
    expires_at = models.DateTimeField(editable=False, db_index=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "searches"

    def __str__(self) -> str:
        return self.original_name


class ProbeFace(models.Model):
    """A face in a probe photo. Coordinates are pixels of the upright photo."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="faces")
    number = models.PositiveSmallIntegerField()
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    landmarks = models.JSONField()
    detection_score = models.FloatField()
    quality = models.FloatField(null=True)
    quality_reasons = models.JSONField(default=list)
    # How much more alike the first person is than the second; none if there is no second.
    margin = models.FloatField(null=True)
    verdict = models.CharField(max_length=10, choices=Verdict)

    class Meta:
        ordering = ("search", "number")
        constraints = (
            models.UniqueConstraint(fields=("search", "number"), name="one_probe_per_number"),
        )

    def __str__(self) -> str:
        return f"Face {self.number} of search {self.search_id}"

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1


class Candidate(models.Model):
    """A person, or an unnamed face, that resembles a probe face; `face` is the best of them."""

    probe = models.ForeignKey(ProbeFace, on_delete=models.CASCADE, related_name="candidates")
    rank = models.PositiveSmallIntegerField()
    person = models.ForeignKey(Person, null=True, on_delete=models.CASCADE, related_name="+")
    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="+")
    similarity = models.FloatField(help_text="Cosine of the two embeddings, -1 to 1.")
    confidence = models.FloatField(
        null=True, help_text="Calibrated probability of the same person at even odds; 0 to 1."
    )
    strangers = models.FloatField(
        null=True, help_text="Strangers expected to be this alike, among all faces compared with."
    )
    support = models.PositiveIntegerField(
        default=1, help_text="How many faces of this person speak for it."
    )
    verdict = models.CharField(max_length=10, choices=Verdict)

    class Meta:
        ordering = ("probe", "rank")
        constraints = (
            models.UniqueConstraint(fields=("probe", "rank"), name="one_candidate_per_rank"),
        )

    def __str__(self) -> str:
        return f"{self.rank}. {self.person or 'unnamed'} ({self.similarity:.3f})"
