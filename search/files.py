"""Where the files of searches are: one folder for each search."""

import uuid
from collections.abc import Iterable


def folder(pk: uuid.UUID) -> str:
    return f"searches/{pk.hex[:2]}/{pk.hex}"


def probe(pk: uuid.UUID) -> str:
    """The photo as it was sent."""
    return f"{folder(pk)}/probe"


def picture(pk: uuid.UUID) -> str:
    """The photo to look at: JPEG and upright."""
    return f"{folder(pk)}/preview.jpg"


def crop(pk: uuid.UUID, number: int) -> str:
    return f"{folder(pk)}/face-{number}.jpg"


def support(pk: uuid.UUID) -> str:
    """Which stored faces speak for each candidate, as JSON: ids by probe number and rank."""
    return f"{folder(pk)}/support.json"


def made_for(pk: uuid.UUID, numbers: Iterable[int]) -> list[str]:
    """Every file that answering a search with these faces leaves."""
    return [picture(pk), support(pk), *(crop(pk, number) for number in numbers)]
