"""MTCNN's cascade, built for speed: next to the same boxes and scores as facenet-pytorch's, sooner.

Levels of the pyramid and windows come from a summed-area table instead of from the full picture
each, and many levels share a pass of the first network. No step loops over boxes. On a GPU, pixels
go there once and stay. Three things are not computed alike: proposals do not suppress each other
across levels, of nearly equal windows only the best goes on to the third network, and landmarks are
found once more in the end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceweb.recognition.detection import (
    Detections,
    DetectorSettings,
    Float32,
    networks,
    pyramid,
    suppression,
)
from faceweb.recognition.detection.proposals import Proposer
from faceweb.recognition.detection.pyramid import Level
from faceweb.recognition.detection.resampling import MOST_ROWS, Tables, reduced
from faceweb.recognition.detection.resampling_on_gpu import TablesOnGpu
from faceweb.recognition.engine import Device, Network, at_once, compiled

_REFINED_SCORE = 0.7
_CENTRED_SCORE = 0.8  # of a face in the middle of its window, for landmarks that are better
# Refined windows that overlap more than this show the third network the same picture twice.
_SAME = 0.9
_CUT_OFF = 0.05  # of a face's side beyond the edge of the picture
_AT_ONCE = 500_000  # pixels of all levels of the pictures that are worked on together

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class _Stage:
    """What the second or third network takes and gives.

    Windows of `size` pixels, at most `at_once` and a multiple of `step` in a pass, so that passes
    have few sizes; `outputs` numbers for each.
    """

    size: int
    outputs: int
    at_once: int
    step: int


_REFINED = _Stage(size=24, outputs=5, at_once=128, step=4)
_OUTPUT = _Stage(size=48, outputs=15, at_once=32, step=1)


@dataclass(frozen=True)
class _Part:
    """Some pictures, how many pixels of the originals one of theirs covers, and their levels."""

    pictures: list[Pixels]
    scales: list[float]
    levels: list[Level]


class Mtcnn:
    """The loaded cascade."""

    def __init__(self, settings: DetectorSettings, device: Device) -> None:
        self.settings = settings
        self._device = device
        self._proposer = Proposer(device)
        self._rnet = _ready(networks.load(networks.RNet(), networks.RNET), device, _REFINED)
        self._onet = _ready(networks.load(networks.ONet(), networks.ONET), device, _OUTPUT)

    def detect(self, pictures: Sequence[Pixels], *, least_share: float = 0.0) -> list[Detections]:
        """See Detector.detect."""
        parts = self._parts(pictures, least_share)
        return [detections for part in parts for detections in self._detect(part)]

    def _parts(self, pictures: Sequence[Pixels], least_share: float) -> Iterator[_Part]:
        """The pictures, reduced, in portions that fit the processor's caches."""
        part = _Part([], [], [])
        pixels = rows = 0
        for picture in pictures:
            small, scale = reduced(picture, self.settings.longest_side)
            more = sum(level.pixels for level in self._levels(0, small, least_share))
            is_full = pixels + more > at_once(_AT_ONCE, self._device)
            if part.pictures and (is_full or rows + len(small) + 1 > MOST_ROWS):
                yield part
                part = _Part([], [], [])
                pixels = rows = 0
            part.levels.extend(self._levels(len(part.pictures), small, least_share))
            part.pictures.append(small)
            part.scales.append(scale)
            pixels += more
            rows += len(small) + 1
        if part.pictures:
            yield part

    def _levels(self, owner: int, picture: Pixels, least_share: float) -> list[Level]:
        height, width = picture.shape[:2]
        longest = max(height, width)
        smallest = max(self.settings.min_face, self.settings.min_face_share * longest)
        return pyramid.levels_of(owner, height, width, smallest, least_share * longest)

    def _detect(self, part: _Part) -> list[Detections]:
        tables = (Tables if self._device == "cpu" else TablesOnGpu)(part.pictures)
        boxes, owners = self._proposer.propose(tables, part.levels)
        boxes, owners = self._refine(tables, _squared(boxes), owners)
        boxes, owners, scores, landmarks = self._output(tables, boxes, owners)
        found = []
        for owner, scale in enumerate(part.scales):
            mine = np.flatnonzero(owners == owner)
            found.append(Detections(boxes[mine] * scale, landmarks[mine] * scale, scores[mine]))
        return found

    def _refine(self, tables: Tables, boxes: Float32, owners: Indices) -> tuple[Float32, Indices]:
        output = _over_windows(self._rnet, tables, boxes, owners, _REFINED)
        passed = output[:, 0] > networks.log_odds(_REFINED_SCORE)
        boxes, owners, output = boxes[passed], owners[passed], output[passed]
        keep = suppression.best(boxes, output[:, 0], owners, 0.7)
        boxes, owners, output = boxes[keep], owners[keep], output[keep]
        boxes = _squared(_moved(boxes, output[:, 1:]))
        keep = suppression.best(boxes, output[:, 0], owners, _SAME)
        return boxes[keep], owners[keep]

    def _output(
        self, tables: Tables, boxes: Float32, owners: Indices
    ) -> tuple[Float32, Indices, Float32, Float32]:
        output = _over_windows(self._onet, tables, boxes, owners, _OUTPUT)
        passed = output[:, 0] > networks.log_odds(self.settings.min_score)
        boxes, owners, output = boxes[passed], owners[passed], output[passed]
        landmarks = _landmarks(boxes, output)
        boxes = _moved(boxes, output[:, 1:5])
        keep = suppression.best_contained(boxes, output[:, 0], owners, 0.7)
        boxes, owners, landmarks = boxes[keep], owners[keep], landmarks[keep]
        self._refine_landmarks(tables, boxes, owners, landmarks)
        return boxes, owners, 1 / (1 + np.exp(-output[keep, 0])), landmarks

    def _refine_landmarks(
        self, tables: Tables, boxes: Float32, owners: Indices, landmarks: Float32
    ) -> None:
        """Find landmarks once more in windows centred on the faces that were found, in place.

        This moves them by a pixel or two, and people are told apart better (docs/adr/0013). The
        picture's edge stretches the windows of faces that it cuts off, which moves their landmarks
        by a fifth of the face; so what lies beyond it is gray here, and such faces, whose boxes
        were wrong too, get another look.
        """
        squares = _squared(boxes)
        beyond = np.maximum(1 - squares[:, :2], squares[:, 2:] - tables.sizes[owners])
        is_cut = beyond.max(axis=1, initial=0) > _CUT_OFF * (squares[:, 2] - squares[:, 0])
        looked = np.arange(len(boxes))
        for _ in range(2):
            output = _over_windows(
                self._onet, tables, squares, owners[looked], _OUTPUT, framed=True
            )
            sure = output[:, 0] > networks.log_odds(_CENTRED_SCORE)
            landmarks[looked[sure]] = _landmarks(squares[sure], output[sure])
            again = sure & is_cut[looked]
            squares = _squared(_moved(squares[again], output[again, 1:5]))
            looked = looked[again]


def load(settings: DetectorSettings, device: Device) -> Mtcnn:
    return Mtcnn(settings, device)


def _ready(network: torch.nn.Module, device: Device, stage: _Stage) -> Network:
    return compiled(
        network,
        device=device,
        example=(1, stage.size, stage.size, 3),
        dtype=torch.float32,
        copies=True,
        half=True,
    )


def _over_windows(
    network: Network,
    tables: Tables,
    boxes: Float32,
    owners: Indices,
    stage: _Stage,
    framed: bool = False,
) -> Float32:
    """A network's output for every box, cut out of its picture and brought to the stage's size.

    What a box covers beyond the edge is gray with `framed`; else it is left out and the rest
    stretched, as the networks' usual implementation does, and a box that lies beyond the edge
    altogether gets log-odds of minus infinity.
    """
    cuts = boxes.astype(np.int64)
    cuts[:, :2] -= 1
    if not framed:
        cuts[:, :2] = np.maximum(cuts[:, :2], 0)
        cuts[:, 2:] = np.minimum(cuts[:, 2:], tables.sizes[owners])
    output = np.full((len(boxes), stage.outputs), -np.inf, np.float32)
    usable = np.flatnonzero((cuts[:, 2:] > cuts[:, :2]).all(axis=1))
    cut_out = tables.framed_windows if framed else tables.windows
    step = at_once(stage.at_once, tables.device)
    for start in range(0, len(usable), step):
        part = usable[start : start + step]
        seen = networks.with_repeats(part, stage.step)
        windows = cut_out(cuts[seen], owners[seen], stage.size)
        output[part] = network(windows)[0][: len(part)]
    return output


def _landmarks(boxes: Float32, output: Float32) -> Float32:
    """The five points (n, 5, 2) of the third network's output for squares."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    shares = output[:, 5:].reshape(-1, 2, 5).transpose(0, 2, 1)
    points: Float32 = shares * size[:, None] + boxes[:, None, :2] - 1
    return points


def _moved(boxes: Float32, offsets: Float32) -> Float32:
    """Boxes moved by offsets given as shares of their size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    moved: Float32 = boxes + offsets * np.concatenate([size, size], axis=1)
    return moved


def _squared(boxes: Float32) -> Float32:
    """The squares around the boxes' centres with their longer sides."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True, initial=0)
    corner = boxes[:, :2] + size / 2 - side / 2
    squares: Float32 = np.concatenate([corner, corner + side], axis=1)
    return squares
