"""Where the files of searches are: one folder for each search."""

import uuid


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
