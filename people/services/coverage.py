"""Which faces the active embedder has seen. After a change of the embedder, that is none at first.

Imports no framework, so that pages can show how far it is.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from faceweb.recognition import embedders
from people.jobs import Status
from people.models import Face, FaceEmbedding, Photo
from people.models.face import FaceQuerySet


@dataclass(frozen=True)
class Coverage:
    """Faces that the active embedder has yet to see, and those that it cannot see.

    The latter are in photos that cannot be opened any more.
    """

    waiting: int
    impossible: int


def coverage() -> Coverage:
    missing = _missing()
    if not missing:
        return Coverage(0, 0)
    impossible = _unseen().exclude(_can_be_opened("photo__")).count()
    return Coverage(max(missing - impossible, 0), impossible)


def photos_set_aside() -> QuerySet[Photo]:
    """Photos with faces that the active embedder cannot see; the error code says why."""
    unseen = _unseen().filter(photo=OuterRef("pk"))
    return Photo.objects.exclude(_can_be_opened()).filter(Exists(unseen))


def photos_to_embed(*, after: int, limit: int) -> QuerySet[Photo]:
    """Photos with faces that the active embedder has yet to see, in order, that nobody works on.

    `after`: only photos with a larger id, so that who goes through them all need not begin anew
    each time.
    """
    if not after and not _missing():
        return Photo.objects.none()
    unseen = _unseen().filter(photo=OuterRef("pk"))
    free = Photo.objects.filter(pk__gt=after, status=Status.DONE, error_code="", claim=None)
    return free.filter(Exists(unseen)).order_by("pk")[:limit]


def is_complete(*, after: int) -> bool:
    """Whether the active embedder has seen all faces that it can see.

    `after`: the photo that was worked on; those behind it are asked about first, as that is quick.
    """
    open_ones = Photo.objects.filter(status=Status.DONE, error_code="")
    unseen = open_ones.filter(Exists(_unseen().filter(photo=OuterRef("pk"))))
    return not unseen.filter(pk__gt=after).exists() and not unseen.exists()


def _can_be_opened(photo: str = "") -> Q:
    """As far as is known. `photo` leads from a row to its photo: "photo__" from a face."""
    done = Q((f"{photo}status", Status.DONE), (f"{photo}error_code", ""))
    return done | Q((f"{photo}status__in", (Status.QUEUED, Status.PROCESSING)))


def _missing() -> int:
    """How many faces the active embedder has not seen: two counts, as this is asked often."""
    spec = embedders.get_spec(settings.FACEWEB_EMBEDDER)
    seen = FaceEmbedding.objects.filter(embedder=spec.slug, version=spec.version)
    return max(_looked_at().count() - seen.count(), 0)


def _unseen() -> QuerySet[Face]:
    spec = embedders.get_spec(settings.FACEWEB_EMBEDDER)
    return _looked_at().without_embedding(spec.slug, spec.version)


def _looked_at() -> FaceQuerySet:
    """Faces without those whose boxes wait to be looked at, which brings their embedding along."""
    return Face.objects.exclude(crop="")
