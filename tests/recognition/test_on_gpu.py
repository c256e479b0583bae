"""What a GPU does, computed by PyTorch on this processor: all but the device is the same."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from faceweb.recognition import detection, embedders, engine
from faceweb.recognition.detection import mtcnn, pyramid, resampling_on_gpu
from faceweb.recognition.detection.proposals import Proposer
from faceweb.recognition.detection.resampling import Tables
from faceweb.recognition.embedders import SFACE, network, sface
from faceweb.recognition.embedders.int8 import Int8Convolution
from faceweb.recognition.images import decode
from tests.faces import photo


class TablesHere(resampling_on_gpu.TablesOnGpu):
    device = "cpu"


class NetworkHere(engine._OnGpu):
    device = "cpu"

    def __init__(self, module, *, half):
        super().__init__(module, half=False)  # processors are slow at float16


@pytest.fixture
def gpu(monkeypatch, full_precision):
    monkeypatch.setattr(mtcnn, "TablesOnGpu", TablesHere)
    monkeypatch.setattr(engine, "_OnGpu", NetworkHere)


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def test_means_are_the_same():
    some = pictures((250, 250), (301, 177), (64, 400))
    here, there = Tables(some), TablesHere(some)
    for owner, picture in enumerate(some):
        for level in pyramid.levels_of(owner, *picture.shape[:2], 24.0):
            one = here.blank(level.height, level.width)
            other = there.blank(level.height, level.width)
            here.reduce(owner, one.reshape(level.height, -1))
            there.reduce(owner, other.reshape(level.height, -1))
            np.testing.assert_allclose(other.numpy(), one, atol=1e-3)
    owners = np.array([0, 1, 2])
    within = np.array([[0, 0, 24, 24], [10, 20, 177, 60], [371, 1, 400, 64]])
    beyond = np.array([[-10, -20, 30, 30], [100, 290, 190, 380], [390, -60, 520, 70]])
    for size in (24, 48):
        np.testing.assert_allclose(
            there.windows(within, owners, size).numpy(), here.windows(within, owners, size),
            atol=1e-3,
        )  # fmt: skip
        np.testing.assert_allclose(
            there.framed_windows(beyond, owners, size).numpy(),
            here.framed_windows(beyond, owners, size),
            atol=1e-3,
        )


def test_the_same_faces_are_found(gpu):
    some = [decode(photo(name).read_bytes()).pixels for name in ("obama.jpg", "group.jpg")]
    some += pictures((90, 130))
    here = detection.load("mtcnn", device="cpu").detect(some)
    there = detection.load("mtcnn", device="cuda").detect(some)
    assert [len(found) for found in there] == [1, 6, 0]
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(other.boxes, one.boxes, atol=0.5)
        np.testing.assert_allclose(other.landmarks, one.landmarks, atol=0.5)
        np.testing.assert_allclose(other.scores, one.scores, atol=1e-3)


def test_the_same_embeddings_come_out_whatever_the_number(gpu):
    crops = np.stack(pictures(*[(112, 112)] * 5))
    here, there = embedders.load(SFACE, "cpu"), embedders.load(SFACE, "cuda")
    for count in range(6):
        result = there.embed(crops[:count])
        assert result.shape == (count, 128)
        np.testing.assert_allclose(result, here.embed(crops[:count]), atol=1e-4)
    mirrored = crops[:, :, ::-1]
    np.testing.assert_allclose(there.embed(mirrored), here.embed(mirrored), atol=1e-4)


def test_one_thread_runs_all_networks_on_a_gpu(gpu, monkeypatch):
    """cuDNN would prepare in every other thread anew."""
    threads = set()
    run = NetworkHere._run

    def watched(self, pixels):
        threads.add(threading.get_ident())
        return run(self, pixels)

    monkeypatch.setattr(NetworkHere, "_run", watched)
    embedder, detector = embedders.load(SFACE, "cuda"), detection.load("mtcnn", device="cuda")
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(embedder.embed, crops) for _ in range(3)]
        jobs += [pool.submit(detector.detect, pictures((60, 80))) for _ in range(3)]
        for job in jobs:
            job.result()
    assert len(threads) == 1


def test_networks_still_run_while_the_interpreter_ends(gpu, monkeypatch):
    embedder = embedders.load(SFACE, "cuda")
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(NetworkHere, "_thread", ended)
    assert embedder.embed(np.zeros((1, 112, 112, 3), np.uint8)).shape == (1, 128)


def test_a_gpu_computes_no_8_bits(gpu, monkeypatch):
    monkeypatch.setattr(engine, "has_int8", lambda: True)
    there = embedders.load(SFACE, "cuda")
    assert isinstance(there, network.NetworkEmbedder)
    parts = list(there._network._module.modules())
    assert any(isinstance(part, sface.SFaceNetwork) for part in parts)
    assert not any(isinstance(part, Int8Convolution) for part in parts)


def test_a_gpu_proposes_in_32_bits(gpu, monkeypatch):
    monkeypatch.setattr(engine, "has_bfloat16", lambda: True)
    assert not Proposer("cuda")._in_16_bits


def test_a_gpu_sees_few_sizes():
    numbers = [engine.filled_up(count) for count in range(1, 2049)]
    assert all(number >= count for count, number in enumerate(numbers, start=1))
    assert set(numbers) == {1, 4, 16, 64, 256, 1024, 4096}
    assert all(number < 4 * count for count, number in enumerate(numbers, start=1))
    for most in (mtcnn._REFINED.at_once, mtcnn._OUTPUT.at_once, network._AT_ONCE):
        full = engine.at_once(most, "cuda")
        assert full > most and engine.filled_up(full) == full
    sides = {TablesHere.filled_up(side) for side in range(12, 1283)}
    assert len(sides) <= 8 and all(side % 128 == 0 for side in sides)
