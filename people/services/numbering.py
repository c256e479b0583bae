"""The numbers of the faces in a photo."""

from collections.abc import Iterable
from itertools import count, islice


def free_numbers(*, taken: Iterable[int], many: int) -> list[int]:
    """The smallest numbers from 1 that no face of the photo has. A number stays with its face."""
    used = set(taken)
    return list(islice((number for number in count(1) if number not in used), many))
