"""What curation knows beside names: who somebody is not, who looks alike, what was edited."""

from typing import Self

from django.conf import settings
from django.db import models

from people.models.face import Face
from people.models.person import Person


class Rejection(models.Model):
    """This face is not this person: said once, remembered for ever."""

    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="rejections")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="rejections")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("face", "person"), name="one_rejection_each"),
        )

    def __str__(self) -> str:
        return f"face {self.face_id} is not person {self.person_id}"


class NotSame(models.Model):
    """These two faces are not of one person, whoever they are; `face` has the smaller id."""

    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "not same"
        constraints = (
            models.UniqueConstraint(fields=("face", "other"), name="one_not_same_each"),
            models.CheckConstraint(
                condition=models.Q(face__lt=models.F("other")), name="not_same_ordered"
            ),
        )

    def __str__(self) -> str:
        return f"faces {self.face_id} and {self.other_id} are two people"


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def waiting(self) -> Self:
        """Clusters worth a look, largest first."""
        return self.filter(dismissed_at=None, size__gt=1).order_by("-size", "pk")


class Cluster(models.Model):
    """Unassigned faces that are probably one person. Made by the worker, never authoritative."""

    size = models.PositiveIntegerField(default=0)
    cover = models.ForeignKey(Face, null=True, on_delete=models.SET_NULL, related_name="+")
    # The mean similarity of its members to their nearest other member.
    cohesion = models.FloatField(null=True)
    dismissed_at = models.DateTimeField(null=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=("dismissed_at", "-size", "id")),)

    def __str__(self) -> str:
        return f"Cluster {self.pk} of {self.size}"


class SuggestionQuerySet(models.QuerySet["Suggestion"]):
    def open(self) -> Self:
        """Suggestions that a person may be asked about, whatever was decided meanwhile."""
        said = Rejection.objects.filter(
            face=models.OuterRef("face"), person=models.OuterRef("person")
        )
        return self.filter(
            ~models.Exists(said),
            face__person=None,
            face__state=Face.State.ACTIVE,
            person__deleted_at=None,
            person__merged_into=None,
            person__is_searchable=True,
        )


class Suggestion(models.Model):
    """The person whom an unassigned face resembles most, of those not rejected for it."""

    face = models.OneToOneField(Face, on_delete=models.CASCADE, related_name="suggestion")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="suggestions")
    # The face of the person that is most like it.
    example = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="+")
    similarity = models.FloatField()
    confidence = models.FloatField(null=True)
    # What the review queue is sorted by: people's fused score.
    score = models.FloatField()
    skipped_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SuggestionQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=("-score", "id")),)

    def __str__(self) -> str:
        return f"face {self.face_id} may be person {self.person_id}"


class PersonPair(models.Model):
    """Two people who may be one; `person` has the smaller id. A dismissed pair stays away."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    face = models.ForeignKey(Face, null=True, on_delete=models.CASCADE, related_name="+")
    other_face = models.ForeignKey(Face, null=True, on_delete=models.CASCADE, related_name="+")
    similarity = models.FloatField()
    dismissed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("person", "other"), name="one_pair_each"),
            models.CheckConstraint(
                condition=models.Q(person__lt=models.F("other")), name="pair_ordered"
            ),
        )

    def __str__(self) -> str:
        return f"people {self.person_id} and {self.other_id} may be one"


class Edit(models.Model):
    """One entry of the history, never changed: who did what, and every row before and after.

    `changes` is a list of {"model", "id", "before", "after"}: the changed fields of one row, or
    None for a row that was not there. An undo is an entry of its own, which `undoes` another.
    """

    kind = models.CharField(max_length=20, db_index=True)
    summary = models.CharField(max_length=400)
    reason = models.CharField(max_length=400, blank=True)
    changes = models.JSONField(default=list)
    undoes = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="undone_by"
    )
    # None: faceweb itself, on import or by automatic assignment.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name = "history entry"
        verbose_name_plural = "history entries"

    def __str__(self) -> str:
        return self.summary


class EditSubject(models.Model):
    """What an entry of the history is about. Ids only, so that it outlives what it names."""

    class Kind(models.TextChoices):
        PERSON = "person"
        FACE = "face"
        PHOTO = "photo"

    edit = models.ForeignKey(Edit, on_delete=models.CASCADE, related_name="subjects")
    kind = models.CharField(max_length=6, choices=Kind)
    subject_id = models.PositiveBigIntegerField()

    class Meta:
        indexes = (models.Index(fields=("kind", "subject_id", "edit")),)

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"
