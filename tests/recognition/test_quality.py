"""Quality: good portraits score high, and what is done to them is named."""

import functools

import cv2
import numpy as np
import pytest

from faceweb.recognition import quality
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import FoundFace
from faceweb.recognition.quality import DEFINING_QUALITY, TEMPLATE, Reason
from tests.faces import photo
from tests.recognition.test_pipeline import loaded

Pixels = np.ndarray


@functools.cache
def portrait() -> Pixels:
    """A square of 250 pixels around a large, frontal face of about 100."""
    pixels = decode(photo("obama.jpg").read_bytes()).pixels
    [[face]] = loaded().analyse([as_image(pixels)])
    middle, reach = (face.box[:2] + face.box[2:]) / 2, 1.2 * (face.box[2] - face.box[0])
    left, top = (middle - reach).clip(0).astype(int)
    right, bottom = (middle + reach).astype(int)
    return cv2.resize(pixels[top:bottom, left:right], (250, 250), interpolation=cv2.INTER_AREA)


def as_image(pixels: Pixels) -> DecodedImage:
    pixels = np.ascontiguousarray(pixels)
    return DecodedImage(pixels, pixels.shape[1], pixels.shape[0], 1.0, "image/png")


def face_in(pixels: Pixels) -> FoundFace:
    [[face]] = loaded().analyse([as_image(pixels)])
    return face


def smaller(pixels: Pixels) -> Pixels:
    return cv2.resize(pixels, None, fx=0.24, fy=0.24, interpolation=cv2.INTER_AREA)


def blurred(pixels: Pixels) -> Pixels:
    return cv2.GaussianBlur(pixels, (0, 0), 6)


def darker(pixels: Pixels) -> Pixels:
    return (pixels * 0.13).astype(np.uint8)


def brighter(pixels: Pixels) -> Pixels:
    return (pixels * 2.1 + 20.0).clip(0, 255).astype(np.uint8)


def cut(pixels: Pixels) -> Pixels:
    x1, _, x2, _ = face_in(pixels).box
    return pixels[:, int(x1 + 0.25 * (x2 - x1)) :]


@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "biden.jpg"])
def test_a_portrait_is_good_and_nothing_is_wrong_with_it(name: str) -> None:
    face = face_in(decode(photo(name).read_bytes()).pixels)
    assert face.quality > 0.9
    assert face.quality_reasons == ()


def test_a_face_of_a_hundred_pixels_is_as_good_as_a_large_one() -> None:
    face = face_in(portrait())
    assert 80 < face.box[2] - face.box[0] < 130
    assert face.quality > 0.9


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (smaller, Reason.SMALL),
        (blurred, Reason.BLURRED),
        (darker, Reason.DARK),
        (brighter, Reason.TOO_BRIGHT),
        (cut, Reason.CUT_OFF),
    ],
)
def test_what_spoils_a_face_is_named_first_and_costs(spoil, reason: Reason) -> None:
    face = face_in(spoil(portrait()))
    assert face.quality_reasons[0] == reason
    assert face.quality < 0.88


@pytest.mark.parametrize("spoil", [blurred, cut])
def test_a_hopeless_face_does_not_define_a_person(spoil) -> None:
    assert face_in(spoil(portrait())).quality < DEFINING_QUALITY


def test_a_face_that_was_never_judged_may_define_a_person() -> None:
    assert quality.defines_person(None) and quality.defines_person(DEFINING_QUALITY)
    assert not quality.defines_person(DEFINING_QUALITY - 0.01)


def judged(landmarks, *, score: float = 0.999, size=(400, 400)) -> quality.Quality:
    rng = np.random.default_rng(1)
    crop = rng.integers(60, 200, (1, 112, 112, 3)).astype(np.uint8)
    points = np.asarray([landmarks], np.float32)
    box = np.array([[100, 100, 200, 220]], np.float32)
    sizes = np.array([size], np.float32)
    return quality.assess(crop, box, points, np.array([score], np.float32), sizes)[0]


FRONTAL = np.array(TEMPLATE) + 100


def test_a_turned_face_is_named_whichever_way_the_photo_lies() -> None:
    turned = FRONTAL.copy()
    turned[2, 0] += 22  # the nose nearly below an eye
    lying = turned[:, ::-1] * (1, -1) + (0, 400)
    assert judged(FRONTAL).reasons == ()
    assert judged(turned).reasons == judged(lying).reasons == (Reason.TURNED_AWAY,)
    assert judged(turned).score == pytest.approx(judged(lying).score, abs=1e-3)


def test_eyes_close_together_and_a_lowered_nose_are_turned_too() -> None:
    profile, lowered = FRONTAL.copy(), FRONTAL.copy()
    profile[:2, 0] = (150, 162)
    lowered[2, 1] = lowered[3, 1] + 1
    assert judged(profile).reasons == (Reason.TURNED_AWAY,)
    assert judged(lowered).reasons == (Reason.TURNED_AWAY,)


def test_a_doubtful_detection_is_named() -> None:
    assert judged(FRONTAL, score=0.85).reasons == (Reason.DOUBTFUL,)
    assert judged(FRONTAL, score=0.85).score < judged(FRONTAL).score


def test_the_edge_of_the_photo_is_what_cuts() -> None:
    assert judged(FRONTAL, size=(400, 400)).score == 1
    cut_off = judged(FRONTAL, size=(160, 400))
    assert cut_off.reasons == (Reason.CUT_OFF,)
    assert judged(FRONTAL, size=(140, 400)).score < cut_off.score < 1


def test_landmarks_in_one_place_are_judged_all_the_same() -> None:
    assert 0 <= judged(np.full((5, 2), 50.0)).score <= 1


def test_faces_of_several_photos_are_judged_as_if_alone() -> None:
    images = [as_image(portrait()), as_image(blurred(portrait())), as_image(smaller(portrait()))]
    together = [face for faces in loaded().analyse(images) for face in faces]
    alone = [face for image in images for face in loaded().analyse([image])[0]]
    assert [f.quality for f in together] == pytest.approx([f.quality for f in alone], abs=0.01)
    assert [f.quality_reasons for f in together] == [f.quality_reasons for f in alone]


def test_no_faces_no_qualities() -> None:
    none = np.zeros((0, 4), np.float32)
    points, scores = np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
    crops = np.zeros((0, 112, 112, 3), np.uint8)
    assert quality.assess(crops, none, points, scores, none[:, :2]) == []
