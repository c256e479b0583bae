"""Networks that people bring: the description beside them, and ONNX Runtime's answers."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from faceweb.recognition import embedders, weights
from faceweb.recognition.embedders import SFACE, onnx_sidecar
from faceweb.recognition.errors import WeightsError
from tests.weights import SIDECAR, make_onnx

SLUG = "onnx:tiny.onnx"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "_folder", tmp_path)
    return tmp_path


def crops(count: int = 5, size: int = 112) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_sface_as_a_network_that_is_brought_equals_sface(folder, full_precision):
    shutil.copy(SFACE.weights.locate(), folder / "zoo.onnx")
    sidecar = {"name": "SFace", "dimension": 128, "mean": 0, "scale": 1, "licence": "Apache-2.0"}
    (folder / "zoo.onnx.json").write_text(json.dumps(sidecar))
    spec = embedders.get_spec("onnx:zoo.onnx")
    assert spec.version.startswith(SFACE.weights.sha256[:12])
    assert spec.crop == SFACE.crop
    np.testing.assert_allclose(
        embedders.load(spec).embed(crops()), embedders.load(SFACE).embed(crops()), atol=1e-5
    )


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_a_network_is_given_what_its_description_says(folder, order, batch):
    path = make_onnx(
        folder, batch=batch, colour_order=order, mean=[120, 110.5, 100], scale=[0.01, 0.02, 0.03]
    )
    pixels = (crops() - np.array([120, 110.5, 100])) * np.array([0.01, 0.02, 0.03])
    pixels = pixels[..., ::-1] if order == "bgr" else pixels
    pixels = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    if batch == 4:
        pixels = np.concatenate([pixels, np.zeros((3, *pixels.shape[1:]), np.float32)])
    parts = np.split(pixels, len(pixels) // (batch if batch != "n" else len(pixels)))
    raw = np.concatenate([session.run(None, {"pixels": part})[0] for part in parts])[:5]
    result = embedders.load(embedders.get_spec(SLUG)).embed(crops())
    np.testing.assert_allclose(result, unit(raw), atol=1e-5)


def test_what_the_description_says_is_in_the_spec(folder):
    make_onnx(folder, size=224, input_size=224, purpose="general", name="Tiny net")
    spec = embedders.get_spec(SLUG)
    assert (spec.slug, spec.title, spec.purpose) == (SLUG, "Tiny net", "general")
    assert (spec.dimension, spec.licence, spec.crop.size) == (16, "made for tests", 224)
    np.testing.assert_allclose(spec.crop.template, np.array(SFACE.crop.template) * 2)
    assert embedders.load(spec).embed(crops(2, 224)).shape == (2, 16)


def test_what_is_not_said_is_taken_as_is_usual(folder):
    make_onnx(folder)
    spec = embedders.get_spec(SLUG)
    assert (spec.purpose, spec.crop) == ("identity", SFACE.crop)


def test_a_path_may_lead_elsewhere(folder, tmp_path):
    path = make_onnx(tmp_path / "else where")
    spec = embedders.get_spec(f"onnx:{path}")
    assert embedders.missing(spec) == ""
    assert embedders.load(spec).embed(crops(1)).shape == (1, 16)


def test_other_numbers_in_the_description_are_another_version(folder):
    versions = set()
    for changed in ({}, {"mean": 0}, {"scale": 1}, {"colour_order": "bgr"}, {"name": "Other"}):
        make_onnx(folder, **changed)
        versions.add(embedders.get_spec(SLUG).version)
    assert len(versions) == 4  # a name changes nothing


def test_networks_in_the_weights_folder_are_listed(folder):
    assert onnx_sidecar.in_folder() == []
    make_onnx(folder)
    (folder / "undescribed.onnx").write_bytes(b"")
    assert onnx_sidecar.in_folder() == [SLUG]
    assert SLUG in {spec.slug for spec in embedders.specs()}


# --- what is refused ----------------------------------------------------------------------------


def refusal(slug: str = SLUG) -> str:
    """The sentence for someone who wants this embedder; its description is there all the same."""
    spec = embedders.get_spec(slug)
    assert spec.slug == slug
    with pytest.raises(WeightsError) as caught:
        embedders.load(spec)
    return str(caught.value)


def test_a_missing_network_is_named(folder):
    assert f"There is no network {folder / 'tiny.onnx'}" in refusal()
    spec = embedders.get_spec(SLUG)
    assert (spec.version, spec.purpose) == ("absent", "unknown")


def test_a_missing_description_is_asked_for_with_an_example(folder):
    Path(f"{make_onnx(folder)}.json").unlink()
    assert "tiny.onnx.json is missing" in refusal()
    assert '"colour_order"' in refusal()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dimension": None}, "'dimension' must be a whole number"),
        ({"dimension": 0}, "'dimension' must be a whole number"),
        ({"dimension": True}, "'dimension' must be a whole number"),
        ({"input_size": "112"}, "'input_size' must be a whole number"),
        ({"mean": "127"}, "'mean' must be one number, or three"),
        ({"mean": [1, 2]}, "'mean' must be one number, or three"),
        ({"scale": None}, "'scale' must be one number, or three"),
        ({"scale": [1, 2, True]}, "'scale' must be one number, or three"),
        ({"colour_order": "grb"}, "'colour_order' must be rgb or bgr"),
        ({"purpose": "fun"}, "'purpose' must be identity or general"),
        ({"name": " "}, "'name' must be a text"),
        ({"licence": None}, "'licence' must be a text"),
        ({"color_order": "rgb"}, "'color_order' is not one of"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(folder, values, words):
    make_onnx(folder, **values)
    assert words in refusal()
    assert "For example" in refusal()


@pytest.mark.parametrize("content", ["", "[1]", "{", "null"])
def test_a_description_that_is_none_is_refused(folder, content):
    Path(f"{make_onnx(folder)}.json").write_text(content)
    assert "tiny.onnx.json" in refusal()


def test_a_network_of_another_shape_is_refused(folder):
    make_onnx(folder, size=96)
    assert "does not take pictures of 112 x 112" in refusal()
    make_onnx(folder, dimension=512)
    assert "gives [16] numbers for a face" in refusal()


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x08\x08"])
def test_a_file_that_is_no_network_is_refused(folder, content):
    make_onnx(folder).write_bytes(content)
    assert "tiny.onnx" in refusal()


def test_weights_in_a_second_file_are_refused(folder):
    path = make_onnx(folder)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="tiny.bin", size_threshold=0)
    assert "Save it as one file" in refusal()


def test_the_example_is_a_description_that_is_taken():
    assert set(SIDECAR) < set(json.loads(onnx_sidecar._EXAMPLE))
    onnx_sidecar._checked(json.loads(onnx_sidecar._EXAMPLE))
