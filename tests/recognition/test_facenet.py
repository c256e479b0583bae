"""FaceNet's network beside facenet-pytorch's own, both with random weights."""

import functools
import importlib
import importlib.util
import pickle
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from faceweb.recognition import embedders, weights
from faceweb.recognition.alignment import cut
from faceweb.recognition.embedders import facenet
from faceweb.recognition.errors import WeightsError
from tests.weights import make_facenet

SLUG = "facenet-vggface2"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "_folder", tmp_path)
    return tmp_path


@functools.cache
def reference_class() -> type:
    """facenet_pytorch's InceptionResnetV1, without its package, which wants torchvision."""
    spec = importlib.util.find_spec("facenet_pytorch")
    assert spec is not None
    stand_ins = {
        name: types.ModuleType(name)
        for name in ("facenet_pytorch", "requests", "requests.adapters")
    }
    stand_ins["facenet_pytorch"].__path__ = list(spec.submodule_search_locations)
    stand_ins["requests.adapters"].HTTPAdapter = object
    before = dict(sys.modules)
    sys.modules.update(stand_ins)
    try:
        module = importlib.import_module("facenet_pytorch.models.inception_resnet_v1")
        return module.InceptionResnetV1
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]
        sys.modules.update({name: before[name] for name in stand_ins if name in before})


def test_it_computes_what_facenet_pytorch_computes(tmp_path):
    path = make_facenet(tmp_path)
    state = torch.load(path, weights_only=True)
    network = reference_class()().eval()
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith("logits.")})
    crops = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), np.uint8)
    with torch.inference_mode():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
        expected = network((pixels - 127.5) / 128).numpy()
        raw = facenet.load_network(path).eval()(torch.from_numpy(crops)).numpy()
    assert float(expected[0] @ expected[1]) < 0.99
    np.testing.assert_allclose(
        raw / np.linalg.norm(raw, axis=1, keepdims=True), expected, atol=1e-5
    )


def test_it_is_shown_what_facenet_pytorch_shows_it():
    """The box with a margin of 14 of 160 pixels, stretched to a square, cut at the edge."""
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    crop = embedders.get_spec(SLUG).crop
    for x1, y1, x2, y2 in ((100.2, 60.7, 180.9, 170.1), (2.5, 1.0, 90.0, 120.0)):
        across, down = 14 * (x2 - x1) / (160 - 14), 14 * (y2 - y1) / (160 - 14)
        left, top = int(max(x1 - across / 2, 0)), int(max(y1 - down / 2, 0))
        right, bottom = int(min(x2 + across / 2, 400)), int(min(y2 + down / 2, 300))
        expected = cv2.resize(
            picture[top:bottom, left:right], (160, 160), interpolation=cv2.INTER_AREA
        )
        box = np.array([[x1, y1, x2, y2]], np.float32)
        upright = np.array([[[0, 0], [4, 0], [2, 2], [0, 4], [4, 4]]], np.float32)
        assert (cut(picture, box, upright, crop)[0] == expected).all()


# --- its weights --------------------------------------------------------------------------------


def test_missing_weights_are_asked_for_by_name(folder):
    spec = embedders.get_spec(SLUG)
    sentence = embedders.missing(spec)
    assert "20180402-114759-vggface2.pt" in sentence
    assert str(folder) in sentence
    with pytest.raises(WeightsError, match="20180402-114759-vggface2"):
        embedders.load(spec)


def test_weights_of_another_content_are_another_version(folder):
    published = embedders.get_spec(SLUG)
    assert published.weights.sha256.startswith(published.version)
    (folder / published.weights.name).write_bytes(b"one")
    one = embedders.get_spec(SLUG)
    (folder / published.weights.name).write_bytes(b"another")
    other = embedders.get_spec(SLUG)
    assert len({spec.version for spec in (published, one, other)}) == 3
    assert len({spec.collection for spec in (published, one, other)}) == 3
    assert embedders.missing(other) == ""


class _Trap:
    def __reduce__(self):
        return (sys.exit, ("a file of weights was run",))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", pickle.dumps(_Trap(), protocol=2), pickle.dumps({"a": 1}, protocol=2)],
    ids=["empty", "text", "trap", "pickle"],
)
def test_a_file_of_something_else_is_refused_unrun(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.pt is not the file of weights"):
        facenet.load_network(tmp_path / "weights.pt")


@pytest.mark.parametrize("state", [{"last_linear.weight": torch.zeros(1)}, [torch.zeros(1)]])
def test_other_layers_are_refused(tmp_path, state):
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match=r"weights\.pt is not the file of weights"):
        facenet.load_network(tmp_path / "weights.pt")
