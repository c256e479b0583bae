"""The whole path over a real broker, a real worker and a real index."""

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import many_photos
from tests.e2e.running import ROOT, Running, running
from tests.faces import photo

pytestmark = pytest.mark.worker


def test_import_search_and_count(site: Running, named_folder: Path) -> None:
    outcome = site.answer("import_photos", str(named_folder), "--names", "file")
    assert (outcome["new"], outcome["done"]) == (4, 3)
    assert [(f["photo"], f["error"]) for f in outcome["failed"]] == [("cut.jpg", "truncated")]
    assert [(r["photo"], r["error"]) for r in outcome["refused"]] == [("empty.jpg", "empty")]
    assert [u["name"] for u in outcome["undecided"]] == ["João Baião"]

    again = site.answer("import_photos", str(named_folder), "--names", "file")
    assert (again["new"], again["known"]) == (0, 4)

    stats = site.answer("stats")
    assert stats["photos"] == {"total": 4, "queued": 0, "processing": 0, "done": 3, "failed": 1}
    assert stats["people"] == 2
    assert stats["faces"] == stats["index_points"] == stats["embeddings"]["sface"] >= 8
    assert stats["pending_index_writes"] == stats["pending_index_removals"] == 0

    found, missing = site.answer("search", str(photo("obama2.jpg")), "nowhere.jpg", "--top", "2")
    assert found["error"] is None
    best = found["faces"][0]
    assert best["verdict"] == "match"
    assert best["candidates"][0]["person"] == "Barack Obama"
    assert {"box", "detection_score", "verdict", "candidates"} <= set(best)
    assert {"margin", "quality", "quality_reasons", "warning"} <= set(best)
    first = best["candidates"][0]
    assert {"rank", "person", "person_id", "face_id", "photo", "similarity", "verdict"} <= set(
        first
    )
    assert {"confidence", "strangers", "support"} <= set(first)
    assert "No such file" in missing["error"] and missing["faces"] == []
    assert site.answer("stats")["index_points"] == stats["index_points"]


def test_the_worker_is_one_process(site: Running) -> None:
    """As settings say; started by hand, Celery would fork otherwise."""
    worker = site.worker()
    assert worker is not None
    assert worker.children() == []


def test_two_cannot_share_a_data_folder(site: Running) -> None:
    for words in (["start"], ["import_photos", ".", "--inline"], ["search", "x.jpg", "--inline"],
                  ["rebuild_index"]):  # fmt: skip
        refused = site.command(*words, check=False)
        assert refused.returncode == 1
        assert "already running on the data folder" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_taken_port_gets_a_sentence(site: Running, tmp_path: Path) -> None:
    other = Running(tmp_path / "data")
    other.port = site.port
    refused = other.command("start", check=False)
    assert refused.returncode == 1
    assert f"Port {site.port}" in refused.stderr and "Traceback" not in refused.stderr


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused = Running(tmp_path / "file" / "data").command("start", check=False)
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr and "FACEWEB_DATA_DIR" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_without_a_running_faceweb_commands_say_so(tmp_path: Path) -> None:
    stopped = Running(tmp_path / "data")
    stopped.command("migrate")
    for words in (["import_photos", str(tmp_path)], ["search", "x.jpg"]):
        refused = stopped.command(*words, check=False)
        assert "is not running" in refused.stderr and "Traceback" not in refused.stderr


def rows(instance: Running) -> dict[str, list[tuple]]:
    """What the database holds, without ids and times."""
    with sqlite3.connect(instance.folder / "faceweb.sqlite3") as database:
        ask = database.execute
        return {
            "photos": ask("SELECT sha256, status, naming FROM people_photo ORDER BY 1").fetchall(),
            "faces": ask(
                "SELECT p.sha256, f.number, round(f.x1), round(f.y2), n.name FROM people_face f "
                "JOIN people_photo p ON p.id = f.photo_id "
                "LEFT JOIN people_person n ON n.id = f.person_id ORDER BY 1, 2"
            ).fetchall(),
            "embeddings": ask(
                "SELECT p.sha256, f.number, e.embedder FROM people_faceembedding e "
                "JOIN people_face f ON f.id = e.face_id JOIN people_photo p ON p.id = f.photo_id "
                "WHERE e.indexed_at IS NOT NULL ORDER BY 1, 2"
            ).fetchall(),
        }


def test_a_killed_worker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    folder = many_photos(tmp_path / "photos", 60)
    calm, rough = Running(tmp_path / "calm"), tmp_path / "rough"
    calm.command("migrate")
    calm.command("import_photos", str(folder), "--names", "file", "--inline")
    with running(rough) as site:
        words = [sys.executable, "manage.py", "import_photos", str(folder), "--names", "file"]
        command = subprocess.Popen(
            [*words, "--json"], cwd=ROOT, env=site.environment, stdout=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while not any(status == "done" for _, status, _ in rows(site)["photos"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        worker = site.worker()
        assert worker is not None
        worker.kill()
        output, _ = command.communicate(timeout=180)
        outcome = json.loads(output)
        assert (outcome["done"], outcome["failed"]) == (60, [])
        assert "the worker died" in site.log.read_text()
        stats = site.answer("stats")
        assert stats["index_points"] == stats["faces"]
        assert stats["pending_index_writes"] == 0
    assert rows(site) == rows(calm)


def test_a_second_start_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    instance = Running(tmp_path / "data")
    instance.start()
    worker, parent = instance.worker(), instance.process
    assert instance.stop() == 0
    assert worker is not None and not worker.is_running()
    assert parent is not None and parent.returncode == 0
    assert instance.start() < 15
    assert instance.health() == {"ok": True, "database": True, "broker": True}
    instance.stop()
