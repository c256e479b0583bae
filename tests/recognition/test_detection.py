"""What every detector promises, and MTCNN beside the implementation it stands in for."""

import functools
import importlib
import importlib.util
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from faceweb.recognition import detection
from faceweb.recognition.detection import Detections, DetectorSettings, mtcnn, yunet
from faceweb.recognition.images import decode
from tests.faces import photo

CLEAR = 0.95
WHOLE_FACES = {"obama.jpg": 1, "obama2.jpg": 1, "obama3.jpg": 1, "biden.jpg": 1, "group.jpg": 6}
CUT_FACES = ("obama_partial_face.jpg", "obama_partial_face2.jpg")

every_detector = pytest.mark.parametrize("slug", detection.slugs())


@functools.cache
def loaded(slug: str, settings: DetectorSettings | None = None) -> detection.Detector:
    return detection.load(slug, settings)


@functools.cache
def pixels(name: str) -> np.ndarray:
    return decode(photo(name).read_bytes()).pixels


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def check_shapes(found: Detections) -> None:
    count = len(found)
    assert found.boxes.shape == (count, 4)
    assert found.landmarks.shape == (count, 5, 2)
    assert found.scores.shape == (count,)
    for array in (found.boxes, found.landmarks, found.scores):
        assert array.dtype == np.float32


def check_same(one: Detections, other: Detections) -> None:
    assert len(one) == len(other)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0.5)
    np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.5)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-3)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    size = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(size.clip(0).prod())
    areas = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod())
    return shared / (areas - shared)


# --- every detector -----------------------------------------------------------------------------


def test_an_unknown_detector_is_named_with_those_that_exist():
    with pytest.raises(KeyError, match=r"nonesuch.*mtcnn"):
        detection.load("nonesuch")


@every_detector
def test_no_pictures_give_no_results(slug):
    assert loaded(slug).detect([]) == []


@every_detector
@pytest.mark.parametrize("size", [(1, 1), (11, 11), (12, 12), (23, 23), (3, 700), (700, 3)])
def test_pictures_smaller_than_a_face_hold_none(slug, size):
    [found] = loaded(slug).detect([noise(*size)])
    check_shapes(found)
    assert len(found) == 0


@every_detector
@pytest.mark.parametrize("shade", [0, 127, 255])
def test_blank_pictures_hold_no_face(slug, shade):
    [found] = loaded(slug).detect([np.full((300, 200, 3), shade, np.uint8)])
    check_shapes(found)
    assert len(found) == 0


@every_detector
@pytest.mark.parametrize(("name", "count"), WHOLE_FACES.items())
def test_every_whole_face_is_found_and_nothing_else(slug, name, count):
    [found] = loaded(slug).detect([pixels(name)])
    check_shapes(found)
    assert len(found) == count


@every_detector
@pytest.mark.parametrize("name", WHOLE_FACES)
def test_scores_are_shares_and_the_best_comes_first(slug, name):
    [found] = loaded(slug).detect([pixels(name)])
    assert ((found.scores > 0) & (found.scores <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()


@every_detector
@pytest.mark.parametrize("name", WHOLE_FACES)
def test_landmarks_lie_in_the_box_where_eyes_nose_and_mouth_are(slug, name):
    [found] = loaded(slug).detect([pixels(name)])
    for box, points in zip(found.boxes, found.landmarks, strict=True):
        slack = 0.05 * (box[2:] - box[:2])
        assert ((points >= box[:2] - slack) & (points <= box[2:] + slack)).all()
        left_eye, right_eye, nose, left_mouth, right_mouth = points
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@every_detector
def test_pictures_of_many_sizes_in_one_call_give_what_each_gives_alone(slug):
    group = pixels("group.jpg")
    pictures = [
        pixels("obama.jpg"),
        np.zeros((200, 300, 3), np.uint8),
        group,
        noise(5, 9),
        np.ascontiguousarray(group[:, ::-1]),
        pixels("biden.jpg"),
    ]
    together = loaded(slug).detect(pictures)
    assert [len(found) for found in together] == [1, 0, 6, 0, 6, 1]
    for picture, found in zip(pictures, together, strict=True):
        [alone] = loaded(slug).detect([picture])
        check_same(alone, found)


@every_detector
def test_a_view_into_another_picture_is_read_as_it_looks(slug):
    mirrored = pixels("obama.jpg")[:, ::-1]
    [from_view] = loaded(slug).detect([mirrored])
    [from_copy] = loaded(slug).detect([np.ascontiguousarray(mirrored)])
    assert len(from_copy) == 1
    check_same(from_view, from_copy)


@every_detector
def test_detecting_leaves_the_picture_alone(slug):
    picture = pixels("group.jpg").copy()
    loaded(slug).detect([picture])
    assert (picture == pixels("group.jpg")).all()


@every_detector
def test_several_threads_find_what_one_finds(slug):
    names = ["obama.jpg", "group.jpg", "biden.jpg", "obama2.jpg"] * 2
    detector = loaded(slug)
    alone = [detector.detect([pixels(name)])[0] for name in names]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda name: detector.detect([pixels(name)])[0], names))
    for one, other in zip(alone, together, strict=True):
        check_same(one, other)


@every_detector
def test_boxes_are_in_pixels_of_the_picture_even_if_it_is_searched_at_a_smaller_size(slug):
    large = cv2.resize(pixels("obama.jpg"), None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    [small_found] = loaded(slug).detect([pixels("obama.jpg")])
    [large_found] = loaded(slug).detect([large])
    assert len(large_found) == 1
    assert overlap(small_found.boxes[0] * 2.5, large_found.boxes[0]) > 0.85


@every_detector
@pytest.mark.parametrize(
    "settings",
    [DetectorSettings(min_face=300), DetectorSettings(min_face_share=0.25)],
    ids=["pixels", "share"],
)
def test_faces_smaller_than_asked_for_are_left_out(slug, settings):
    # The six faces are about 100 to 140 pixels, a tenth of the picture.
    [found] = loaded(slug, settings).detect([pixels("group.jpg")])
    assert len(found) == 0


@pytest.mark.parametrize("alone", [mtcnn, yunet])
def test_faces_below_the_least_score_are_left_out(alone):
    [every] = alone.load(DetectorSettings(), "cpu").detect([pixels("group.jpg")])
    between = float(every.scores[2:4].mean())
    settings = DetectorSettings(min_score=between)
    [best] = alone.load(settings, "cpu").detect([pixels("group.jpg")])
    assert len(best) == int((every.scores > between).sum())
    assert 0 < len(best) < len(every)


# --- MTCNN beside facenet-pytorch ---------------------------------------------------------------


def batched_nms(boxes, scores, groups, threshold):
    """What torchvision.ops.boxes.batched_nms does: suppression by IoU within each group."""
    if not len(boxes):
        return torch.zeros(0, dtype=torch.int64)
    boxes = boxes + (groups.to(boxes) * (boxes.max() + 1))[:, None]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    order, keep = scores.argsort(descending=True), []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(best)
        top_left = torch.maximum(boxes[order, :2], boxes[best, :2])
        bottom_right = torch.minimum(boxes[order, 2:], boxes[best, 2:])
        shared = (bottom_right - top_left).clamp(min=0).prod(1)
        order = order[shared / (areas[order] + areas[best] - shared) <= threshold]
    return torch.stack(keep)


@functools.cache
def reference_class() -> type:
    """facenet_pytorch's MTCNN, imported without torchvision, of which it needs one function."""
    spec = importlib.util.find_spec("facenet_pytorch")
    assert spec is not None
    names = ("torchvision", "torchvision.ops", "torchvision.ops.boxes",
             "torchvision.transforms", "torchvision.transforms.functional")  # fmt: skip
    stand_ins = {name: types.ModuleType(name) for name in (*names, "facenet_pytorch")}
    stand_ins["torchvision.ops.boxes"].batched_nms = batched_nms
    stand_ins["torchvision.transforms"].functional = stand_ins[names[-1]]
    # A bare package in place of its __init__, which imports networks and downloads we don't need.
    stand_ins["facenet_pytorch"].__path__ = list(spec.submodule_search_locations)
    before = dict(sys.modules)
    sys.modules.update(stand_ins)
    try:
        return importlib.import_module("facenet_pytorch.models.mtcnn").MTCNN
    finally:
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in ("torchvision", "facenet_pytorch"):
                del sys.modules[name]
        sys.modules.update({name: before[name] for name in stand_ins if name in before})


def reference(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and landmarks of the reference's clear faces, for faces of the same least size."""
    settings = DetectorSettings()
    longest = max(picture.shape)
    reduction = max(1.0, longest / settings.longest_side)
    smallest = max(settings.min_face * reduction, settings.min_face_share * longest)
    mtcnn = reference_class()(keep_all=True, min_face_size=smallest)
    boxes, scores, points = mtcnn.detect(picture, landmarks=True)
    clear = scores.astype(float) > CLEAR
    return boxes[clear].astype(float), points[clear].astype(float)


def test_importing_the_reference_leaves_no_trace():
    reference_class()
    assert not [n for n in sys.modules if n.startswith(("facenet_pytorch", "torchvision"))]


@pytest.mark.parametrize("name", [*WHOLE_FACES, *CUT_FACES])
def test_mtcnn_finds_the_clear_faces_of_the_reference_and_no_others(name):
    [found] = loaded("mtcnn").detect([pixels(name)])
    boxes, _ = reference(pixels(name))
    assert len(boxes) > 0
    mine = found.boxes[found.scores > CLEAR]
    overlaps = np.array([[overlap(one, other) for other in mine] for one in boxes])
    assert len(mine) == len(boxes)
    assert (overlaps.max(axis=1) >= 0.7).all()
    assert sorted(overlaps.argmax(axis=1)) == list(range(len(mine)))


@pytest.mark.parametrize("name", WHOLE_FACES)
def test_mtcnn_puts_landmarks_where_the_reference_does(name):
    [found] = loaded("mtcnn").detect([pixels(name)])
    boxes, points = reference(pixels(name))
    for box, expected in zip(boxes, points, strict=True):
        nearest = found.landmarks[np.argmax([overlap(box, other) for other in found.boxes])]
        distances = np.linalg.norm(nearest - expected, axis=1)
        assert distances.max() < 0.08 * (box[2] - box[0])
