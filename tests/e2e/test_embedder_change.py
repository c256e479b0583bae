"""Another embedder for an archive that is there: the worker embeds it anew while it runs."""

import time
from pathlib import Path

import pytest

from tests.e2e.running import Running
from tests.faces import photo

pytestmark = pytest.mark.worker


def test_an_archive_follows_a_change_of_the_embedder(tmp_path: Path, named_folder: Path) -> None:
    site = Running(tmp_path / "data")
    site.command("migrate")
    site.answer("import_photos", str(named_folder), "--names", "file", "--inline")
    before = site.answer("stats")
    site.extra["FACEWEB_EMBEDDER"] = "dlib-resnet"
    site.start()
    try:
        deadline = time.monotonic() + 60
        while (now := site.answer("stats"))["faces_waiting_for_the_embedder"]:
            assert time.monotonic() < deadline, now
            time.sleep(0.5)
        [found] = site.answer("search", str(photo("obama2.jpg")), "--top", "1")
    finally:
        assert site.stop() == 0
    assert now["embeddings"] == {"sface": before["faces"], "dlib-resnet": before["faces"]}
    assert now["index_points"] == 2 * before["faces"]
    assert (now["people"], now["faces"]) == (before["people"], before["faces"])
    assert found["faces"][0]["candidates"][0]["person"] == "Barack Obama"
    assert site.answer("embedders")[1]["active"]
