"""Which weights are trusted, where they are looked for, and how they are fetched."""

import hashlib
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faceweb.recognition import downloads, embedders, weights
from faceweb.recognition.embedders import SFACE
from faceweb.recognition.errors import WeightsError
from faceweb.recognition.weights import Download, WeightsFile

# --- packages that carry weights ----------------------------------------------------------------


@pytest.fixture
def carrier(tmp_path, monkeypatch) -> Path:
    """A package that carries a file and must never be run."""
    package = tmp_path / "carrier_of_weights"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('a carrier of weights was run')")
    (package / "data" / "small.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return package


def carried(content: bytes = b"weights", path: str = "data/small.bin") -> WeightsFile:
    return WeightsFile("carrier_of_weights", path, hashlib.sha256(content).hexdigest())


def test_weights_with_the_right_hash_are_located_without_running_the_package(carrier):
    assert carried().locate() == carrier / "data" / "small.bin"
    assert "carrier_of_weights" not in sys.modules


def test_weights_with_another_hash_are_refused(carrier):
    with pytest.raises(WeightsError, match=r"not the expected file.*carrier_of_weights"):
        carried(b"other weights").locate()


def test_weights_altered_after_installation_are_refused(carrier):
    carried().locate()
    (carrier / "data" / "small.bin").write_bytes(b"weightz")
    with pytest.raises(WeightsError, match="not the expected file"):
        carried().locate()


def test_a_missing_file_is_reported_with_what_to_do(carrier):
    with pytest.raises(WeightsError, match=r"gone\.bin are missing.*make setup"):
        carried(path="data/gone.bin").locate()


def test_a_missing_package_is_reported_with_what_to_do():
    absent = WeightsFile("no_such_carrier_of_weights", "data/small.bin", "0" * 64)
    with pytest.raises(WeightsError, match=r"no_such_carrier_of_weights.*make setup"):
        absent.locate()


def test_a_real_carrier_with_another_hash_is_refused():
    other = replace(SFACE.weights, sha256="0" * 64)
    with pytest.raises(WeightsError, match="not the expected file"):
        other.locate()


# --- weights that people put in place -----------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "_folder", tmp_path / "weights")
    return tmp_path / "weights"


def test_a_changed_file_has_another_fingerprint(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"one")
    first = weights.fingerprint(path)
    assert first == hashlib.sha256(b"one").hexdigest()[:12]
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert weights.fingerprint(path) == hashlib.sha256(b"two").hexdigest()[:12]


# --- fetching -----------------------------------------------------------------------------------


class _Answers(BaseHTTPRequestHandler):
    """Gives `good`, half of `cut`, and nothing else."""

    def do_GET(self) -> None:
        content = b"weights" * 1000
        if self.path not in ("/good", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if self.path == "/good" else content[:3000])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


SHA256 = hashlib.sha256(b"weights" * 1000).hexdigest()


@pytest.mark.parametrize("sha256", ["", SHA256])
def test_a_file_is_fetched_into_place(folder, address, sha256):
    told: list[tuple[int, int]] = []
    target = folder / "model" / "a.pt"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"an older one")
    downloads.fetch(
        Download(f"{address}/good", target, sha256), progress=lambda *of: told.append(of)
    )
    assert target.read_bytes() == b"weights" * 1000
    assert told[-1] == (7000, 7000)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("path", "sha256", "words"),
    [
        ("/good", "0" * 64, "not the expected file"),
        ("/cut", "", "it ended after 3000 of 7000 bytes"),
        ("/gone", "", "Not Found"),
    ],
)
def test_what_does_not_arrive_whole_is_not_kept(folder, address, path, sha256, words):
    target = folder / "a.pt"
    with pytest.raises(WeightsError, match=words):
        downloads.fetch(Download(f"{address}{path}", target, sha256))
    assert list(folder.iterdir()) == []


def test_without_a_network_there_is_a_sentence_with_what_to_do(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(WeightsError) as caught:
        downloads.fetch(Download(f"http://127.0.0.1:{free}/a.pt", folder / "a.pt"))
    assert f"http://127.0.0.1:{free}/a.pt cannot be fetched (Connection refused)" in str(
        caught.value
    )
    assert f"put it here: {folder / 'a.pt'}" in str(caught.value)


def test_published_files_are_fetched_from_fixed_addresses(folder):
    wanted = {spec.slug: spec.weights.downloads() for spec in embedders.specs()}
    assert {slug for slug, files in wanted.items() if not files} == {"sface", "dlib-resnet"}
    [facenet] = wanted["facenet-vggface2"]
    assert facenet.target == folder / "20180402-114759-vggface2.pt"
    assert len(facenet.sha256) == 64
    for slug in ("dino-vitb16", "vit-base-patch16-224-in21k"):
        for file in wanted[slug]:
            assert file.target.parent == folder / slug
            assert re.fullmatch(r"https://huggingface\.co/.*/resolve/[0-9a-f]{40}/.*", file.address)
