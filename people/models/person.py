"""People."""

from typing import Self

from django.db import models

from people.models.counts import count_of_faces
from people.names import name_key, search_key


class PersonQuerySet(models.QuerySet["Person"]):
    def live(self) -> Self:
        """Without those who were merged into others or are about to be deleted."""
        return self.filter(merged_into=None, deleted_at=None)

    def matching(self, text: str) -> Self:
        """People whose name or alias contains the text; accents and capitals do not matter."""
        return self.filter(search_key__contains=search_key(text))

    def named(self, name: str) -> Self:
        return self.filter(name_key=name_key(name))

    def with_face_count(self) -> Self:
        """Add `face_count`, by a subquery that runs only for the rows that are shown."""
        return self.annotate(face_count=count_of_faces("person"))


class LivePersonManager(models.Manager["Person"]):
    """What almost everybody wants: people who are neither merged away nor deleted."""

    def get_queryset(self) -> PersonQuerySet:
        return PersonQuerySet(self.model, using=self._db).live()


class Person(models.Model):
    """Someone with a name. Two people may share one.

    `Person.objects` are the people who are there. `Person.everyone` also has those who were
    merged into another or wait for their deletion, so that both can be undone.
    """

    name = models.CharField(max_length=200)
    name_key = models.CharField(max_length=200, editable=False, db_index=True)
    # The name under which imports know this person; it stays when the person is renamed.
    import_key = models.CharField(max_length=200, null=True, unique=True, editable=False)
    aliases = models.TextField(blank=True, help_text="Other names, one on each line.")
    search_key = models.TextField(editable=False, default="")
    notes = models.TextField(blank=True)
    birth_year = models.PositiveSmallIntegerField(null=True, blank=True)
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
    # Goes up with every edit of this row, so that a stale page cannot overwrite a newer one.
    revision = models.PositiveIntegerField(default=0, editable=False)
    merged_into = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.CASCADE, related_name="merged"
    )
    # Deleted people wait here until their grace period is over; then nothing is left of them.
    deleted_at = models.DateTimeField(null=True, editable=False, db_index=True)

    everyone = PersonQuerySet.as_manager()
    objects = LivePersonManager.from_queryset(PersonQuerySet)()

    class Meta:
        default_manager_name = "objects"
        base_manager_name = "everyone"
        ordering = ("name_key", "pk")
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        self.fill_keys()
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def fill_keys(self) -> None:
        """Derive the keys from the names; whoever writes names without `save` must ask for it."""
        self.name_key = name_key(self.name)
        self.search_key = search_key(self.name, *self.aliases.splitlines())
