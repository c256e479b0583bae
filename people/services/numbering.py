"""The numbers of the faces in a photo. A number stays with its face."""

from collections.abc import Iterable, Sequence
from itertools import count, islice

from people.models import Face


def free_numbers(*, taken: Iterable[int], many: int) -> list[int]:
    """The smallest numbers from 1 that no face of the photo has."""
    used = set(taken)
    return list(islice((number for number in count(1) if number not in used), many))


def renumber_taken(*, faces: Sequence[Face]) -> None:
    """Give faces that are about to come back other numbers where someone has theirs by now."""
    photos = {face.photo_id for face in faces}
    taken: dict[int, set[int]] = {pk: set() for pk in photos}
    for pk, number in Face.objects.filter(photo__in=photos).values_list("photo_id", "number"):
        taken[pk].add(number)
    for face in faces:
        if face.number in taken[face.photo_id]:
            face.number = free_numbers(taken=taken[face.photo_id], many=1)[0]
        taken[face.photo_id].add(face.number)
