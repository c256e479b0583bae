"""SFace in PyTorch terms beside its own file in ONNX Runtime."""

import functools
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from faceweb.recognition import detection, embedders, engine
from faceweb.recognition.alignment import cut
from faceweb.recognition.embedders import SFACE, sface
from faceweb.recognition.images import decode
from tests.faces import photo


@functools.cache
def reference():
    """The original file in ONNX Runtime, as a function of (1, 3, 112, 112) RGB, 0 to 255."""
    model = onnx.load(SFACE.weights.locate())
    # The file also lists its weights among the inputs, with types they no longer have.
    data = next(i for i in model.graph.input if i.name == "data")
    del model.graph.input[:]
    model.graph.input.append(data)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
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
    network = sface.SFaceNetwork(SFACE.weights.locate()).eval()
    with torch.inference_mode():
        result = network(torch.from_numpy(pixels).permute(0, 2, 3, 1)).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_sface_embeds_rgb_crops_as_its_file_does(full_precision):
    crops = np.random.default_rng(9).integers(0, 256, (3, 112, 112, 3), np.uint8)
    raw = [reference()(crop.transpose(2, 0, 1)[None].astype(np.float32)) for crop in crops]
    expected = np.concatenate(raw)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedders.load(SFACE).embed(crops), expected, atol=1e-5)


@functools.cache
def crops_of_faces():
    names = ("obama.jpg", "obama2.jpg", "biden.jpg", "group.jpg")
    pictures = [decode(photo(name).read_bytes()).pixels for name in names]
    faces = detection.load("mtcnn").detect(pictures)
    pairs = zip(pictures, faces, strict=True)
    return np.concatenate([cut(p, f.boxes, f.landmarks, SFACE.crop) for p, f in pairs])


@functools.cache
def in_32_bits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "has_bfloat16", lambda: False)
        patch.setattr(engine, "has_int8", lambda: False)
        return embedders.load(SFACE).embed(crops_of_faces())


@pytest.mark.skipif(not engine.has_bfloat16(), reason="this processor has no bfloat16")
def test_in_16_bits_sface_hardly_moves(monkeypatch):
    monkeypatch.setattr(engine, "has_int8", lambda: False)
    short, full = embedders.load(SFACE).embed(crops_of_faces()), in_32_bits()
    assert not np.array_equal(short, full)
    assert (short * full).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(short @ short.T, full @ full.T, atol=0.01)


@pytest.mark.skipif(not engine.has_int8(), reason="this processor does not compute in 8 bits")
def test_in_8_bits_sface_moves_little(monkeypatch):
    monkeypatch.setattr(engine, "has_bfloat16", lambda: False)
    embedder = embedders.load(SFACE)
    operations = embedder._network._model.get_runtime_model().get_ops()
    kinds = [operation.get_rt_info()["primitiveType"].value for operation in operations]
    assert sum(kind.endswith("_1x1_I8") for kind in kinds) == 9
    short, full = embedder.embed(crops_of_faces()), in_32_bits()
    assert not np.array_equal(short, full)
    assert (short * full).sum(axis=1).min() > 0.995
    np.testing.assert_allclose(short @ short.T, full @ full.T, atol=0.02)


@pytest.mark.skipif(not engine.has_int8(), reason="without AVX2 OpenVINO has other kernels")
def test_with_avx512_prelu_is_computed_behind_convolutions(monkeypatch, full_precision):
    operations, embeddings = {}, {}
    for able in (False, True):
        monkeypatch.setattr(engine, "_has_avx512", lambda able=able: able)
        embedder = embedders.load(SFACE)
        model = embedder._network._model.get_runtime_model()
        kinds = [operation.get_rt_info()["layerType"].value for operation in model.get_ops()]
        operations[able] = kinds.count("Eltwise")
        embeddings[able] = embedder.embed(crops_of_faces())
    assert operations[True] - operations[False] >= 27
    np.testing.assert_allclose(embeddings[True], embeddings[False], atol=1e-5)


ELSEWHERE = """
import sys, numpy as np
from faceweb.recognition import embedders, engine
engine.has_bfloat16 = engine._has_avx512 = lambda: False
crops, found = sys.argv[1:]
embedder = embedders.load(embedders.SFACE)
np.save(found, embedder.embed(np.load(crops)))
operations = embedder._network._model.get_runtime_model().get_ops()
print(*(operation.get_rt_info()["primitiveType"].value for operation in operations))
"""


@pytest.mark.skipif(not engine.has_int8(), reason="this processor does not compute in 8 bits")
def test_8_bits_are_right_with_older_instructions(tmp_path):
    """AVX2 adds pairs of products in 16 bits, which may overflow."""
    np.save(tmp_path / "crops.npy", crops_of_faces())
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path / "crops.npy", tmp_path / "found.npy"],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.count("avx2_1x1_I8") == 9
    found = np.load(tmp_path / "found.npy")
    assert (found * in_32_bits()).sum(axis=1).min() > 0.995
