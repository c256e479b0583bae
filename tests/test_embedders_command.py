"""`manage.py embedders`: what is listed, and that nothing is fetched unasked."""

import io
import json
import socket
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from faceweb.recognition import embedders, weights
from tests.weights import make_onnx

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "_folder", tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The names that someone looked up in the network, all without success."""
    names: list[str] = []

    def lookup(host: str, *_: object, **__: object) -> None:
        names.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return names


def output(*words: str) -> str:
    out = io.StringIO()
    call_command("embedders", *words, stdout=out)
    return out.getvalue()


def listed() -> dict[str, dict]:
    return {one["slug"]: one for one in json.loads(output("--json"))}


def test_all_are_listed_with_what_is_missing_and_no_network(asked):
    found = listed()
    assert tuple(found) == embedders.slugs()
    sface, facenet, dino = found["sface"], found["facenet-vggface2"], found["dino-vitb16"]
    assert sface["ready"] and sface["calibrated"] and sface["active"] and not sface["missing"]
    assert not facenet["ready"] and not facenet["calibrated"] and not facenet["active"]
    assert "20180402-114759-vggface2.pt" in facenet["missing"]
    assert (dino["purpose"], dino["dimension"]) == ("general", 768)
    assert found["dlib-resnet"]["ready"]
    assert asked == []


def test_for_people_there_are_sentences(asked):
    text = output()
    assert "sface (active; ready; calibrated)" in text
    assert "dlib-resnet (ready; calibrated)" in text
    assert "dino-vitb16 (not ready; not calibrated: similarity only)" in text
    assert "general pictures: similarity only, not who it is" in text
    assert "Put the file 20180402-114759-vggface2.pt" in text


def test_networks_that_people_bring_are_listed(folder, settings):
    make_onnx(folder)
    settings.FACEWEB_EMBEDDER = "onnx:gone.onnx"
    found = listed()
    assert found["onnx:tiny.onnx"]["ready"]
    gone = found["onnx:gone.onnx"]
    assert gone["active"] and "There is no network" in gone["missing"]
    text = output().partition("onnx:gone.onnx")[2]
    assert "numbers a face" not in text and "nobody knows what it is for" in text


@pytest.mark.parametrize(
    ("slug", "host"), [("facenet-vggface2", "github.com"), ("dino-vitb16", "huggingface.co")]
)
def test_a_download_without_a_network_ends_in_a_sentence(folder, asked, slug, host):
    with pytest.raises(CommandError, match=r"cannot be fetched .*put it here") as caught:
        output("--download", slug)
    assert str(folder) in str(caught.value)
    assert set(asked) == {host}
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert not listed()[slug]["ready"]


@pytest.mark.parametrize("slug", ["sface", "onnx:mine.onnx", "nonesuch"])
def test_what_is_not_fetched_is_said(asked, slug):
    with pytest.raises(CommandError, match=slug):
        output("--download", slug)
    assert asked == []


@pytest.mark.parametrize(
    "words", [["start"], ["import_photos", ".", "--inline"], ["search", "x.jpg", "--inline"]]
)
def test_who_needs_models_is_told_what_is_missing(settings, words):
    settings.FACEWEB_EMBEDDER = "facenet-vggface2"
    settings.PORT = 0
    with pytest.raises(CommandError, match=r"Put the file 20180402-114759-vggface2\.pt"):
        call_command(*words)
