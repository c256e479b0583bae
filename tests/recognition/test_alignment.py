"""Faces are brought to the template by rotation, scale and shift alone."""

import cv2
import numpy as np
import pytest

from faceweb.recognition.alignment import align, similarity_transform
from faceweb.recognition.embedders import SFACE

TEMPLATE = np.array(SFACE.crop.template, np.float32)
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)], np.uint8)


def similarity(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.concatenate([scale * rotation, np.array(shift)[:, None]], axis=1).astype(np.float32)


def moved(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    return (points @ transform[:, :2].T + transform[:, 2]).astype(np.float32)


def picture_with_landmarks(points: np.ndarray, radius: float, size: int) -> np.ndarray:
    """A grey picture with a disc of its own colour at each landmark."""
    picture = np.full((size, size, 3), 60, np.uint8)
    for (x, y), colour in zip(points, COLOURS.tolist(), strict=True):
        centre = (round(float(x) * 256), round(float(y) * 256))
        cv2.circle(picture, centre, round(radius * 256), colour, -1, cv2.LINE_AA, shift=8)
    return picture


def centres(crop: np.ndarray) -> np.ndarray:
    """Where the five discs are: the middles of the pixels that are near each colour."""
    found = []
    for colour in COLOURS.astype(int):
        distance = np.abs(crop.astype(int) - colour).max(axis=2)
        rows, columns = np.nonzero(distance < 90)
        assert len(rows), "a landmark is missing"
        found.append((columns.mean(), rows.mean()))
    return np.array(found)


# --- similarity_transform -----------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 17, 90, 135, 180, -60])
@pytest.mark.parametrize("scale", [0.1, 1.0, 12.5])
def test_a_known_rotation_scale_and_shift_are_recovered(degrees, scale):
    expected = similarity(degrees, scale, (40.0, -300.0))
    result = similarity_transform(TEMPLATE, moved(TEMPLATE, expected))
    assert result.shape == (2, 3)
    np.testing.assert_allclose(result, expected, atol=2e-3 * max(1, scale))


def test_points_that_fit_only_roughly_get_the_closest_similarity():
    random = np.random.default_rng(4)
    target = moved(TEMPLATE, similarity(20, 2, (5, 6))) + random.normal(0, 2, (5, 2))
    target = target.astype(np.float32)
    best = similarity_transform(TEMPLATE, target)
    error = ((moved(TEMPLATE, best) - target) ** 2).sum()
    for _ in range(200):
        a, b = best[0, 0] + random.normal(0, 0.05), best[1, 0] + random.normal(0, 0.05)
        other = np.array([[a, -b, 0], [b, a, 0]], np.float32)
        other[:, 2] = (target - moved(TEMPLATE, other)).mean(axis=0)
        assert ((moved(TEMPLATE, other) - target) ** 2).sum() >= error - 1e-3


def test_nothing_is_sheared_or_mirrored_even_where_mirroring_would_fit_better():
    mirrored = TEMPLATE * np.array([-1, 1], np.float32)
    result = similarity_transform(TEMPLATE, mirrored)[:, :2]
    assert np.linalg.det(result) > 0
    np.testing.assert_allclose(result[0, 0], result[1, 1], atol=1e-5)
    np.testing.assert_allclose(result[0, 1], -result[1, 0], atol=1e-5)


def test_points_that_all_coincide_give_numbers_and_no_error():
    assert np.isfinite(similarity_transform(np.ones((5, 2), np.float32), TEMPLATE)).all()


# --- align --------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 25, -90, 180])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.9, 2.1, 5.0, 10.0])
def test_landmarks_land_on_the_template(degrees, scale):
    size = round(260 * scale)
    middle = moved(np.array([[56.0, 72.0]]), similarity(degrees, scale, (0, 0)))[0]
    transform = similarity(degrees, scale, tuple(size / 2 - middle))
    points = moved(TEMPLATE, transform)
    picture = picture_with_landmarks(points, 5 * scale, size)
    [crop] = align(picture, points[None], SFACE.crop.template, 112)
    assert np.abs(centres(crop) - TEMPLATE).max() < 0.6


def test_crops_have_the_asked_size_and_come_in_order():
    small = moved(TEMPLATE, similarity(0, 0.8, (20, 20)))
    large = moved(TEMPLATE, similarity(0, 3.0, (150, 150)))
    picture = np.maximum(
        picture_with_landmarks(small, 4, 600), picture_with_landmarks(large, 15, 600)
    )
    crops = align(picture, np.stack([large, small]), SFACE.crop.template, 112)
    assert crops.shape == (2, 112, 112, 3)
    assert crops.dtype == np.uint8
    for crop, points in zip(crops, (large, small), strict=True):
        [alone] = align(picture, points[None], SFACE.crop.template, 112)
        assert (alone == crop).all()
    assert (crops[0] != crops[1]).any()


@pytest.mark.parametrize("scale", [4, 10])
def test_much_larger_faces_are_averaged_and_not_skipped_over(scale):
    points = moved(TEMPLATE, similarity(0, scale, (20, 20)))
    size = 112 * scale + 40
    checks = ((np.indices((size, size)).sum(axis=0) % 2) * 255).astype(np.uint8)
    picture = np.repeat(checks[..., None], 3, axis=2)
    [crop] = align(picture, points[None], SFACE.crop.template, 112)
    assert np.abs(crop.astype(int) - 127).max() <= 25


@pytest.mark.parametrize("width", [1.0, 0.2], ids=["frontal", "profile"])
@pytest.mark.parametrize("degrees", [0, 20, 45, -60, 135, 180])
@pytest.mark.parametrize("scale", [1.5, 4, 10])
def test_a_tilted_face_well_inside_the_picture_fills_its_crop(scale, degrees, width):
    size = round(400 * scale)
    middle = TEMPLATE.mean(axis=0)
    face = (TEMPLATE - middle) * np.array([width, 1], np.float32)
    points = moved(face, similarity(degrees, scale, (size / 2, size / 2)))
    [crop] = align(np.full((size, size, 3), 255, np.uint8), points[None], SFACE.crop.template, 112)
    assert (crop == 255).all()


def test_what_lies_beyond_the_edge_is_black():
    points = moved(TEMPLATE, similarity(0, 1, (-56, 0)))
    white = np.full((112, 112, 3), 255, np.uint8)
    [crop] = align(white, points[None], SFACE.crop.template, 112)
    assert (crop[:, :54] == 0).all()
    assert (crop[:, 58:] == 255).all()


@pytest.mark.parametrize("scale", [1, 10])
def test_a_face_outside_the_picture_gives_a_black_crop(scale):
    points = moved(TEMPLATE, similarity(0, scale, (3000, 3000)))
    [crop] = align(np.full((200, 200, 3), 255, np.uint8), points[None], SFACE.crop.template, 112)
    assert (crop == 0).all()


def test_no_faces_give_no_crops():
    none = np.zeros((0, 5, 2), np.float32)
    crops = align(np.zeros((50, 50, 3), np.uint8), none, SFACE.crop.template, 112)
    assert crops.shape == (0, 112, 112, 3)
    assert crops.dtype == np.uint8


def test_a_view_into_a_picture_is_read_as_it_looks():
    points = moved(TEMPLATE, similarity(0, 3, (30, 30)))
    view = picture_with_landmarks(points, 15, 450)[::-1]
    turned_points = points * np.array([1, -1], np.float32) + np.array([0, 449], np.float32)
    from_view = align(view, turned_points[None], SFACE.crop.template, 112)
    from_copy = align(np.ascontiguousarray(view), turned_points[None], SFACE.crop.template, 112)
    assert (from_view == from_copy).all()
