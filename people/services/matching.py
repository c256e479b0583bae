"""Which face a photo's name belongs to, decided only where it is unambiguous.

The decision never depends on the order in which photos were looked at: what one photo
settles alone is settled first, and the rest is compared with those anchors only, when the
whole import has been looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from faceweb.recognition import embedders
from faceweb.recognition.calibration import Thresholds
from faceweb.recognition.geometry import prominence
from faceweb.recognition.quality import defines_person
from people.jobs import Status
from people.models import Face, FaceEmbedding, Import, Person, Photo
from people.services import scoring
from people.services.naming import Given, give_imported_names

# How much more prominent than every other face the photo's subject must be: at equal distance
# from the middle, one and a half times as wide and as high.
DOMINANCE = 2.25
# How alike the face must be to those of that name, and how unlike the others in the photo, as
# false-match rates of single comparisons: they do not grow with the archive.
AGREEING_FMR, OTHERS_FMR = 1e-4, 1e-3

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Settled:
    """What settling an import did: names given by comparison, photos left to a person."""

    given: int
    undecided: int


def dominant_face(weights: Float32) -> int | None:
    """The index of the face that is clearly the subject, given faces' prominence (n,)."""
    if len(weights) == 0:
        return None
    if len(weights) == 1:
        return 0
    order = np.argsort(-weights)
    clear = weights[order[0]] >= DOMINANCE * weights[order[1]]
    return int(order[0]) if clear else None


def agreeing_face(vectors: Float32, anchors: Float32, thresholds: Thresholds) -> int | None:
    """The index of the one face (n, d) that matches the anchors (m, d) when no other comes near.

    One face must be a match to some anchor, and no other even a possible one.
    """
    if not len(vectors) or not len(anchors):
        return None
    best = (vectors @ anchors.T).max(axis=1)
    order = np.argsort(-best)
    if best[order[0]] < thresholds.match:
        return None
    if len(order) > 1 and best[order[1]] >= thresholds.possible:
        return None
    return int(order[0])


def settle_import(*, batch: Import, embedder: str) -> Settled | None:
    """Compare photos whose name waits with what is known of that name, if all are looked at.

    Returns None while photos of the import are still waiting.
    """
    if batch.photos.pending().exists():
        return None
    hints = batch.photos.exclude(hint_key="").values("hint_key")
    waiting = Photo.objects.filter(
        naming__in=(Photo.Naming.UNDECIDED, Photo.Naming.WAITING), status=Status.DONE
    ).filter(hint_key__in=hints)
    given = undecided = 0
    for photo in list(waiting.prefetch_related("faces")):
        if _settle_photo(photo, embedder):
            given += 1
        else:
            undecided += 1
    Import.objects.filter(pk=batch.pk).update(settled_at=timezone.now())
    return Settled(given, undecided)


def decide_alone(*, looked: Sequence[tuple[Photo, Sequence[Face]]]) -> None:
    """Settle the names of photos, each by its own faces alone: none, or one that is the subject.

    Within a transaction.
    """
    given: list[tuple[Photo, Face, bool]] = []
    settled: dict[Photo.Naming, list[Photo]] = {}
    for photo, faces in looked:
        if not photo.hint_key:
            continue
        chosen = dominant_face(prominence_of(photo, faces))
        if not faces:
            settled.setdefault(Photo.Naming.NO_FACE, []).append(photo)
        elif _has_the_name(photo, faces):
            settled.setdefault(Photo.Naming.GIVEN, []).append(photo)
        elif chosen is None or faces[chosen].person_id is not None:
            settled.setdefault(Photo.Naming.UNDECIDED, []).append(photo)
        else:
            face = faces[chosen]
            given.append((photo, face, defines_person(face.quality)))
    for naming, photos in settled.items():
        _note(photos, naming)
    if given:
        _give(given)


def _give(chosen: Sequence[tuple[Photo, Face, bool]]) -> None:
    """Give photos' names to the face of each that was chosen, perhaps as an anchor."""
    given = [Given(face, photo.name_hint, anchor) for photo, face, anchor in chosen]
    said_no = give_imported_names(given=given)
    _note([p for p, face, _ in chosen if face.pk not in said_no], Photo.Naming.GIVEN)
    _note([p for p, face, _ in chosen if face.pk in said_no], Photo.Naming.UNDECIDED)


def _note(photos: Sequence[Photo], naming: Photo.Naming) -> None:
    for photo in photos:
        photo.naming = naming
    Photo.objects.filter(pk__in=[photo.pk for photo in photos]).update(naming=naming)


def _has_the_name(photo: Photo, faces: Sequence[Face]) -> bool:
    """Whether one of the faces belongs to someone of the name that the photo came with."""
    people = [face.person_id for face in faces if face.person_id]
    named = Q(name_key=photo.hint_key) | Q(import_key=photo.hint_key)
    return bool(people) and Person.everyone.filter(named, pk__in=people).exists()


def prominence_of(photo: Photo, faces: Sequence[Face]) -> Float32:
    """The faces' prominence in their photo, as weights (n,)."""
    boxes = np.array([(f.x1, f.y1, f.x2, f.y2) for f in faces], np.float32).reshape(-1, 4)
    return prominence(boxes, width=photo.width or 1, height=photo.height or 1)


def _settle_photo(photo: Photo, embedder: str) -> bool:
    """Give a waiting photo's name to a face, if that is unambiguous now."""
    faces = [face for face in photo.faces.all() if face.state == Face.State.ACTIVE]
    if photo.naming == Photo.Naming.WAITING:  # a name that came after the photo
        with transaction.atomic():
            decide_alone(looked=[(photo, faces)])
        if photo.naming != Photo.Naming.UNDECIDED:
            return photo.naming == Photo.Naming.GIVEN
    spec = embedders.get_spec(embedder)
    rows = FaceEmbedding.objects.filter(embedder=spec.slug, version=spec.version)
    own = rows.filter(face__in=faces).order_by("face__number")
    anchors = rows.filter(face__is_anchor=True, face__person__import_key=photo.hint_key).exclude(
        face__photo=photo
    )
    thresholds = scoring.scale(embedder).thresholds_at(AGREEING_FMR, OTHERS_FMR)
    chosen = agreeing_face(_vectors(own, spec), _vectors(anchors, spec), thresholds)
    if chosen is None:
        return False
    face = own[chosen].face
    if face.person_id:
        return False
    with transaction.atomic():
        _give([(photo, face, False)])
    return True


def _vectors(rows: QuerySet[FaceEmbedding], spec: embedders.EmbedderSpec) -> Float32:
    """The vectors of rows as (n, d), in their order."""
    blobs = [bytes(vector) for vector in rows.values_list("vector", flat=True)]
    return np.frombuffer(b"".join(blobs), np.float32).reshape(-1, spec.dimension)
