"""dlib's network in PyTorch terms beside dlib itself."""

import functools

import cv2
import dlib
import numpy as np
import pytest
import torch

from faceweb.recognition import embedders, pipeline
from faceweb.recognition.alignment import cut
from faceweb.recognition.embedders import Embedder, dlib_file
from faceweb.recognition.embedders.dlib_resnet import DlibResnet
from faceweb.recognition.errors import WeightsError
from faceweb.recognition.images import decode
from tests.faces import photo

SPEC = embedders.get_spec("dlib-resnet")


@functools.cache
def loaded() -> pipeline.Pipeline:
    return pipeline.load(embedder="dlib-resnet", detector="mtcnn")


@functools.cache
def embedder() -> Embedder:
    return embedders.load(SPEC)


@functools.cache
def faces(name: str) -> np.ndarray:
    """The faces of a photo as the embedder is shown them."""
    image = decode(photo(name).read_bytes())
    [found] = loaded().analyse([image])
    boxes = np.stack([face.box for face in found]) / image.scale
    points = np.stack([face.landmarks for face in found]) / image.scale
    return cut(image.pixels, boxes, points, SPEC.crop)


def pictures() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3), np.uint8)
    smooth = [cv2.GaussianBlur(one, (0, 0), 8) for one in noise]
    plain = [np.full((150, 150, 3), shade, np.uint8) for shade in (0, 255)]
    return np.concatenate([noise, np.stack(smooth), np.stack(plain)])


def by_dlib(crops: np.ndarray) -> np.ndarray:
    network = dlib.face_recognition_model_v1(str(SPEC.weights.locate()))
    return np.array([network.compute_face_descriptor(crop) for crop in crops])


def check(crops: np.ndarray) -> None:
    expected = by_dlib(crops)
    with torch.inference_mode():
        network = DlibResnet(SPEC.weights.locate()).eval()
        raw = network(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder().embed(crops), expected, atol=1e-5)


def test_it_computes_what_dlib_computes():
    check(pictures())


def test_it_embeds_faces_as_dlib_does():
    check(np.concatenate([faces("obama.jpg"), faces("group.jpg")]))


def test_it_tells_two_men_apart():
    one, other, man = (
        embedder().embed(faces(name))[0] for name in ("obama.jpg", "obama2.jpg", "biden.jpg")
    )
    # dlib calls two faces the same at a distance below 0.6 between outputs of length 1.4.
    assert one @ other > 0.92
    assert one @ man < 0.88


# --- the file -----------------------------------------------------------------------------------


def test_another_file_is_not_read(tmp_path):
    (tmp_path / "other.dat").write_bytes(b"\x01\x05con_4" + b"\x01\x07" * 20)
    with pytest.raises(WeightsError, match=r"other\.dat is not dlib's.*instead of 4736"):
        dlib_file.read(tmp_path / "other.dat")
    (tmp_path / "other.dat").write_bytes(b"nothing like it")
    with pytest.raises(WeightsError, match="no 'con_4' layer is left"):
        dlib_file.read(tmp_path / "other.dat")


@pytest.mark.parametrize("share", [0.2, 0.9999])
def test_a_file_that_is_cut_off_is_not_read(tmp_path, share):
    content = SPEC.weights.locate().read_bytes()
    (tmp_path / "cut.dat").write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"cut\.dat is not dlib's"):
        dlib_file.read(tmp_path / "cut.dat")
