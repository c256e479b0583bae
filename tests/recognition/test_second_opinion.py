"""Doubtful faces are faces if another detector sees them too."""

import numpy as np
import pytest

from faceweb.recognition import detection
from faceweb.recognition.detection import Detections, DetectorSettings, second_opinion
from faceweb.recognition.images import decode
from tests.faces import photo

SETTINGS = DetectorSettings(min_score=0.8)


class Finder:
    """Finds the same boxes in every picture."""

    def __init__(self, boxes, scores) -> None:
        self._boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self._scores = np.array(scores, np.float32)

    def detect(self, pictures, *, least_share=0.0):
        count = len(self._boxes)
        landmarks = np.arange(count * 10, dtype=np.float32).reshape(count, 5, 2)
        return [Detections(self._boxes, landmarks, self._scores) for _ in pictures]


@pytest.fixture(scope="module")
def detector():
    return second_opinion.load(SETTINGS, "cpu")


@pytest.fixture(scope="module")
def picture():
    return decode(photo("obama.jpg").read_bytes()).pixels


@pytest.fixture(scope="module")
def face(detector, picture):
    [found] = detector.detect([picture])
    return found.boxes[0]


def kept(detector, monkeypatch, picture, boxes, scores) -> list[int]:
    """Which of the boxes that MTCNN gives these scores are kept."""
    finder = Finder(boxes, scores)
    monkeypatch.setattr(detector, "_finder", finder)
    [all_of_them], [found] = finder.detect([picture]), detector.detect([picture])
    rows = all_of_them.landmarks[:, 0, 0].tolist()
    return [rows.index(first) for first in found.landmarks[:, 0, 0].tolist()]


@pytest.mark.parametrize("score", [0.5, 0.7, 0.9])
def test_a_doubtful_face_that_both_see_is_one(detector, monkeypatch, picture, face, score):
    assert kept(detector, monkeypatch, picture, [face], [score]) == [0]


@pytest.mark.parametrize(("score", "is_kept"), [(0.6, False), (0.94, False), (0.951, True)])
def test_what_only_one_sees_must_be_clear(detector, monkeypatch, picture, score, is_kept):
    tie = [380, 950, 480, 1050]
    assert kept(detector, monkeypatch, picture, [tie], [score]) == [0] * is_kept


def test_the_others_keep_their_order_and_their_landmarks(detector, monkeypatch, picture, face):
    boxes = [face, [380, 950, 480, 1050], face + 3, [10, 10, 60, 60]]
    assert kept(detector, monkeypatch, picture, boxes, [0.99, 0.9, 0.7, 0.6]) == [0, 2]
    assert kept(detector, monkeypatch, picture, [], []) == []


def test_a_face_beside_the_box_says_nothing_about_the_box(detector, monkeypatch, picture, face):
    side = face[2] - face[0]
    beside = face + np.array([side, 0, side, 0], np.float32)
    assert kept(detector, monkeypatch, picture, [beside], [0.9]) == []


@pytest.mark.parametrize(
    "box", [[-60, -50, 60, 70], [880, 1100, 950, 1170], [-900, -900, 2000, 2000],
            [2000, 2000, 2100, 2100], [940, 300, 964, 324],
            [300, 1160, 324, 1184], [100, 100, 100, 100], [300, 300, 301, 301]],
)  # fmt: skip
def test_boxes_anywhere_can_be_looked_at(detector, monkeypatch, picture, box):
    assert kept(detector, monkeypatch, picture, [box], [0.6]) == []


@pytest.mark.parametrize("scale", [1, 4])
def test_faces_are_seen_at_every_size(detector, monkeypatch, picture, face, scale):
    small = np.ascontiguousarray(picture[::scale, ::scale])
    assert kept(detector, monkeypatch, small, [face / scale], [0.5]) == [0]


def test_the_registry_asks_for_a_second_opinion(picture):
    loaded = detection.load("mtcnn")
    assert isinstance(loaded, second_opinion.SecondOpinion)
    assert [len(found) for found in loaded.detect([picture, picture])] == [1, 1]
