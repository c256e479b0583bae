"""What every embedder promises, SFace beside ONNX Runtime, and whose weights are trusted."""

import functools
import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from faceweb.recognition import embedders
from faceweb.recognition.embedders import Embedder, EmbedderSpec, sface
from faceweb.recognition.errors import WeightsError
from faceweb.recognition.weights import WeightsFile

every_embedder = pytest.mark.parametrize("spec", embedders.specs(), ids=lambda spec: spec.slug)


@functools.cache
def loaded(spec: EmbedderSpec) -> Embedder:
    return embedders.load(spec)


def noise(spec: EmbedderSpec, count: int, seed: int = 0) -> np.ndarray:
    shape = (count, spec.crop_size, spec.crop_size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


# --- the registry -------------------------------------------------------------------------------


def test_listing_embedders_imports_no_framework():
    code = (
        "import sys; from faceweb.recognition import embedders; assert embedders.specs(); "
        "print(*{'torch', 'onnx', 'onnxruntime', 'cv2', 'django'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_embedder_is_named_with_those_that_exist():
    with pytest.raises(KeyError, match=r"nonesuch.*sface"):
        embedders.get_spec("nonesuch")


def test_slugs_and_collections_are_unique():
    specs = embedders.specs()
    assert len({spec.slug for spec in specs}) == len(specs)
    assert len({spec.collection for spec in specs}) == len(specs)


@every_embedder
def test_a_spec_is_found_by_its_slug_and_makes_sense(spec):
    assert embedders.get_spec(spec.slug) is spec
    template = np.array(spec.template)
    assert template.shape == (5, 2)
    assert ((template > 0) & (template < spec.crop_size)).all()
    assert spec.version in spec.collection
    assert spec.licence


# --- every embedder -----------------------------------------------------------------------------


@every_embedder
def test_no_crops_give_no_embeddings(spec):
    result = loaded(spec).embed(noise(spec, 0))
    assert result.shape == (0, spec.dimension)
    assert result.dtype == np.float32


@every_embedder
def test_embeddings_have_unit_length(spec):
    size = spec.crop_size
    blank = [np.full((size, size, 3), shade, np.uint8) for shade in (0, 255)]
    result = loaded(spec).embed(np.concatenate([noise(spec, 3), np.stack(blank)]))
    assert result.shape == (5, spec.dimension)
    assert result.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-5)


@every_embedder
@pytest.mark.parametrize("count", [2, 16, 17, 37])
def test_a_batch_gives_what_each_crop_gives_alone(spec, count):
    crops = noise(spec, count)
    together = loaded(spec).embed(crops)
    alone = np.concatenate([loaded(spec).embed(crop[None]) for crop in crops])
    assert together.shape == (count, spec.dimension)
    np.testing.assert_allclose(together, alone, atol=1e-5)


@every_embedder
def test_the_same_crops_give_the_same_embeddings_and_others_give_others(spec):
    crops = noise(spec, 4)
    first = loaded(spec).embed(crops)
    assert (first == loaded(spec).embed(crops)).all()
    assert (first == embedders.load(spec).embed(crops)).all()
    assert np.abs(first - loaded(spec).embed(noise(spec, 4, seed=1))).max() > 0.01


@every_embedder
def test_several_threads_get_what_one_gets(spec):
    batches = [noise(spec, 5, seed) for seed in range(12)]
    alone = [loaded(spec).embed(crops) for crops in batches]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(loaded(spec).embed, batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@every_embedder
def test_crops_that_are_views_are_read_as_they_look_and_left_alone(spec):
    crops = noise(spec, 3)
    before = crops.copy()
    mirrored = crops[:, :, ::-1]
    from_view = loaded(spec).embed(mirrored)
    assert (from_view == loaded(spec).embed(np.ascontiguousarray(mirrored))).all()
    assert (crops == before).all()


# --- SFace beside ONNX Runtime ------------------------------------------------------------------


@functools.cache
def reference():
    """The original file in ONNX Runtime, as a function of (1, 3, 112, 112) RGB, 0 to 255."""
    runtime = pytest.importorskip("onnxruntime")
    model = onnx.load(sface.WEIGHTS.locate())
    # The file also lists its weights among the inputs, with types they no longer have.
    data = next(i for i in model.graph.input if i.name == "data")
    del model.graph.input[:]
    model.graph.input.append(data)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda pixels: session.run(None, {"data": pixels})[0]


@pytest.mark.parametrize("seed", range(4))
def test_sface_computes_what_its_file_says(seed):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (1, 3, 112, 112)).astype(np.float32)
    if seed % 2:  # smooth pictures as well as noise
        ramp = np.linspace(0, 255, 112, dtype=np.float32)
        pixels = (pixels + np.add.outer(ramp, ramp)) / 3
    expected = reference()(pixels)
    with torch.inference_mode():
        result = sface.SFaceNetwork().eval()(torch.from_numpy(pixels).permute(0, 2, 3, 1)).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_sface_embeds_rgb_crops_as_its_file_does():
    crops = noise(embedders.SFACE, 3, seed=9)
    raw = [reference()(crop.transpose(2, 0, 1)[None].astype(np.float32)) for crop in crops]
    expected = np.concatenate(raw)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(loaded(embedders.SFACE).embed(crops), expected, atol=1e-5)


# --- weights ------------------------------------------------------------------------------------


@pytest.fixture
def carrier(tmp_path, monkeypatch) -> Path:
    """A package that carries a file and must never be run."""
    package = tmp_path / "carrier_of_weights"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('a carrier of weights was run')")
    (package / "data" / "small.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return package


def weights(content: bytes = b"weights", path: str = "data/small.bin") -> WeightsFile:
    return WeightsFile("carrier_of_weights", path, hashlib.sha256(content).hexdigest())


def test_weights_with_the_right_hash_are_located_without_running_the_package(carrier):
    assert weights().locate() == carrier / "data" / "small.bin"
    assert "carrier_of_weights" not in sys.modules


def test_weights_with_another_hash_are_refused(carrier):
    with pytest.raises(WeightsError, match=r"not the expected file.*carrier_of_weights"):
        weights(b"other weights").locate()


def test_weights_altered_after_installation_are_refused(carrier):
    weights().locate()
    (carrier / "data" / "small.bin").write_bytes(b"weightz")
    with pytest.raises(WeightsError, match="not the expected file"):
        weights().locate()


def test_a_missing_file_is_reported_with_what_to_do(carrier):
    with pytest.raises(WeightsError, match=r"gone\.bin are missing.*make setup"):
        weights(path="data/gone.bin").locate()


def test_a_missing_package_is_reported_with_what_to_do():
    absent = WeightsFile("no_such_carrier_of_weights", "data/small.bin", "0" * 64)
    with pytest.raises(WeightsError, match=r"no_such_carrier_of_weights.*make setup"):
        absent.locate()


def test_a_real_carrier_with_another_hash_is_refused():
    other = WeightsFile(sface.WEIGHTS.package, sface.WEIGHTS.path, "0" * 64)
    with pytest.raises(WeightsError, match="not the expected file"):
        other.locate()
