"""Finding photos and people: by name, by who is in them, by where and when they are from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from people.models import Face, Import, Person, Photo
from people.names import search_key

# Sources offered for choosing; whoever has more of them types.
_MOST_SOURCES = 200


@dataclass(frozen=True)
class PhotoFilter:
    """What is asked of photos; empty fields ask nothing."""

    text: str = ""
    people: Sequence[int] = ()
    source: str = ""
    taken_from: date | None = None
    taken_to: date | None = None
    quality: str = ""
    newest_first_by: str = "added"

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.people or self.source or self.taken_from or self.taken_to
                    or self.quality)  # fmt: skip


def find_photos(*, photos: QuerySet[Photo], asked: PhotoFilter) -> QuerySet[Photo]:
    """Those of the photos that fit everything that was asked, in the order that was asked."""
    if asked.text:
        photos = photos.filter(_mentions(asked.text))
    for person in asked.people:
        photos = photos.filter(_shows(Q(person=person)))
    if asked.source:
        photos = photos.filter(source=asked.source)
    if asked.taken_from:
        photos = photos.filter(taken_at__gte=_midnight(asked.taken_from))
    if asked.taken_to:
        photos = photos.filter(taken_at__lt=_midnight(asked.taken_to + timedelta(days=1)))
    if asked.quality == "poor":
        photos = photos.filter(_shows(~Q(quality_reasons=[])))
    elif asked.quality == "good":
        photos = photos.filter(_shows(Q(quality_reasons=[], quality__isnull=False)))
    if asked.newest_first_by == "taken":
        return photos.exclude(taken_at=None).order_by("-taken_at", "-pk")
    return photos.order_by("-pk")


def companions(*, person: Person, limit: int = 24) -> list[Any]:
    """The people in photos with this person, most photos together first, as `shared_photos`."""
    own = Face.objects.active().filter(person=person).values("photo")
    together = Q(faces__photo__in=own, faces__state=Face.State.ACTIVE)
    return list(
        Person.objects.exclude(pk=person.pk)
        .filter(together)
        .annotate(shared_photos=Count("faces__photo", filter=together, distinct=True))
        .order_by("-shared_photos", "name_key")[:limit]
    )


def sources() -> list[str]:
    """Where photos are from, by name, for choosing."""
    named = Import.objects.exclude(source="").order_by("source")
    return list(named.values_list("source", flat=True).distinct()[:_MOST_SOURCES])


def _mentions(text: str) -> Q:
    """The file's name, or the name of somebody in the photo, contains the text."""
    key = search_key(text)
    return Q(search_key__contains=key) | Q(_shows(Q(person__in=Person.objects.matching(text))))


def _shows(condition: Q) -> Exists:
    """A face in the photo fits the condition."""
    return Exists(Face.objects.active().filter(condition, photo=OuterRef("pk")))


def _midnight(day: date) -> datetime:
    """When a day begins here; a range of times, unlike a date's, can use the index."""
    return timezone.make_aware(datetime.combine(day, time.min))
