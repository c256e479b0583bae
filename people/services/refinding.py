"""Finding the faces that are known again when their photo is looked at once more.

Whatever people said of a face stays with its row. So a face that is found again keeps the row,
and only what the look itself gives is renewed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.geometry import containment, overlaps
from faceweb.recognition.images import DecodedImage
from faceweb.recognition.pipeline import FoundFace, Pipeline
from people import files
from people.models import Face, Photo
from people.services import regions

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# Two boxes are of one face if they share this much of what they cover together, or if one
# covers this much of the other: people draw round the head, detectors round the face.
_OVERLAP = 0.4
_CONTAINMENT, _OVERLAP_IF_CONTAINED = 0.7, 0.2
_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


@dataclass(eq=False)
class Plan:
    """What one look at a photo changes.

    `renewed`: faces that are found again. `asked`: faces whose boxes people gave, or that they
    named or hid and that are not found again; these were looked at in their own boxes. `new`:
    faces that nobody knew. `gone`: faces that nobody said anything of and that are not found
    any more. `drawn`: faces that nobody found where the file names someone. `settled`: what
    became of the file's names; its boxes are those of `renewed`, `asked` and `new`. `seconds`: how
    long the look took.
    """

    photo: Photo
    image: DecodedImage
    renewed: list[tuple[Face, FoundFace]] = field(default_factory=list)
    asked: list[tuple[Face, FoundFace]] = field(default_factory=list)
    new: list[FoundFace] = field(default_factory=list)
    gone: list[Face] = field(default_factory=list)
    drawn: list[FoundFace] = field(default_factory=list)
    settled: regions.Settled = field(default_factory=regions.Settled)
    seconds: float = 0.0

    @property
    def faces(self) -> int:
        """How many faces stay or come."""
        return len(self.renewed) + len(self.asked) + len(self.new) + len(self.drawn)

    @property
    def crops(self) -> list[tuple[str, Pixels]]:
        """The crop of every face that stays or comes, with the name of its file."""
        found = [*(found for _, found in self.renewed), *self.new, *self.drawn]
        pairs = [(found.box.tolist(), found.crop) for found in found]
        pairs += [(face.box, found.crop) for face, found in self.asked]
        key, turns = self.photo.key, self.photo.turns
        return [(files.crop_of_box(key, box, turns=turns), crop) for box, crop in pairs]

    def forget_pixels(self) -> None:
        """Let go of all pictures: once they are written, many photos' rows are stored together."""
        self.image = replace(self.image, pixels=_NO_PIXELS, jpeg=None)
        self.renewed = [(face, _without_crop(found)) for face, found in self.renewed]
        self.asked = [(face, _without_crop(found)) for face, found in self.asked]
        self.new = [_without_crop(found) for found in self.new]
        self.drawn = [_without_crop(found) for found in self.drawn]


def plan(
    *,
    photo: Photo,
    known: Sequence[Face],
    found: Sequence[FoundFace],
    image: DecodedImage,
    pipeline: Pipeline,
) -> Plan:
    """Hold what was found in a photo against the faces that are known in it.

    `found` are in order of prominence. Boxes that people drew stay as they drew them, and so
    do faces that people named or hid; where they are not found, their boxes are looked at.
    """
    pairs = same_faces(_boxes(known), _found_boxes(found))
    outcome = Plan(photo, image)
    asked: list[Face] = []
    for number, face in enumerate(known):
        if face.origin == Face.Origin.DRAWN or (number not in pairs and has_a_word(face)):
            asked.append(face)
        elif number in pairs:
            outcome.renewed.append((face, found[pairs[number]]))
        else:
            outcome.gone.append(face)
    again = set(pairs.values())
    outcome.new = [one for number, one in enumerate(found) if number not in again]
    if asked:
        outcome.asked = list(zip(asked, pipeline.embed_boxes(image, _boxes(asked)), strict=True))
    _settle_regions(outcome, pipeline)
    return outcome


def same_faces(known: Float32, found: Float32) -> dict[int, int]:
    """Which of the boxes `known` (n, 4) and `found` (m, 4) are of one face, as index to index.

    One to one, the greatest overlap first.
    """
    if not len(known) or not len(found):
        return {}
    shares = overlaps(known, found)
    inside = (containment(known, found) >= _CONTAINMENT) & (shares >= _OVERLAP_IF_CONTAINED)
    shares = np.where((shares >= _OVERLAP) | inside, shares, 0)
    pairs: dict[int, int] = {}
    for place in np.argsort(-shares, axis=None, kind="stable"):
        one, other = divmod(int(place), shares.shape[1])
        if shares[one, other] <= 0:
            break
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return pairs


def has_a_word(face: Face) -> bool:
    """Whether a face has a name, or was drawn or hidden: that must not be lost with it."""
    hidden = face.state != Face.State.ACTIVE
    return hidden or face.origin == Face.Origin.DRAWN or face.person_id is not None


def _settle_regions(outcome: Plan, pipeline: Pipeline) -> None:
    """Say which of the named regions of the file are which faces; draw the others."""
    if not regions.undecided(outcome.photo):
        return
    outcome.settled = regions.settle(
        photo=outcome.photo,
        boxes=np.concatenate(
            [
                _found_boxes([found for _, found in outcome.renewed]),
                _boxes([face for face, _ in outcome.asked]),
                _found_boxes(outcome.new),
            ]
        ),
        width=outcome.image.width,
        height=outcome.image.height,
    )
    if len(outcome.settled.missing):
        outcome.drawn = pipeline.embed_boxes(outcome.image, outcome.settled.missing)


def _without_crop(found: FoundFace) -> FoundFace:
    return replace(found, crop=_NO_PIXELS)


def _boxes(faces: Sequence[Face]) -> Float32:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def _found_boxes(faces: Sequence[FoundFace]) -> Float32:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)
