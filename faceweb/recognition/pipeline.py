"""From decoded pictures to faces with embeddings: detect, align, embed, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceweb.recognition import detection, embedders, quality, sideways
from faceweb.recognition.alignment import cut
from faceweb.recognition.detection import Detections, Detector, DetectorSettings
from faceweb.recognition.drawn import face_in_box
from faceweb.recognition.embedders import Embedder, EmbedderSpec
from faceweb.recognition.engine import choose_device
from faceweb.recognition.geometry import Crop, prominence, quarter_turns
from faceweb.recognition.images import DecodedImage
from faceweb.recognition.quality import Quality

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# A face's crop for people to look at: the box with this share of its side added all round.
_CROP_MARGIN = 0.35


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One face. Coordinates are pixels of the upright photo.

    `box` (4,): x1, y1, x2, y2 within the photo. `landmarks` (5, 2): left eye, right eye, nose,
    left and right mouth corner, as seen. `score`: the detector's, 0 to 1. `embedding` (d,):
    float32, unit length. `crop`: uint8 (h, w, 3) RGB, upright, for people to look at.
    `quality`: 0 to 1, and `quality_reasons` are the codes of what is wrong, worst first.
    """

    box: Float32
    landmarks: Float32
    score: float
    embedding: Float32
    crop: Pixels
    quality: float
    quality_reasons: tuple[str, ...]


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
        found = sideways.detect(self._detector, pictures)
        found = [_ranked(d, p.shape) for d, p in zip(found, pictures, strict=True)]
        return self._embedded(images, found, mirrored=mirrored)

    def embed_boxes(self, image: DecodedImage, boxes: Float32) -> list[FoundFace]:
        """The faces in boxes (n, 4) that people drew, in pixels of the upright photo.

        Each is there, in the order of the boxes and with the box as drawn. The score is what
        the detector gives the face when it looks at the box alone, 0 if it sees none.
        """
        if not len(boxes):
            return []
        faces = [face_in_box(image.pixels, box / image.scale, self._detector) for box in boxes]
        together = Detections(
            np.concatenate([face.boxes for face in faces]),
            np.concatenate([face.landmarks for face in faces]),
            np.concatenate([face.scores for face in faces]),
        )
        return self._embedded([image], [together], mirrored=False)[0]

    def _embedded(
        self, images: Sequence[DecodedImage], found: Sequence[Detections], *, mirrored: bool
    ) -> list[list[FoundFace]]:
        """Align and embed what was found in each picture, in its pixels."""
        pictures = [image.pixels for image in images]
        crops = _crops(pictures, found, self.spec.crop)
        embeddings = self._embeddings(crops, mirrored=mirrored)
        judged = judge(pictures, found, crops=crops if self.spec.crop == quality.CROP else None)
        return [_faces(*one) for one in zip(images, found, embeddings, judged, strict=True)]

    def embed(self, picture: Pixels, faces: Detections) -> Float32:
        """Embed faces whose places in a picture are known, as unit vectors (n, d)."""
        return self._embeddings(_crops([picture], [faces], self.spec.crop), mirrored=False)[0]

    def _embeddings(self, crops: Sequence[Pixels], *, mirrored: bool) -> list[Float32]:
        """Embed the crops of each picture.

        Embedders of general pictures take no mirror image: to them a picture and its mirror image
        are two different pictures.
        """
        size = self.spec.crop.size
        together = np.concatenate([*crops, np.zeros((0, size, size, 3), np.uint8)])
        vectors = self._embedder.embed(together)
        if mirrored and self.spec.purpose == "identity":
            vectors = vectors + self._embedder.embed(together[:, :, ::-1])
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ends = np.cumsum([len(of_one) for of_one in crops], dtype=int)
        return np.split(vectors, ends)[:-1]


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
    cv2.setNumThreads(1)
    spec = embedders.get_spec(embedder)
    chosen = choose_device(device)
    found = detection.load(detector, settings, chosen)
    pipeline = Pipeline(found, embedders.load(spec, chosen), spec)
    blank = np.zeros((160, 160, 3), np.uint8)
    pipeline.analyse([DecodedImage(blank, 160, 160, 1.0, "image/png")])
    return pipeline


def judge(
    pictures: Sequence[Pixels], found: Sequence[Detections], *, crops: list[Pixels] | None = None
) -> list[list[Quality]]:
    """The quality of the faces that were found in each picture.

    `crops` are those of each picture's faces, if they are aligned as quality needs them already.
    """
    if crops is None:
        crops = _crops(pictures, found, quality.CROP)
    counts = [len(detections) for detections in found]
    if not sum(counts):
        return [[] for _ in found]
    sizes = [(picture.shape[1], picture.shape[0]) for picture in pictures]
    qualities = iter(
        quality.assess(
            np.concatenate(crops),
            np.concatenate([detections.boxes for detections in found]),
            np.concatenate([detections.landmarks for detections in found]),
            np.concatenate([detections.scores for detections in found]),
            np.repeat(np.array(sizes, np.float32), counts, axis=0),
        )
    )
    return [list(islice(qualities, count)) for count in counts]


def _ranked(detections: Detections, shape: tuple[int, ...]) -> Detections:
    """Order faces by prominence."""
    weights = prominence(detections.boxes, width=shape[1], height=shape[0])
    return detections.chosen(np.argsort(-weights, kind="stable"))


def _faces(
    image: DecodedImage, detections: Detections, embeddings: Float32, qualities: list[Quality]
) -> list[FoundFace]:
    limits = np.array([image.width, image.height] * 2, np.float32)
    return [
        FoundFace(
            box=(box * image.scale).clip(0, limits),
            landmarks=points * image.scale,
            score=float(score),
            embedding=embedding,
            crop=portrait(image.pixels, box, points),
            quality=judged.score,
            quality_reasons=judged.reasons,
        )
        for box, points, score, embedding, judged in zip(
            detections.boxes,
            detections.landmarks,
            detections.scores,
            embeddings,
            qualities,
            strict=True,
        )
    ]


def _crops(pictures: Sequence[Pixels], found: Sequence[Detections], crop: Crop) -> list[Pixels]:
    """The crops of the faces that were found in each picture, uint8 (n, size, size, 3)."""
    return [
        cut(picture, each.boxes, each.landmarks, crop)
        for picture, each in zip(pictures, found, strict=True)
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
