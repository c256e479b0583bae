"""From photos to faces with embeddings: the parts together, on photos of real people."""

import functools
import io
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from faceweb.recognition import calibration, detection, pipeline
from faceweb.recognition.embedders import SFACE
from faceweb.recognition.geometry import prominence
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import FoundFace, Pipeline
from tests.faces import photo

QUARTERS = {90: 1, 180: 2, 270: 3}
THRESHOLDS = calibration.shipped(SFACE.slug, SFACE.version).thresholds(
    match_fmr=1e-4, possible_fmr=1e-3
)


@functools.cache
def loaded() -> Pipeline:
    return pipeline.load(embedder="sface", detector="mtcnn")


@functools.cache
def decoded(name: str) -> DecodedImage:
    return decode(photo(name).read_bytes())


@functools.cache
def only_face(name: str) -> FoundFace:
    [[face]] = loaded().analyse([decoded(name)])
    return face


def as_image(pixels: np.ndarray) -> DecodedImage:
    """The picture after a trip through a file without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return decode(buffer.getvalue())


def portrait(name: str, height: int) -> np.ndarray:
    """A square around the face of a portrait, at some height."""
    x1, y1, x2, y2 = only_face(name).box
    reach = int(0.8 * (y2 - y1))
    column, row = int((x1 + x2) / 2), int((y1 + y2) / 2)
    pixels = decoded(name).pixels
    part = pixels[max(row - reach, 0) : row + reach, max(column - reach, 0) : column + reach]
    return cv2.resize(part, (height, height), interpolation=cv2.INTER_AREA)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    size = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(size.clip(0).prod())
    return shared / float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)


def similarity(one: FoundFace, other: FoundFace) -> float:
    return float(one.embedding @ other.embedding)


def is_within(face: FoundFace, image: DecodedImage) -> bool:
    x1, y1, x2, y2 = face.box
    return bool(0 <= x1 < x2 <= image.width and 0 <= y1 < y2 <= image.height)


# --- faces and who they are ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"])
def test_a_portrait_has_one_face_with_everything_known_of_it(name):
    [faces] = loaded().analyse([decoded(name)])
    assert len(faces) == 1
    [face] = faces
    assert is_within(face, decoded(name))
    assert face.landmarks.shape == (5, 2)
    assert 0.9 < face.score <= 1
    assert face.embedding.shape == (loaded().spec.dimension,)
    assert face.embedding.dtype == np.float32
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert face.crop.dtype == np.uint8
    assert face.crop.shape[2] == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [("obama.jpg", "obama2.jpg"), ("obama.jpg", "obama3.jpg"), ("obama2.jpg", "obama3.jpg")],
)
def test_photos_of_one_man_match(one, other):
    threshold = THRESHOLDS.match
    assert similarity(only_face(one), only_face(other)) > threshold


@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "obama3.jpg"])
def test_photos_of_two_men_do_not_even_possibly_match(name):
    threshold = THRESHOLDS.possible
    assert similarity(only_face(name), only_face("biden.jpg")) < threshold


def test_the_six_people_of_a_group_are_six_different_people():
    [faces] = loaded().analyse([decoded("group.jpg")])
    assert len(faces) == 6
    embeddings = np.stack([face.embedding for face in faces])
    others = embeddings @ embeddings.T - np.eye(6)
    assert others.max() < THRESHOLDS.match


@pytest.mark.parametrize("name", ["obama_partial_face.jpg", "obama_partial_face2.jpg"])
def test_the_box_of_a_face_that_is_cut_off_stays_within_the_photo(name):
    [faces] = loaded().analyse([decoded(name)])
    assert len(faces) == 1
    assert is_within(faces[0], decoded(name))
    assert faces[0].crop.size > 0
    assert similarity(faces[0], only_face("obama.jpg")) > THRESHOLDS.possible


# --- what is given, and in which order ----------------------------------------------------------


def test_no_images_give_no_results():
    assert loaded().analyse([]) == []


@pytest.mark.parametrize("size", [(400, 300), (1, 1), (2, 900)])
def test_a_black_picture_has_no_face(size):
    assert loaded().analyse([as_image(np.zeros((*size, 3), np.uint8))]) == [[]]


def test_a_mixed_batch_gives_each_picture_its_own_faces_in_order():
    black = as_image(np.zeros((200, 100, 3), np.uint8))
    images = [black, decoded("obama.jpg"), decoded("group.jpg"), black, decoded("biden.jpg")]
    results = loaded().analyse(images)
    assert [len(faces) for faces in results] == [0, 1, 6, 0, 1]
    assert similarity(results[1][0], only_face("obama.jpg")) > 0.999
    assert similarity(results[4][0], only_face("biden.jpg")) > 0.999
    [alone] = loaded().analyse([decoded("group.jpg")])
    for one, other in zip(results[2], alone, strict=True):
        assert overlap(one.box, other.box) > 0.98
        assert similarity(one, other) > 0.999


def test_several_threads_find_what_one_finds():
    names = ["obama.jpg", "biden.jpg", "obama2.jpg", "obama3.jpg"]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda name: loaded().analyse([decoded(name)]), names))
    for name, [[face]] in zip(names, results, strict=True):
        assert similarity(face, only_face(name)) > 0.999


@pytest.mark.parametrize("large", ["obama.jpg", "biden.jpg"])
def test_a_larger_face_comes_before_a_smaller_one(large):
    small = "biden.jpg" if large == "obama.jpg" else "obama.jpg"
    canvas = np.full((500, 1000, 3), 90, np.uint8)
    canvas[50:450, 60:460] = portrait(large, 400)
    canvas[150:350, 640:840] = portrait(small, 200)
    [faces] = loaded().analyse([as_image(canvas)])
    assert len(faces) == 2
    assert similarity(faces[0], only_face(large)) > THRESHOLDS.match
    assert similarity(faces[1], only_face(small)) > THRESHOLDS.match


@pytest.mark.parametrize("middle", ["obama.jpg", "biden.jpg"])
def test_a_face_in_the_middle_comes_before_an_equal_one_in_a_corner(middle):
    corner = "biden.jpg" if middle == "obama.jpg" else "obama.jpg"
    canvas = np.full((900, 900, 3), 90, np.uint8)
    canvas[310:590, 310:590] = portrait(middle, 280)
    canvas[:280, :280] = portrait(corner, 280)
    [faces] = loaded().analyse([as_image(canvas)])
    assert len(faces) == 2
    assert similarity(faces[0], only_face(middle)) > THRESHOLDS.match


def test_prominence_grows_with_area_and_falls_towards_the_edge():
    boxes = np.array([[40, 40, 60, 60], [35, 35, 65, 65], [0, 0, 20, 20], [20, 40, 40, 60]])
    middle, larger, corner, aside = prominence(boxes.astype(np.float32), width=100, height=100)
    assert larger > middle > aside > corner > 0


def test_prominence_of_no_boxes_is_empty():
    assert prominence(np.zeros((0, 4), np.float32), width=10, height=10).shape == (0,)


# --- photos that lie on their side --------------------------------------------------------------


@pytest.mark.parametrize("degrees", QUARTERS)
@pytest.mark.parametrize("name", ["obama.jpg", "biden.jpg"])
def test_a_turned_photo_without_exif_gives_the_same_face(name, degrees):
    turns = QUARTERS[degrees]
    upright = decoded(name).pixels
    image = as_image(np.ascontiguousarray(np.rot90(upright, turns)))
    [faces] = loaded().analyse([image])
    assert len(faces) == 1
    [face] = faces
    assert is_within(face, image)
    assert similarity(face, only_face(name)) > THRESHOLDS.match
    assert overlap(face.box, turned_box(only_face(name).box, turns, upright.shape)) > 0.8


@pytest.mark.parametrize("degrees", QUARTERS)
def test_the_crop_of_a_turned_photo_is_upright(degrees):
    turned = np.ascontiguousarray(np.rot90(decoded("obama.jpg").pixels, QUARTERS[degrees]))
    [[face]] = loaded().analyse([as_image(turned)])
    expected = only_face("obama.jpg").crop
    small = [
        cv2.cvtColor(cv2.resize(np.ascontiguousarray(crop), (48, 48)), cv2.COLOR_RGB2GRAY).ravel()
        for crop in (face.crop, expected)
    ]
    assert np.corrcoef(small)[0, 1] > 0.9


def turned_box(box: np.ndarray, turns: int, shape: tuple[int, ...]) -> np.ndarray:
    """Where a box of a picture is after np.rot90(picture, turns)."""
    height, width = shape[:2]
    corners = box.reshape(2, 2)
    for _ in range(turns):
        corners = np.stack([corners[:, 1], width - corners[:, 0]], axis=1)
        width, height = height, width
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


# --- photos decoded at a smaller scale ----------------------------------------------------------


@pytest.mark.parametrize("working_side", [950, 700])
@pytest.mark.parametrize(("name", "count"), [("obama2.jpg", 1), ("biden.jpg", 1), ("group.jpg", 6)])
def test_boxes_are_in_pixels_of_the_photo_when_it_was_decoded_smaller(name, count, working_side):
    small = decode(photo(name).read_bytes(), working_side=working_side)
    full = decoded(name)
    assert max(small.pixels.shape) == working_side
    assert (small.width, small.height) == (full.width, full.height)
    [from_small], [from_full] = loaded().analyse([small]), loaded().analyse([full])
    assert len(from_small) == len(from_full) == count
    for face in from_small:
        assert is_within(face, full)
        same = max(from_full, key=lambda other: overlap(other.box, face.box))
        assert overlap(same.box, face.box) > 0.75
        width = same.box[2] - same.box[0]
        assert np.abs(same.landmarks - face.landmarks).max() < 0.2 * width
        assert similarity(same, face) > THRESHOLDS.match


def test_the_crop_shows_the_face_with_some_surroundings():
    face = only_face("obama.jpg")
    [found] = detection.load("mtcnn").detect([np.ascontiguousarray(face.crop)])
    assert len(found) == 1
    x1, y1, x2, y2 = found.boxes[0]
    height, width = face.crop.shape[:2]
    assert 0 < x1 < x2 < width
    assert 0 <= y1 < y2 < height
    assert 0.4 < (y2 - y1) / height < 0.9


# --- loading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("embedder", "detector"), [("nonesuch", "mtcnn"), ("sface", "nonesuch")])
def test_an_unknown_part_is_refused_by_name(embedder, detector):
    with pytest.raises(KeyError, match="nonesuch"):
        pipeline.load(embedder=embedder, detector=detector)


def test_what_counts_as_a_face_can_be_set():
    strict = detection.DetectorSettings(min_face=600)
    choosy = pipeline.load(embedder="sface", detector="mtcnn", settings=strict)
    assert choosy.analyse([decoded("group.jpg")]) == [[]]
