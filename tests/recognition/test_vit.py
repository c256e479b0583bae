"""Vision transformers beside transformers itself, on small models with random weights."""

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoModel

from faceweb.recognition import embedders, weights
from faceweb.recognition.alignment import cut
from faceweb.recognition.errors import WeightsError
from faceweb.recognition.geometry import Box
from tests.weights import make_vit

SLUGS = ["dino-vitb16", "vit-base-patch16-224-in21k"]
SLUG = SLUGS[0]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "_folder", tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("width", [48, 768])
def test_it_computes_what_transformers_computes(folder, slug, width):
    path = make_vit(folder / slug, width=width)
    spec = embedders.get_spec(slug)
    assert (spec.dimension, spec.crop.size, spec.purpose) == (width, 64, "general")
    crops = np.random.default_rng(0).integers(0, 256, (11, 64, 64, 3), np.uint8)
    processor = AutoImageProcessor.from_pretrained(path, backend="pil")
    model = AutoModel.from_pretrained(path).eval()
    with torch.inference_mode():
        inputs = processor(images=list(crops), return_tensors="pt")
        expected = model(**inputs).last_hidden_state[:, 0].numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    # Both round in 32 bits, each in its own order: 5e-5 apart with AVX-512, less with AVX2.
    np.testing.assert_allclose(embedders.load(spec).embed(crops), expected, atol=1e-4)


def test_a_model_as_published_is_shown_224_pixels_and_gives_768_numbers():
    for slug in SLUGS:
        spec = embedders.get_spec(slug)
        assert (spec.dimension, spec.crop.size) == (768, 224)


# --- where models are found ---------------------------------------------------------------------


def test_a_model_that_is_not_here_is_asked_for(folder):
    sentence = embedders.missing(embedders.get_spec(SLUG))
    assert "config.json, preprocessor_config.json, pytorch_model.bin" in sentence
    assert "facebook/dino-vitb16" in sentence
    assert str(folder / SLUG) in sentence


def test_a_model_in_the_hubs_cache_is_taken(tmp_path, monkeypatch):
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    model = cache / "models--facebook--dino-vitb16"
    snapshot = make_vit(model / "snapshots" / ("0" * 40))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    spec = embedders.get_spec(SLUG)
    assert spec.weights.locate() == snapshot
    assert spec.dimension == 48
    assert embedders.load(spec).embed(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 48)


def test_another_model_in_the_folder_is_another_version(folder):
    published = embedders.get_spec(SLUG)
    make_vit(folder / SLUG)
    one = embedders.get_spec(SLUG)
    shutil.rmtree(folder / SLUG)
    make_vit(folder / SLUG, seed=1)
    assert len({published.version, one.version, embedders.get_spec(SLUG).version}) == 3


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_that_is_missing_is_named(folder, name):
    (make_vit(folder / SLUG) / name).unlink()
    with pytest.raises(WeightsError, match=rf"not complete.*lacks: {name}"):
        embedders.load(embedders.get_spec(SLUG))


# --- what is refused ----------------------------------------------------------------------------


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("config.json", {"num_hidden_layers": 3}),
        ("config.json", {"intermediate_size": 32}),
        ("config.json", {"model_type": "nonesuch"}),
        ("config.json", {"image_size": 80}),
        ("preprocessor_config.json", {"size": {"height": 32, "width": 32}}),
        ("preprocessor_config.json", {"image_processor_type": "NonesuchProcessor"}),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(folder, name, values):
    changed(make_vit(folder / SLUG) / name, **values)
    with pytest.raises(WeightsError, match=str(folder / SLUG)):
        embedders.load(embedders.get_spec(SLUG))


def test_code_that_comes_with_a_model_is_not_run(folder):
    path = make_vit(folder / SLUG)
    changed(path / "config.json", auto_map={"AutoModel": "trap.Trap"}, model_type="trap")
    (path / "trap.py").write_text("raise SystemExit('a model was run')")
    with pytest.raises(WeightsError):
        embedders.load(embedders.get_spec(SLUG))


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_description_that_says_nothing_is_refused(folder, content):
    (make_vit(folder / SLUG) / "config.json").write_text(content)
    with pytest.raises(WeightsError):
        embedders.load(embedders.get_spec(SLUG))


# --- what it is shown ---------------------------------------------------------------------------

UPRIGHT = np.array([[[4, 4], [6, 4], [5, 5], [4, 6], [6, 6]]], np.float32)


def test_a_square_around_the_box_is_shown_black_beyond_the_picture():
    picture = np.full((100, 100, 3), 200, np.uint8)
    box = np.array([[0, 30, 30, 60]], np.float32)
    [crop] = cut(picture, box, UPRIGHT, Box(size=60, margin=0.5, square=True))
    assert (crop[:, :14] == 0).all()
    assert (crop[:, 16:] == 200).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_that_lies_is_shown_upright(turns):
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    box = np.array([[10, 10, 30, 30]], np.float32)
    points = np.array([[[14, 14], [26, 14], [20, 20], [14, 26], [26, 26]]], np.float32)
    crop = Box(size=20, margin=0, square=True)
    [upright] = cut(picture, box, points, crop)
    lying = np.ascontiguousarray(np.rot90(picture, turns))
    middle = points - 20
    for _ in range(turns):  # a quarter turn to the left: right becomes up
        middle = np.stack([middle[..., 1], -middle[..., 0]], axis=-1)
    [turned] = cut(lying, box, middle + 20, crop)
    assert (turned == upright).all()
