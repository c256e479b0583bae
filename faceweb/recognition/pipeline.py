"""From decoded pictures to faces with embeddings: detect, align, embed, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from faceweb.recognition import detection, embedders
from faceweb.recognition.alignment import cut
from faceweb.recognition.detection import Detections, Detector, DetectorSettings
from faceweb.recognition.embedders import Embedder, EmbedderSpec
from faceweb.recognition.engine import choose_device
from faceweb.recognition.geometry import (
    overlaps,
    prominence,
    quarter_turns,
    usual_landmarks,
)
from faceweb.recognition.images import DecodedImage

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# A picture without a clear upright face is tried lying on its sides and on its head. Only
# clear faces count then: three more looks would otherwise find three times the false ones.
CLEAR_SCORE = 0.995
SIDEWAYS_SCORE = 0.97
SIDEWAYS_SHARE = 0.06

# A detection is the face in a box that others gave if it shares this much with it. Of 350 faces of
# LFW, 99 % of dlib's boxes share at least 0.45 with mtcnn's.
_LEAST_OVERLAP = 0.3

# A face's crop for people to look at: the box with this share of its side added all round.
_CROP_MARGIN = 0.35


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One face. Coordinates are pixels of the upright photo.

    `box` (4,): x1, y1, x2, y2 within the photo. `landmarks` (5, 2): left eye, right eye, nose,
    left and right mouth corner, as seen. `score`: the detector's, 0 to 1. `embedding` (d,):
    float32, unit length. `crop`: uint8 (h, w, 3) RGB, upright, for people to look at.
    """

    box: Float32
    landmarks: Float32
    score: float
    embedding: Float32
    crop: Pixels


class Pipeline:
    """A detector and an embedder, loaded. Safe to call from several threads."""

    def __init__(self, detector: Detector, embedder: Embedder, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._detector = detector
        self._embedder = embedder

    def analyse(
        self, images: Sequence[DecodedImage], *, mirrored: bool = False
    ) -> list[list[FoundFace]]:
        """Find and embed every face of every picture, most prominent face first.

        With `mirrored`, an identity embedding is the sum of the face's own and its mirror
        image's, made unit length again: a little more accurate for twice the embedding's cost.
        """
        pictures = [image.pixels for image in images]
        found = self._detector.detect(pictures)
        for index, detections in enumerate(found):
            best = detections.scores.max(initial=0)
            if best < CLEAR_SCORE:
                sideways = self._detect_sideways(pictures[index])
                if sideways.scores.max(initial=0) > best:
                    found[index] = sideways
        found = [_ranked(d, p.shape) for d, p in zip(found, pictures, strict=True)]
        embeddings = self.embed(
            pictures, [d.boxes for d in found], [d.landmarks for d in found], mirrored=mirrored
        )
        return [
            _faces(image, detections, vectors)
            for image, detections, vectors in zip(images, found, embeddings, strict=True)
        ]

    def embed_boxes(self, image: DecodedImage, boxes: Float32) -> list[FoundFace]:
        """The faces in boxes (n, 4) that others gave, in pixels of the upright photo.

        Each is there, in the order of the boxes and with the box as given. Its landmarks and
        score are the detector's; where it sees no face in the box, the landmarks are where they
        usually are and the score is 0.
        """
        if not len(boxes):
            return []
        within = boxes / image.scale
        [found] = self._detector.detect([image.pixels])
        landmarks = np.stack([usual_landmarks(box) for box in within])
        scores = np.zeros(len(within), np.float32)
        shared = overlaps(within, found.boxes)
        for number, row in enumerate(shared):
            if row.max(initial=0) >= _LEAST_OVERLAP:
                landmarks[number] = found.landmarks[row.argmax()]
                scores[number] = found.scores[row.argmax()]
        [vectors] = self.embed([image.pixels], [within], [landmarks])
        return _faces(image, Detections(within, landmarks, scores), vectors)

    def embed(
        self,
        pictures: Sequence[Pixels],
        boxes: Sequence[Float32],
        landmarks: Sequence[Float32],
        *,
        mirrored: bool = False,
    ) -> list[Float32]:
        """Embed known faces of each picture: boxes (n, 4), landmarks (n, 5, 2) in its pixels.

        Returns unit vectors (n, d) for each picture. Embedders of general pictures take no
        mirror image: to them a picture and its mirror image are two different pictures.
        """
        crop = self.spec.crop
        crops = [cut(*of_one, crop) for of_one in zip(pictures, boxes, landmarks, strict=True)]
        together = np.concatenate([*crops, np.zeros((0, crop.size, crop.size, 3), np.uint8)])
        vectors = self._embedder.embed(together)
        if mirrored and self.spec.purpose == "identity":
            vectors = vectors + self._embedder.embed(together[:, :, ::-1])
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ends = np.cumsum([len(of_one) for of_one in crops], dtype=int)
        return np.split(vectors, ends[:-1]) if crops else []

    def _detect_sideways(self, picture: Pixels) -> Detections:
        """Faces of a picture that lies on a side or its head, in the picture's own pixels."""
        turned = [np.ascontiguousarray(np.rot90(picture, turns)) for turns in (1, 2, 3)]
        attempts = [
            _turned_back(_clear(detections, SIDEWAYS_SHARE * max(picture.shape)), turns, picture)
            for turns, detections in enumerate(self._detector.detect(turned), start=1)
        ]
        return max(attempts, key=lambda d: float(d.scores.sum()))


def load(
    *,
    embedder: str,
    detector: str,
    settings: DetectorSettings | None = None,
    device: str = "cpu",
) -> Pipeline:
    """Load a pipeline by the names of its parts; `device` is auto, cpu or cuda.

    Raises KeyError, WeightsError or DeviceUnavailable.
    """
    # Several threads work at once, so that each operation keeps to one core.
    torch.set_num_threads(1)
    spec = embedders.get_spec(embedder)
    chosen = choose_device(device)
    found = detection.load(detector, settings, chosen)
    pipeline = Pipeline(found, embedders.load(spec, chosen), spec)
    blank = np.zeros((160, 160, 3), np.uint8)
    pipeline.analyse([DecodedImage(blank, 160, 160, 1.0, "image/png")])
    return pipeline


def _clear(detections: Detections, smallest: float) -> Detections:
    sides = detections.boxes[:, 2:] - detections.boxes[:, :2]
    chosen = (detections.scores >= SIDEWAYS_SCORE) & (sides.max(axis=1, initial=0) >= smallest)
    return _selected(detections, np.flatnonzero(chosen))


def _ranked(detections: Detections, shape: tuple[int, ...]) -> Detections:
    """Order faces by prominence."""
    weights = prominence(detections.boxes, width=shape[1], height=shape[0])
    return _selected(detections, np.argsort(-weights, kind="stable"))


def _selected(detections: Detections, chosen: NDArray[np.int64]) -> Detections:
    return Detections(
        detections.boxes[chosen], detections.landmarks[chosen], detections.scores[chosen]
    )


def _turned_back(detections: Detections, turns: int, picture: Pixels) -> Detections:
    """Coordinates found on np.rot90(picture, turns), in the picture's own."""
    height, width = picture.shape[:2]

    def back(points: Float32) -> Float32:
        x, y = points[..., 0], points[..., 1]
        if turns == 1:
            x, y = width - 1 - y, x
        elif turns == 2:
            x, y = width - 1 - x, height - 1 - y
        else:
            x, y = y, height - 1 - x
        return np.stack([x, y], axis=-1)

    corners = back(detections.boxes.reshape(-1, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return replace(detections, boxes=boxes, landmarks=back(detections.landmarks))


def _faces(image: DecodedImage, detections: Detections, embeddings: Float32) -> list[FoundFace]:
    limits = np.array([image.width, image.height] * 2, np.float32)
    return [
        FoundFace(
            box=(box * image.scale).clip(0, limits),
            landmarks=points * image.scale,
            score=float(score),
            embedding=embedding,
            crop=portrait(image.pixels, box, points),
        )
        for box, points, score, embedding in zip(
            detections.boxes, detections.landmarks, detections.scores, embeddings, strict=True
        )
    ]


def portrait(picture: Pixels, box: Float32, landmarks: Float32) -> Pixels:
    """A face with a margin, for people to look at, turned by quarters until it is upright."""
    height, width = picture.shape[:2]
    centre = (box[:2] + box[2:]) / 2
    reach = float((box[2:] - box[:2]).max()) * (0.5 + _CROP_MARGIN)
    left, top = (max(int(v), 0) for v in np.floor(centre - reach))
    right, bottom = (int(v) for v in np.ceil(np.minimum(centre + reach, (width, height))))
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    return np.rot90(part, quarter_turns(landmarks))
