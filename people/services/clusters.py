"""Unknown people: naming a cluster, throwing faces out, joining two, setting one aside.

What is decided is kept where nothing is ever worked out anew: names with the faces, "not the
same" as rows of its own. Each function but `shown` and `similar_to` is one edit with an entry
of the history. All raise Refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from people.models import Cluster, Edit, Face, NotSame, Person, Suggestion
from people.problems import Refused
from people.services import assigning, history, scoring, vectors
from people.services.changes import CHUNK, Change, in_chunks, made, plain, updated, values_of, write
from people.services.history import faces_in_words
from people.services.suggestions import contradicted
from people.services.undoing import keep_up

# Faces that speak for a cluster when others are thrown out of it.
_SPEAKERS = 10
# How many clusters are looked through for similar ones, largest first.
_LOOKED_THROUGH = 5000


@dataclass(frozen=True)
class Shown:
    """A cluster as a page shows it, with the known person whom its faces resemble, if any."""

    cluster: Cluster
    likely: Person | None
    # How many of its faces resemble that person.
    alike: int = 0


@dataclass(frozen=True)
class Named:
    """What naming did: the edit, and how many faces were left out because they cannot be that
    person: another face in their photo is, or somebody said no before."""

    edit: Edit
    left_out: int


def shown(clusters: Sequence[Cluster]) -> list[Shown]:
    """The clusters with whom they may be, for all of them with two queries."""
    asked = Suggestion.objects.open().filter(face__cluster__in=[one.pk for one in clusters])
    counts = (
        asked.values_list("face__cluster", "person")
        .annotate(faces=Count("pk"), best=Max("score"))
        .order_by("faces", "best")
    )
    most = {cluster: (person, count) for cluster, person, count, _ in counts}
    likely = {
        one.pk: most[one.pk]
        for one in clusters
        if one.pk in most and 2 * most[one.pk][1] >= one.size
    }
    people = Person.objects.in_bulk([person for person, _ in likely.values()])
    return [
        Shown(one, people.get(likely[one.pk][0]), likely[one.pk][1])
        if one.pk in likely
        else Shown(one, None)
        for one in clusters
    ]


def similar_to(*, cluster: Cluster, limit: int = 6) -> list[tuple[Cluster, float]]:
    """The waiting clusters whose cover may be the person of this one's, with the similarity."""
    others = Cluster.objects.waiting().exclude(pk=cluster.pk).exclude(cover=None)
    covers = dict(others.values_list("cover", "pk")[:_LOOKED_THROUGH])
    asked = Face.objects.filter(pk__in=[*covers, cluster.cover_id])
    scale = scoring.scale()
    found = vectors.load(faces=asked, scale=scale)
    mine = found.ids == cluster.cover_id
    if not mine.any():
        return []
    similarities = found.vectors @ found.vectors[mine][0]
    similarities[mine] = -np.inf
    order = np.argsort(-similarities)[:limit].tolist()
    best = [row for row in order if similarities[row] >= scale.thresholds().possible]
    ids = [covers[int(found.ids[row])] for row in best]
    clusters = Cluster.objects.in_bulk(ids)
    return [
        (clusters[pk], float(similarities[row]))
        for pk, row in zip(ids, best, strict=True)
        if pk in clusters
    ]


def name(
    *,
    cluster: Cluster,
    face_ids: Iterable[int],
    person: Person | None = None,
    name: str = "",
    user: Any = None,
) -> Named:
    """Give the faces that the page showed to a person, or to the one called `name`.

    Raises Refused with "changed_meanwhile" if one of them got a name since.
    """
    ids = sorted(set(face_ids))
    with transaction.atomic():
        target = person or Person.objects.named(name).order_by("pk").first()
        impossible = _impossible(ids, target)
        chosen = [pk for pk in ids if pk not in impossible]
        if ids and not chosen:
            raise Refused("none_can_be")
        edit = assigning.assign(
            face_ids=chosen, person=target, name=name, user=user,
            how=Face.AssignedBy.CLUSTER, expected=dict.fromkeys(chosen),
        )  # fmt: skip
    return Named(edit, len(impossible))


def throw_out(*, cluster: Cluster, face_ids: Iterable[int], user: Any = None) -> Edit:
    """Say that some faces are not the person of the others, so that they never come back."""
    thrown = sorted(set(face_ids))
    with transaction.atomic():
        faces = _members(cluster, lock=True)
        if not thrown or not set(thrown) <= set(faces):
            raise Refused("changed_meanwhile")
        rest = sorted(set(faces) - set(thrown), key=lambda pk: (pk != cluster.cover_id, pk))
        if not rest:
            raise Refused("nobody_left")
        pairs = {(min(a, b), max(a, b)) for a in thrown for b in rest[:_SPEAKERS]}
        changes: list[Change] = _kept_apart(pairs)
        changes += _moved({pk: faces[pk] for pk in thrown}, to=None)
        is_are, people = ("is", "person") if len(thrown) == 1 else ("are", "people")
        return history.record(
            kind="apart",
            summary=f"Said that {faces_in_words(len(thrown))} {is_are} of other {people} than "
            f"{faces_in_words(len(rest))} that look alike",
            user=user,
            changes=changes,
            faces=[*thrown, *rest[:_SPEAKERS]],
        )


def join(*, cluster: Cluster, other: Cluster, user: Any = None) -> Edit:
    """Say that two clusters are one person: the faces of `other` go to `cluster`, and stay."""
    with transaction.atomic():
        faces, coming = _members(cluster, lock=True), _members(other, lock=True)
        if not faces or not coming or cluster.pk == other.pk:
            raise Refused("changed_meanwhile")
        _refuse_contradictions(faces, coming)
        changes = _moved(coming, to=cluster.pk)
        Cluster.objects.filter(pk=cluster.pk).update(dismissed_at=None, cohesion=None)
        return history.record(
            kind="together",
            summary=f"Put {faces_in_words(len(coming))} with {faces_in_words(len(faces))} "
            "that look alike",
            user=user,
            changes=changes,
            faces=[*coming, *list(faces)[:_SPEAKERS]],
        )


def set_aside(*, cluster: Cluster, aside: bool = True, user: Any = None) -> Edit:
    """Take a cluster off the page of unknown people, or show it there again."""
    with transaction.atomic():
        before = values_of("cluster", [cluster.pk], lock=True).get(cluster.pk)
        if before is None or (before["dismissed_at"] is not None) == aside:
            raise Refused("nothing_to_do")
        after = {"dismissed_at": plain(timezone.now()) if aside else None}
        write("cluster", [cluster.pk], after)
        faces = _members(cluster)
        words = "Set {} aside that look alike" if aside else "Showed {} again that look alike"
        return history.record(
            kind="set_aside",
            summary=words.format(faces_in_words(len(faces))),
            user=user,
            changes=[updated("cluster", cluster.pk, before, after)],
            faces=list(faces)[:_SPEAKERS],
        )


def _members(cluster: Cluster, *, lock: bool = False) -> dict[int, dict[str, Any]]:
    """The unassigned faces of a cluster, by id."""
    ids = Face.objects.unassigned().filter(cluster=cluster).values_list("pk", flat=True)
    found = values_of("face", ids, lock=lock, fields=("person", "state", "cluster"))
    return {pk: row for pk, row in found.items() if row["cluster"] == cluster.pk}


def _moved(faces: dict[int, dict[str, Any]], *, to: int | None) -> list[Change]:
    write("face", faces, {"cluster": to})
    changes = [updated("face", pk, row, {"cluster": to}) for pk, row in faces.items()]
    return changes + keep_up(changes=changes)


def _kept_apart(pairs: set[tuple[int, int]]) -> list[Change]:
    """Remember pairs of faces that are two people."""
    ids = {pk for pair in pairs for pk in pair}
    for chunk in in_chunks(sorted(ids)):
        known = NotSame.objects.filter(face__in=chunk).values_list("face_id", "other_id")
        pairs = pairs - set(known)
    rows = [NotSame(face_id=one, other_id=two) for one, two in sorted(pairs)]
    return [made("notsame", row) for row in NotSame.objects.bulk_create(rows, batch_size=CHUNK)]


def _impossible(face_ids: list[int], person: Person | None) -> set[int]:
    """Those of the faces that cannot be this person."""
    if person is None:
        return set()
    said = contradicted(face_ids=face_ids)
    found = {face for face, who in said if who == person.pk}
    for chunk in in_chunks(face_ids):
        theirs = Face.objects.active().filter(person=person).values("photo")
        beside = Face.objects.filter(pk__in=chunk, photo__in=theirs)
        found.update(beside.values_list("pk", flat=True))
    return found


def _refuse_contradictions(one: Iterable[int], other: Iterable[int]) -> None:
    """Raise Refused if faces of both sides share a photo or were said to be two people."""
    sides = [set(one), set(other)]
    photos = [
        {
            photo
            for chunk in in_chunks(sorted(side))
            for photo in Face.objects.filter(pk__in=chunk).values_list("photo_id", flat=True)
        }
        for side in sides
    ]
    if photos[0] & photos[1]:
        raise Refused("same_photo")
    for chunk in in_chunks(sorted(sides[0] | sides[1])):
        rows = NotSame.objects.filter(face__in=chunk).values_list("face_id", "other_id")
        if any((a in sides[0]) != (b in sides[0]) and b in sides[0] | sides[1] for a, b in rows):
            raise Refused("kept_apart")
