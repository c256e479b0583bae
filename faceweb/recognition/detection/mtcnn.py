"""MTCNN's cascade, built for speed: the same answers as facenet-pytorch's, sooner.

What differs from the usual implementation is where the work is done, not what is computed:
each pyramid level is reduced from the level before it instead of from the full picture,
pictures of one size share every pass of the first network, windows stay 8-bit until they are
cut to size, and the second and third network see those of all pictures of a call together.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceweb.recognition.detection import Detections, DetectorSettings, Float32, networks
from faceweb.recognition.engine import Device

_FACTOR = 0.709  # from one pyramid level to the next: half the area
_WINDOW, _STRIDE = 12, 2  # of the first network
_PROPOSAL_SCORE, _REFINED_SCORE = 0.6, 0.7
_BATCH = 256

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int64]


class Mtcnn:
    """The loaded cascade."""

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self._pnet = networks.load(networks.PNet(), networks.PNET)
        self._rnet = networks.load(networks.RNet(), networks.RNET)
        self._onet = networks.load(networks.ONet(), networks.ONET)

    def detect(self, pictures: Sequence[Pixels]) -> list[Detections]:
        """See Detector.detect."""
        with torch.inference_mode():
            return self._detect([_reduced(p, self.settings.longest_side) for p in pictures])

    def _detect(self, reduced: list[tuple[Pixels, float]]) -> list[Detections]:
        pictures = [picture for picture, _ in reduced]
        boxes, owners = self._propose(pictures)
        boxes, owners = self._refine(pictures, boxes, owners)
        boxes, owners, scores, landmarks = self._output(pictures, boxes, owners)
        found = []
        for owner, (_, scale) in enumerate(reduced):
            mine = np.flatnonzero(owners == owner)
            mine = mine[np.argsort(-scores[mine], kind="stable")]
            found.append(Detections(boxes[mine] * scale, landmarks[mine] * scale, scores[mine]))
        return found

    def _propose(self, pictures: list[Pixels]) -> tuple[Float32, Indices]:
        """Windows that may hold a face, as squares (n, 4), and whose they are (n,)."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, picture in enumerate(pictures):
            groups.setdefault(picture.shape, []).append(index)
        all_boxes = [np.zeros((0, 9), np.float32)]
        all_owners = [np.zeros(0, np.int64)]
        for (height, width, _), members in groups.items():
            stack = np.stack([pictures[i] for i in members])
            for scale, level in _pyramid(stack, self._first_scale(height, width)):
                boxes, which = self._proposals(level, scale)
                all_boxes.append(boxes)
                all_owners.append(np.asarray(members, np.int64)[which])
        boxes, owners = np.concatenate(all_boxes), np.concatenate(all_owners)
        keep = _suppress(boxes[:, :4], boxes[:, 4], owners, 0.7)
        boxes, owners = boxes[keep], owners[keep]
        size = boxes[:, 2:4] - boxes[:, :2]
        corners = boxes[:, :4] + boxes[:, 5:] * np.concatenate([size, size], axis=1)
        return _squared(corners), owners

    def _first_scale(self, height: int, width: int) -> float:
        smallest = max(self.settings.min_face, self.settings.min_face_share * max(height, width))
        return _WINDOW / smallest

    def _proposals(self, level: Pixels, scale: float) -> tuple[Float32, Indices]:
        """One level's windows: x1, y1, x2, y2, score and four offsets, and their picture."""
        scores, offsets = self._pnet(_normalised(level))
        which, row, column = (scores >= _PROPOSAL_SCORE).nonzero(as_tuple=True)
        corner = torch.stack([column, row], 1).float() * _STRIDE + 1
        boxes = torch.cat(
            [
                (corner / scale).floor(),
                ((corner + _WINDOW - 1) / scale).floor(),
                scores[which, row, column, None],
                offsets[which, :, row, column],
            ],
            1,
        ).numpy()
        owners = which.numpy()
        keep = _suppress(boxes[:, :4], boxes[:, 4], owners, 0.5)
        return boxes[keep], owners[keep]

    def _refine(
        self, pictures: list[Pixels], boxes: Float32, owners: Indices
    ) -> tuple[Float32, Indices]:
        scores, offsets = _batched(self._rnet, _windows(pictures, boxes, owners, 24), (0, 4))
        passed = scores > _REFINED_SCORE
        boxes, owners = boxes[passed], owners[passed]
        scores, offsets = scores[passed], offsets[passed]
        keep = _suppress(boxes, scores, owners, 0.7)
        return _squared(_moved(boxes[keep], offsets[keep])), owners[keep]

    def _output(
        self, pictures: list[Pixels], boxes: Float32, owners: Indices
    ) -> tuple[Float32, Indices, Float32, Float32]:
        windows = _windows(pictures, boxes, owners, 48)
        scores, offsets, points = _batched(self._onet, windows, (0, 4, 10))
        passed = scores > self.settings.min_score
        boxes, owners, points = boxes[passed], owners[passed], points[passed]
        scores, offsets = scores[passed], offsets[passed]
        size = boxes[:, 2:] - boxes[:, :2] + 1
        landmarks = np.stack([points[:, :5], points[:, 5:]], 2) * size[:, None]
        landmarks += boxes[:, None, :2] - 1
        boxes = _moved(boxes, offsets)
        keep = _suppress_contained(boxes, scores, owners, 0.7)
        return boxes[keep], owners[keep], scores[keep], landmarks[keep]


def load(settings: DetectorSettings, device: Device) -> Mtcnn:
    return Mtcnn(settings)


def _reduced(picture: Pixels, longest_side: int) -> tuple[Pixels, float]:
    """The picture within `longest_side`, and how many of its pixels one pixel covers."""
    height, width = picture.shape[:2]
    scale = max(height, width) / longest_side
    if scale <= 1:
        return picture, 1.0
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _pyramid(stack: Pixels, scale: float) -> list[tuple[float, Pixels]]:
    """Ever smaller copies of equally large pictures (n, height, width, 3), with their scales."""
    height, width = stack.shape[1:3]
    levels = []
    while min(height, width) * scale >= _WINDOW:
        size = (int(width * scale + 1), int(height * scale + 1))
        stack = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in stack])
        levels.append((scale, stack))
        scale *= _FACTOR
    return levels


def _windows(pictures: list[Pixels], boxes: Float32, owners: Indices, size: int) -> torch.Tensor:
    """Cut every box out of its picture and bring it to (n, 3, size, size).

    What a box covers beyond the edge is left out and the rest stretched, as the networks'
    usual implementations do.
    """
    windows = np.zeros((len(boxes), size, size, 3), np.uint8)
    corners = boxes.astype(np.int64)
    for window, (x1, y1, x2, y2), owner in zip(windows, corners.tolist(), owners, strict=True):
        picture = pictures[owner]
        cut = picture[max(y1 - 1, 0) : max(y2, 1), max(x1 - 1, 0) : max(x2, 1)]
        if cut.size:
            cv2.resize(cut, (size, size), dst=window, interpolation=cv2.INTER_AREA)
    return _normalised(windows)


def _normalised(pictures: Pixels) -> torch.Tensor:
    """uint8 (n, h, w, 3) as float (n, 3, h, w) in channels_last order, about -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().sub_(127.5).mul_(1 / 128)


def _batched(
    network: torch.nn.Module, windows: torch.Tensor, widths: tuple[int, ...]
) -> list[Float32]:
    """Run a network over many windows; zero windows give empty arrays of the right widths."""
    if not len(windows):
        return [np.zeros((0, w) if w else 0, np.float32) for w in widths]
    parts = [
        network(part.contiguous(memory_format=torch.channels_last))
        for part in torch.split(windows, _BATCH)
    ]
    return [torch.cat(columns).numpy() for columns in zip(*parts, strict=True)]


def _moved(boxes: Float32, offsets: Float32) -> Float32:
    """Boxes moved by offsets given as shares of their size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    moved: Float32 = boxes + offsets * np.concatenate([size, size], axis=1)
    return moved


def _squared(boxes: Float32) -> Float32:
    """The squares around the boxes' centres with their longer sides."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True) if len(boxes) else np.zeros((0, 1), np.float32)
    corner = boxes[:, :2] + size / 2 - side / 2
    squares: Float32 = np.concatenate([corner, corner + side], axis=1)
    return squares


def _suppress(boxes: Float32, scores: Float32, owners: Indices, threshold: float) -> Indices:
    """Non-maximum suppression within each picture: indices to keep, best score first."""
    if not len(boxes):
        return np.zeros(0, np.int64)
    rectangles = np.concatenate([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]], axis=1)
    keep = cv2.dnn.NMSBoxesBatched(
        rectangles.tolist(), scores.tolist(), owners.tolist(), 0.0, threshold
    )
    return np.asarray(keep, np.int64).reshape(-1)


def _suppress_contained(
    boxes: Float32, scores: Float32, owners: Indices, threshold: float
) -> Indices:
    """Suppression by the share of the smaller box that is covered; few boxes are left here."""
    order = np.argsort(-scores, kind="stable")
    area = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    keep: list[int] = []
    for index in order:
        rivals = np.asarray([k for k in keep if owners[k] == owners[index]], np.int64)
        top_left = np.maximum(boxes[rivals, :2], boxes[index, :2])
        bottom_right = np.minimum(boxes[rivals, 2:], boxes[index, 2:])
        shared = np.maximum(bottom_right - top_left + 1, 0).prod(axis=1)
        if not (shared / np.minimum(area[rivals], area[index]) > threshold).any():
            keep.append(int(index))
    return np.asarray(keep, np.int64)
