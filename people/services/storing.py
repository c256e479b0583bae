"""Storing what a look at photos found: rows of faces and embeddings, names, what has to go.

Rows are written in one transaction. The files are there before it, the index follows it.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from django.db import transaction
from django.utils import timezone

from faceweb.recognition.embedders import EmbedderSpec, collection_name
from faceweb.recognition.geometry import in_hundredths
from faceweb.recognition.pipeline import FoundFace
from people import files
from people.jobs import Status
from people.models import Face, FaceEmbedding, IndexRemoval, Photo
from people.services import dates, deletion, history, leftovers, matching
from people.services.changes import in_chunks
from people.services.history import faces_in_words
from people.services.naming import Given, give_covers, give_imported_names
from people.services.numbering import free_numbers
from people.services.refinding import Plan, has_a_word

Pairs = Sequence[tuple[Face, FoundFace]]

_FOUND_FIELDS = ("x1", "y1", "x2", "y2", "landmarks", "detection_score", "quality",
                 "quality_reasons", "crop")  # fmt: skip


def store(*, plans: Sequence[Plan], spec: EmbedderSpec) -> list[FaceEmbedding]:
    """Carry out plans for those photos that are still ours; return rows for the index."""
    with transaction.atomic():
        claims = {one.photo.claim for one in plans}
        ours = set(
            Photo.objects.select_for_update()
            .filter(pk__in=[one.photo.pk for one in plans], claim__in=claims)
            .values_list("pk", flat=True)
        )
        kept = [one for one in plans if one.photo.pk in ours]
        forget_files(plans=[one for one in plans if one.photo.pk not in ours])
        now = _faces_now(kept)
        gone = _remove_gone(kept, now)
        embeddings = renew(
            found=_unmoved([pair for one in kept for pair in one.renewed], now),
            asked=_unmoved([pair for one in kept for pair in one.asked], now),
            spec=spec,
        )
        again = {one.photo.pk for one in kept if one.photo.width is not None}
        for one in kept:
            one.photo.width, one.photo.height = one.image.width, one.image.height
        new = {one.photo.pk: _new_faces(one, now) for one in kept}
        came = {pk: [face for face, _ in pairs] for pk, pairs in new.items()}
        _give_region_names(kept, came, now)
        _give_photo_names(kept, [*now.values(), *chain.from_iterable(came.values())])
        embeddings += _add([pair for pairs in new.values() for pair in pairs], spec)
        for one in kept:
            _note_what_the_file_says(one)
            lost = [face for face in one.gone if face.pk in gone]
            if one.photo.pk in again and (new[one.photo.pk] or lost):
                _record(one, new[one.photo.pk], lost)
        _finish(kept)
    return embeddings


def renew(*, found: Pairs, asked: Pairs, spec: EmbedderSpec) -> list[FaceEmbedding]:
    """Write what is known of faces now to their rows; return the embeddings that changed.

    Within a transaction. The boxes and scores of the faces `asked` for stay as they are.
    """
    pairs, unused = [*found, *asked], []
    for number, (face, each) in enumerate(pairs):
        before = face.crop.name or ""
        if number < len(found):
            _place(face, each)
        _fill(face, each)
        if before != face.crop.name:
            unused.append(before)
    leftovers.note_files(names=unused)
    Face.objects.bulk_update([face for face, _ in pairs], _FOUND_FIELDS, batch_size=200)
    return _renewed_embeddings(pairs, spec)


def forget_files(*, plans: Iterable[Plan]) -> None:
    """For photos that are not ours any more: what was written for them must go, if unused."""
    lost = list(plans)
    there = set(
        Photo.objects.filter(pk__in=[one.photo.pk for one in lost]).values_list("pk", flat=True)
    )
    names = []
    for one in lost:
        photo = one.photo
        crops = [name for name, _ in one.crops]
        gone = photo.pk not in there
        names += files.of_photo(photo.key, photo.file.name or "", crops) if gone else crops
    leftovers.note_files(names=names)


# --- parts --------------------------------------------------------------------------------------


def _place(face: Face, found: FoundFace) -> None:
    """Where the detector found a face, and how sure it is."""
    face.x1, face.y1, face.x2, face.y2 = (float(value) for value in found.box)
    face.detection_score = found.score


def _fill(face: Face, found: FoundFace) -> None:
    """What was seen in the box of a face."""
    face.landmarks = in_hundredths(found.landmarks)
    face.quality, face.quality_reasons = found.quality, list(found.quality_reasons)
    face.crop = files.crop_of_box(face.photo.key, face.box, turns=face.photo.turns)


def _faces_now(plans: Sequence[Plan]) -> dict[int, Face]:
    """The faces of the photos as they are now, locked and by id, with the photos in hand."""
    photos = {one.photo.pk: one.photo for one in plans}
    faces = {
        face.pk: face
        for face in Face.objects.select_for_update().filter(photo__in=photos).order_by("pk")
    }
    for face in faces.values():
        face.photo = photos[face.photo_id]
    return faces


def _remove_gone(plans: Sequence[Plan], now: dict[int, Face]) -> set[int]:
    """Delete faces that are not found any more, unless someone said something of them since."""
    ids = [
        face.pk
        for one in plans
        for face in one.gone
        if face.pk in now and not has_a_word(now[face.pk])
    ]
    if ids:
        deletion.delete_faces(faces=Face.objects.filter(pk__in=ids))
    for pk in ids:
        del now[pk]
    return set(ids)


def _unmoved(pairs: Pairs, now: dict[int, Face]) -> list[tuple[Face, FoundFace]]:
    """Those faces that are still there, with the box at which the look was aimed."""
    return [
        (now[face.pk], found)
        for face, found in pairs
        if face.pk in now and now[face.pk].box == face.box and now[face.pk].origin == face.origin
    ]


def _new_faces(one: Plan, now: dict[int, Face]) -> list[tuple[Face, FoundFace]]:
    """What nobody knew, with numbers that are free. These faces have no rows yet."""
    found = [*one.new, *one.drawn]
    taken = [face.number for face in now.values() if face.photo_id == one.photo.pk]
    numbers = free_numbers(taken=taken, many=len(found))
    faces = []
    for place, (number, each) in enumerate(zip(numbers, found, strict=True)):
        face = Face(photo=one.photo, number=number)
        _place(face, each)
        _fill(face, each)
        if place >= len(one.new):
            face.origin, face.detection_score = Face.Origin.DRAWN, 0.0
        faces.append(face)
    return list(zip(faces, found, strict=True))


def _add(pairs: Pairs, spec: EmbedderSpec) -> list[FaceEmbedding]:
    """Make the rows of new faces, and of what they look like."""
    faces = Face.objects.bulk_create([face for face, _ in pairs])
    give_covers(faces=faces)
    return _embeddings(pairs, spec)


def _embeddings(pairs: Pairs, spec: EmbedderSpec) -> list[FaceEmbedding]:
    return FaceEmbedding.objects.bulk_create(
        [
            FaceEmbedding(
                face=face,
                embedder=spec.slug,
                version=spec.version,
                vector=found.embedding.tobytes(),
            )
            for face, found in pairs
        ]
    )


def _renewed_embeddings(pairs: Pairs, spec: EmbedderSpec) -> list[FaceEmbedding]:
    """Write the embeddings of faces that are there already; return those that changed."""
    rows: dict[int, FaceEmbedding] = {}
    for chunk in in_chunks([face.pk for face, _ in pairs]):
        known = FaceEmbedding.objects.filter(face__in=chunk, embedder=spec.slug)
        rows |= {row.face_id: row for row in known}
    changed, removals = [], []
    for face, found in pairs:
        row, vector = rows.get(face.pk), found.embedding.tobytes()
        if row is None or (bytes(row.vector) == vector and row.version == spec.version):
            continue
        if row.version != spec.version:  # its point is in the other version's collection
            removals.append(
                IndexRemoval(collection=collection_name(row.embedder, row.version), point=row.pk)
            )
        row.vector, row.version, row.indexed_at = vector, spec.version, None
        changed.append(row)
    IndexRemoval.objects.bulk_create(removals)
    FaceEmbedding.objects.bulk_update(changed, ["vector", "version", "indexed_at"], batch_size=200)
    return changed + _embeddings([pair for pair in pairs if pair[0].pk not in rows], spec)


def _finish(plans: Sequence[Plan]) -> None:
    """Note on the photos that they are done, how large they are, how long one took on average."""
    seconds = sum(one.seconds for one in plans) / max(len(plans), 1)
    by_size: dict[tuple[int, int], list[Photo]] = {}
    for one in plans:
        by_size.setdefault((one.image.width, one.image.height), []).append(one.photo)
    for (width, height), photos in by_size.items():
        Photo.objects.filter(pk__in=[photo.pk for photo in photos]).update(
            status=Status.DONE, claim=None, claimed_by="", lease_expires_at=None,
            finished_at=timezone.now(), error_code="", error_detail="",
            width=width, height=height, seconds=seconds,
        )  # fmt: skip


def _note_what_the_file_says(one: Plan) -> None:
    """Touch what others may have written only where the look has something to say."""
    photo = one.photo
    if one.settled.regions:
        Photo.objects.filter(pk=photo.pk).update(regions=one.settled.regions)
    if photo.taken_at is None and one.image.taken_at is not None:
        undated = Photo.objects.filter(pk=photo.pk, taken_at=None)
        undated.update(taken_at=dates.aware(one.image.taken_at))


def _give_region_names(
    plans: Sequence[Plan], new: dict[int, list[Face]], now: dict[int, Face]
) -> None:
    """Give the names that files have for places to the faces there that are nobody's."""
    given = []
    for one in plans:
        known = [now.get(face.pk) for face, _ in [*one.renewed, *one.asked]]
        rows: list[Face | None] = [*known, *new[one.photo.pk]]
        drawn = len(rows) - len(one.drawn)
        named = one.settled.named + [
            (name, drawn + place) for place, name in enumerate(one.settled.missing_names)
        ]
        given += [
            Given(face, name, anchor=False)
            for name, number in named
            if (face := rows[number]) and face.state == Face.State.ACTIVE and not face.person_id
        ]
    if given:
        give_imported_names(given=given, how=Face.AssignedBy.REGION)


def _give_photo_names(plans: Sequence[Plan], faces: Iterable[Face]) -> None:
    """Give the names that photos came with; a name that was given once is left to people."""
    active: dict[int, list[Face]] = {one.photo.pk: [] for one in plans}
    for face in sorted(faces, key=lambda face: face.number):
        if face.state == Face.State.ACTIVE and face.photo_id in active:
            active[face.photo_id].append(face)
    matching.decide_alone(
        looked=[
            (one.photo, active[one.photo.pk])
            for one in plans
            if one.photo.naming != Photo.Naming.GIVEN
        ]
    )


def _record(one: Plan, new: Sequence[Any], lost: Sequence[Face]) -> None:
    came = f"found {faces_in_words(len(new))} more" if new else ""
    went = f"did not find {faces_in_words(len(lost))} of nobody again" if lost else ""
    history.record(
        kind="rescan",
        summary=f"Looked again, {' and '.join(part for part in (came, went) if part)}",
        faces=[face.pk for face, _ in new],
        photos=[one.photo.pk],
    )
