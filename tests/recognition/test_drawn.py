"""Faces in boxes that people drew, and boxes on turned and compared pictures."""

from dataclasses import replace

import numpy as np
import pytest

from faceweb import runtime
from faceweb.recognition.geometry import containment, overlaps, turned, turned_boxes
from faceweb.recognition.images import DecodedImage, decode
from tests.faces import photo


@pytest.fixture(scope="module")
def obama() -> DecodedImage:
    return decode(photo("obama.jpg").read_bytes())


def test_a_drawn_box_gives_the_face_that_the_detector_would_find(obama) -> None:
    pipeline = runtime.pipeline()
    found = pipeline.analyse([obama])[0][0]
    width, height = found.box[2:] - found.box[:2]
    loose = found.box + np.array([-0.3 * width, -0.3 * height, 0.25 * width, 0.1 * height])
    drawn = pipeline.embed_boxes(obama, np.array([loose, found.box], np.float32))
    assert len(drawn) == 2
    assert drawn[0].box == pytest.approx(loose.clip(0), abs=0.01)
    for face in drawn:
        assert face.embedding @ found.embedding > 0.95
        assert face.score > 0.9
        assert np.abs(face.landmarks - found.landmarks).max() < 0.1 * width


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_that_lies_in_its_box_is_set_upright(obama, turns: int) -> None:
    pipeline = runtime.pipeline()
    found = pipeline.analyse([obama])[0][0]
    lying = replace(
        obama, pixels=np.ascontiguousarray(np.rot90(obama.pixels, turns)),
        width=obama.height if turns % 2 else obama.width,
        height=obama.width if turns % 2 else obama.height,
    )  # fmt: skip
    box = turned_boxes(found.box[None], turns, width=obama.width, height=obama.height)
    face = pipeline.embed_boxes(lying, box)[0]
    assert face.embedding @ found.embedding > 0.95
    expected = turned(found.landmarks, turns, width=obama.width, height=obama.height)
    assert np.abs(face.landmarks - expected).max() < 0.06 * obama.width
    crop_of_upright = pipeline.embed_boxes(obama, found.box[None])[0].crop.astype(int)
    assert np.abs(face.crop.astype(int) - crop_of_upright).mean() < 12


def test_where_the_detector_sees_no_face_the_box_is_centred() -> None:
    pixels = np.full((200, 300, 3), 90, np.uint8)
    image = DecodedImage(pixels, 600, 400, 2.0, "image/png")
    box = np.array([100, 60, 200, 190], np.float32)
    face = runtime.pipeline().embed_boxes(image, box[None])[0]
    assert face.score == 0
    assert face.box == pytest.approx(box)
    eyes, nose, mouth = face.landmarks[:2], face.landmarks[2], face.landmarks[3:]
    assert eyes[:, 1].max() < nose[1] < mouth[:, 1].min()
    assert nose[0] == pytest.approx(150)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("box", [(0, 0, 12, 12), (588, 388, 600, 400), (-40, -40, 700, 500)])
def test_boxes_at_the_edges_are_looked_at_too(box) -> None:
    image = DecodedImage(np.full((200, 300, 3), 90, np.uint8), 600, 400, 2.0, "image/png")
    face = runtime.pipeline().embed_boxes(image, np.array([box], np.float32))[0]
    assert face.crop.size and np.isfinite(face.embedding).all()


def test_no_boxes_no_faces(obama) -> None:
    assert runtime.pipeline().embed_boxes(obama, np.zeros((0, 4), np.float32)) == []


@pytest.mark.parametrize("turns", range(-3, 5))
def test_turning_is_what_rot90_does(turns: int) -> None:
    picture = np.zeros((30, 50), np.uint8)
    picture[4:9, 6:20] = 1
    rows, columns = np.nonzero(np.rot90(picture, turns))
    box = turned_boxes(np.array([[6, 4, 20, 9]], np.float32), turns, width=50, height=30)[0]
    assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_overlap_and_containment() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 5, 10]], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert overlaps(boxes, others) == pytest.approx(np.array([[1, 1 / 3, 0], [0.5, 0, 0]]))
    assert containment(boxes, others) == pytest.approx(np.array([[1, 0.5, 0], [1, 0, 0]]))
    assert overlaps(boxes, np.zeros((0, 4), np.float32)).shape == (2, 0)
