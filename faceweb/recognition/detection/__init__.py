"""The registry of detectors, and the shape of what they find."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faceweb.recognition.engine import Device

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Detections:
    """The faces of one picture, best score first, in pixels of that picture.

    `boxes` (n, 4) are x1, y1, x2, y2. `landmarks` (n, 5, 2) are the left eye, right eye,
    nose, left and right mouth corner, left as seen in the picture. `scores` (n,) are 0..1, on the
    scale of MTCNN, whichever detector gave them.
    """

    boxes: Float32
    landmarks: Float32
    scores: Float32

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, which: NDArray[np.int64]) -> "Detections":
        """Some of the faces, by their numbers, in that order."""
        return Detections(self.boxes[which], self.landmarks[which], self.scores[which])


@dataclass(frozen=True)
class DetectorSettings:
    """What counts as a face.

    `min_face` and `min_face_share`: its smallest side, in pixels and as a share of the
    picture's longer side; the larger of the two counts. `longest_side`: larger pictures are
    reduced to it before faces are looked for. `min_score`: the least score, 0 to 1; the registry's
    `mtcnn` also takes faces of less that another detector sees (second_opinion.py).
    """

    min_face: int = 24
    min_face_share: float = 0.025
    longest_side: int = 1280
    min_score: float = 0.8


class Detector(Protocol):
    """A loaded detector. Safe to call from several threads."""

    def detect(
        self, pictures: Sequence[NDArray[np.uint8]], *, least_share: float = 0.0
    ) -> list[Detections]:
        """Find the faces of each picture, uint8 (height, width, 3) RGB, of any sizes.

        `least_share` is a `min_face_share` for this call, where it is larger than the settings'.
        """
        ...


_LOADERS = {
    "mtcnn": "faceweb.recognition.detection.second_opinion:load",
    "yunet": "faceweb.recognition.detection.yunet:load",
}


def slugs() -> tuple[str, ...]:
    """The names of all known detectors."""
    return tuple(_LOADERS)


def load(slug: str, settings: DetectorSettings | None = None, device: "Device" = "cpu") -> Detector:
    """Load a detector's weights. Raises KeyError for an unknown name, else WeightsError."""
    if slug not in _LOADERS:
        raise KeyError(f"unknown detector {slug!r}; known: {', '.join(_LOADERS)}")
    module, _, function = _LOADERS[slug].partition(":")
    detector: Detector = getattr(importlib.import_module(module), function)(
        settings or DetectorSettings(), device
    )
    return detector
