"""Names that a photo's file has for places in it: read on import, given to faces when looked at.

`Photo.regions` holds them as {"name", "box"}: x1, y1, x2, y2 as shares of the upright photo before
anyone turned it. Once settled they say so ("settled": true), so that a name which a person takes
away later does not come back, however often the photo is looked at or imported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
from django.conf import settings
from django.db.models import QuerySet
from numpy.typing import NDArray

from faceweb.recognition.errors import ImageError
from faceweb.recognition.geometry import overlaps, turned_boxes
from faceweb.recognition.metadata import read_metadata
from faceweb.recognition.xmp import named_regions
from people.models import Photo
from people.names import name_key

Float32 = NDArray[np.float32]

# A region is a face's if their boxes share this much of what they cover together, or if each
# has the other's middle in it: other programs draw larger boxes, or smaller ones.
_OVERLAP = 0.25
# A second face (or region) that comes this near to the best makes it ambiguous.
_RIVAL = 0.7


@dataclass(frozen=True, eq=False)
class Settled:
    """What was decided of a photo's regions.

    `named`: names, each with the index of its box. `missing` (n, 4): boxes in pixels of the
    photo where no face was found, and `missing_names`. `regions`: all of them, as they are now.
    """

    named: list[tuple[str, int]] = field(default_factory=list)
    missing: Float32 = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    missing_names: list[str] = field(default_factory=list)
    regions: list[dict[str, Any]] = field(default_factory=list)


def read(*, file: BinaryIO, sidecar: bytes = b"") -> list[dict[str, Any]]:
    """The named regions in a sidecar file, else those in the picture itself. Decodes nothing."""
    try:
        picture = read_metadata(file, max_pixels=settings.FACEWEB_MAX_PIXELS)
    except ImageError:
        return []
    found = named_regions(sidecar, picture) or named_regions(picture.packet, picture)
    return [{"name": region.name, "box": list(region.box)} for region in found]


def undecided(photo: Photo) -> list[dict[str, Any]]:
    """The regions of a photo that are not settled."""
    return [region for region in photo.regions if not region.get("settled")]


def settle(*, photo: Photo, boxes: Float32, width: int, height: int) -> Settled:
    """Say which region is which of the boxes (n, 4), in pixels of the photo of that size.

    A name is given only where one region and one box belong to each other and to none else.
    """
    wanted = undecided(photo)
    places = _places(wanted, photo.turns, width, height)
    shares = overlaps(places, boxes)
    around = _middles_inside(places, boxes) & _middles_inside(boxes, places).T
    shares = np.where((shares >= _OVERLAP) | around, np.maximum(shares, 1e-6), 0)
    outcome = Settled(regions=[region for region in photo.regions if region.get("settled")])
    missing = []
    for number, region in enumerate(wanted):
        name = str(region["name"])
        if shares[number].max(initial=0) == 0:
            missing.append(number)
            outcome.missing_names.append(name)
        else:
            face = int(shares[number].argmax())
            if not (_is_alone(shares[number], face) and _is_alone(shares[:, face], number)):
                outcome.regions.append(region)
                continue
            outcome.named.append((name, face))
        outcome.regions.append({**region, "settled": True})
    return replace(outcome, missing=places[missing])


def forget(*, photos: QuerySet[Photo], keys: Iterable[str]) -> int:
    """Take the names with these keys from what photos brought, so that none is handed out again.

    Returns how many of the photos had some.
    """
    gone, changed = set(keys), []
    for photo in photos.exclude(regions=[]).only("pk", "regions").iterator():
        kept = [region for region in photo.regions if name_key(region["name"]) not in gone]
        if len(kept) < len(photo.regions):
            photo.regions = kept
            changed.append(photo)
    Photo.objects.bulk_update(changed, ["regions"], batch_size=500)
    return len(changed)


def _places(wanted: Sequence[dict[str, Any]], turns: int, width: int, height: int) -> Float32:
    """Regions as boxes (n, 4) in pixels of the photo as it is turned now."""
    shares = np.array([region["box"] for region in wanted], np.float32).reshape(-1, 4)
    upright = turned_boxes(shares, turns, width=1, height=1)
    return upright * np.array([width, height] * 2, np.float32)


def _middles_inside(boxes: Float32, others: Float32) -> NDArray[np.bool_]:
    """Whether the middle of each of `boxes` (n, 4) lies in each of `others` (m, 4): (n, m)."""
    middles = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    inside = (middles >= others[None, :, :2]) & (middles <= others[None, :, 2:])
    return np.asarray(inside.all(axis=2))


def _is_alone(shares: Float32, best: int) -> bool:
    """Whether `best` has the largest share and no other comes near it."""
    rivals = np.delete(shares, best)
    return bool(rivals.max(initial=0) < _RIVAL * shares[best])
