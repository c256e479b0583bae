"""What scores mean: calibrations, the rates that verdicts are chosen by, and their check."""

from django.conf import settings
from django.db import models

from people.jobs import Job, JobQuerySet


class Calibration(models.Model):
    """How similarities of one embedder become confidences and false-match rates.

    `data` is what faceweb.recognition.calibration reads and writes. The active one of an
    embedder and version replaces the one that comes with faceweb.
    """

    embedder = models.CharField(max_length=200)
    version = models.CharField(max_length=80)
    source = models.CharField(max_length=400)
    data = models.JSONField()
    is_active = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("embedder", "version"),
                condition=models.Q(is_active=True),
                name="one_active_calibration",
            ),
        )

    def __str__(self) -> str:
        return f"{self.embedder}: {self.source}"


class Rates(models.Model):
    """The false-match rates by which verdicts are chosen: one row, if someone changed them."""

    # 0: not chosen; what the settings say counts.
    match_fmr = models.FloatField()
    possible_fmr = models.FloatField()
    # Suggestions at least this certain are assigned without asking; none: never.
    automatic_fmr = models.FloatField(null=True, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "rates"

    def __str__(self) -> str:
        return f"match {self.match_fmr:g}, possible {self.possible_fmr:g}"


class Evaluation(Job):
    """A check of accuracy on the archive's own named faces, worked out by the worker."""

    embedder = models.CharField(max_length=200, editable=False)
    version = models.CharField(max_length=80, editable=False)
    results = models.JSONField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Accuracy of {self.embedder}, {self.created_at:%Y-%m-%d}"
