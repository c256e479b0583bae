"""How faces fit their people, and people who may be one. Runs in the worker."""

from collections.abc import Iterable

import numpy as np
from django.db import transaction
from django.db.models import Q

from faceweb.recognition.clustering import false_match_rate
from faceweb.recognition.resemblance import alike_people, closest, fits
from people.models import Face, NotSame, PersonPair, Rejection
from people.services.changes import in_chunks
from people.services.scoring import Scale
from people.services.suggestions import fuse_of
from people.services.vectors import Faces

_BATCH = 200


def refresh_fits(*, gallery: Faces, scale: Scale, person_ids: Iterable[int] | None = None) -> None:
    """Work out how alike each face is to the rest of its person, for these people or all."""
    if person_ids is not None:
        gallery = gallery.where(np.isin(gallery.people, list(person_ids)))
    worked_out = fits(gallery.vectors, gallery.people, gallery.good, fuse=fuse_of(scale))
    found = {
        pk: None if np.isnan(fit) else float(fit)
        for pk, fit in zip(gallery.ids.tolist(), worked_out, strict=True)
    }
    changed = []
    for chunk in in_chunks(found):
        for pk, before in Face.objects.filter(pk__in=chunk).values_list("pk", "fit"):
            now = found[pk]
            if (before is None) != (now is None) or abs((before or 0) - (now or 0)) > 1e-4:
                changed.append(Face(pk=pk, fit=now))
    Face.objects.bulk_update(changed, ["fit"], batch_size=_BATCH)


def refresh_pairs(*, gallery: Faces, scale: Scale, person_ids: Iterable[int] | None = None) -> None:
    """Find people who are as alike as faces of one person are; those of these people, or all.

    Whoever was seen together in a photo, or was told apart by somebody, is not asked about.
    """
    if scale.calibration is None:
        return
    people = None if person_ids is None else sorted(set(person_ids))
    threshold = scale.calibration.similarity_at(false_match_rate(len(gallery)))
    among = None if people is None else np.isin(gallery.people, people)
    alike = alike_people(gallery.vectors, gallery.people, threshold=threshold, among=among)
    found = {(one, other): similarity for one, other, similarity in alike}
    for pair in _told_apart(found, gallery):
        del found[pair]
    asked = PersonPair.objects.filter(dismissed_at=None)
    if people is not None:
        asked = asked.filter(Q(person__in=people) | Q(other__in=people))
    with transaction.atomic():
        known = {(pair.person_id, pair.other_id): pair for pair in PersonPair.objects.all()}
        over = [pair.pk for pair in asked if (pair.person_id, pair.other_id) not in found]
        for chunk in in_chunks(over):
            PersonPair.objects.filter(pk__in=chunk).delete()
        new = [_pair(*ids, found[ids], gallery) for ids in found if ids not in known]
        PersonPair.objects.bulk_create(new, batch_size=_BATCH, ignore_conflicts=True)


def _told_apart(pairs: Iterable[tuple[int, int]], gallery: Faces) -> set[tuple[int, int]]:
    """Those pairs of people that cannot be one."""
    photos: dict[int, set[int]] = {}
    asked = sorted({pk for pair in pairs for pk in pair})
    rows = np.flatnonzero(np.isin(gallery.people, asked))
    for row in rows.tolist():
        photos.setdefault(int(gallery.people[row]), set()).add(int(gallery.photos[row]))
    said: set[tuple[int | None, int | None]] = set()
    for chunk in in_chunks(asked):
        rejected = Rejection.objects.filter(person__in=chunk).exclude(face__person=None)
        said |= set(rejected.values_list("face__person_id", "person_id"))
        apart = NotSame.objects.filter(face__person__in=chunk).exclude(other__person=None)
        said |= set(apart.values_list("face__person_id", "other__person_id"))
    return {
        (one, other)
        for one, other in pairs
        if photos[one] & photos[other] or (one, other) in said or (other, one) in said
    }


def _pair(one: int, other: int, similarity: float, gallery: Faces) -> PersonPair:
    first, second = (gallery.where(gallery.people == pk) for pk in (one, other))
    row, column = closest(first.vectors, second.vectors)
    return PersonPair(
        person_id=one,
        other_id=other,
        face_id=int(first.ids[row]),
        other_face_id=int(second.ids[column]),
        similarity=similarity,
    )
