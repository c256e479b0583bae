"""Keeping up what faceweb guesses: clusters, suggestions, fits, people who may be one.

Runs in the worker, after imports and edits. All of it follows from the rows, and can be worked
out again at any time; nothing is assigned by it, unless somebody turned automatic assignment on.
"""

import logging
import time
from collections.abc import Iterable

import numpy as np

from faceweb import exclusive
from people.models import EditSubject, Face, Person, PersonPair, Suggestion
from people.services import automatic, grouping, likeness, scoring, suggestions, vectors
from people.services.changes import in_chunks
from people.services.vectors import Faces

log = logging.getLogger("faceweb.people")

# When more than this changed, everything is worked out anew: it is as quick, and simpler.
_SEVERAL = 2000


def refresh_all() -> bool:
    """Work out everything anew. Returns False if someone else is at it."""
    done = _refresh(None, None)
    grouping.refresh()
    return done


def refresh_after_edit(*, edit_id: int) -> bool:
    """Work out what an edit may have changed. Returns False if someone else is at it."""
    subjects = EditSubject.objects.filter(edit=edit_id).values_list("kind", "subject_id")
    faces = {pk for kind, pk in subjects if kind == EditSubject.Kind.FACE}
    people = {pk for kind, pk in subjects if kind == EditSubject.Kind.PERSON}
    done = _refresh(faces, people | _owners(faces))
    grouping.refresh()
    return done


def refresh_after_import(*, batch_id: int) -> bool:
    """Look at the new faces of an import. Returns False if someone else is at it."""
    new = Face.objects.active().filter(photo__batch=batch_id)
    faces = set(new.filter(person=None).values_list("pk", flat=True))
    people = set(new.exclude(person=None).values_list("person_id", flat=True))
    done = _refresh(faces, {pk for pk in people if pk is not None})
    grouping.refresh()
    return done


def _owners(face_ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for chunk in in_chunks(sorted(face_ids)):
        rows = Face.objects.filter(pk__in=chunk).exclude(person=None)
        found.update(rows.values_list("person_id", flat=True))
    return {pk for pk in found if pk is not None}


def _refresh(face_ids: set[int] | None, person_ids: set[int] | None) -> bool:
    if max(len(face_ids or ()), len(person_ids or ())) > _SEVERAL:
        face_ids = person_ids = None
    with exclusive.only_one("suggestions") as mine:
        if not mine:
            return False
        scale = scoring.scale()
        # Always, and first: what another embedder guessed must never be judged by this one's rates.
        _forget_other_embedders(scale)
        if scale.calibration is None:
            return True  # similarities of such an embedder say nothing about identity
        start = time.perf_counter()
        everyone = vectors.load(faces=Face.objects.active().exclude(person=None), scale=scale)
        teachers = _teachers(everyone)
        hidden = Person.objects.filter(is_searchable=False).values_list("pk", flat=True)
        gallery = teachers.where(~np.isin(teachers.people, list(hidden)))
        suggestions.refresh(
            gallery=gallery, scale=scale, face_ids=face_ids, person_ids=person_ids or ()
        )
        assigned = automatic.assign_certain(scale=scale, gallery_size=len(gallery))
        if not assigned:
            likeness.refresh_fits(gallery=everyone, scale=scale, person_ids=person_ids)
            likeness.refresh_pairs(gallery=teachers, scale=scale, person_ids=person_ids)
        log.info("suggestions are up to date, %.1f s", time.perf_counter() - start)
    if assigned:  # what was assigned changes what is suggested
        if face_ids is not None and person_ids is not None:
            face_ids = face_ids.union(*assigned.values())
            person_ids = person_ids | assigned.keys()
        return _refresh(face_ids, person_ids)
    return True


def _forget_other_embedders(scale: scoring.Scale) -> None:
    """Drop what was guessed by another embedder of faces that this one has not seen yet, and
    everything if this one's similarities say nothing about identity."""
    unseen = Face.objects.all()
    if scale.calibration is None:
        PersonPair.objects.filter(dismissed_at=None).delete()
    else:
        unseen = unseen.without_embedding(scale.embedder, scale.version)
    Suggestion.objects.filter(face__in=unseen).delete()
    unseen.exclude(fit=None).update(fit=None)


def _teachers(faces: Faces) -> Faces:
    """The faces that define their people: the good ones, or all of who has no good one."""
    lucky = np.unique(faces.people[faces.good])
    return faces.where(faces.good | ~np.isin(faces.people, lucky))
