"""The command that imports a folder: which names it takes, and what it says of the rest."""

import json

import pytest
from django.core.management import call_command

from faceweb import queues
from people.management.commands.import_photos import Command
from people.models import Photo
from tests.factories import picture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch) -> None:
    monkeypatch.setattr(Command, "_look_inline", lambda self, batch: None)


@pytest.fixture
def folder(tmp_path):
    """Photos/ with two loose photos, one of Ana and one two folders down."""
    root = tmp_path / "Photos"
    for name in ("1.jpg", "2.jpg", "Ana_Silva/1.jpg", "Ana_Silva/Rui Costa/1.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture())
    return root


def names() -> list[tuple[str, str]]:
    return sorted(Photo.objects.values_list("name_hint", "naming"))


def test_loose_photos_get_no_name_from_the_folder_that_is_imported(folder, capsys) -> None:
    call_command("import_photos", folder, "--names", "folder", "--inline")
    assert names() == [("", "none"), ("", "none"), ("Ana Silva", "waiting"),
                       ("Rui Costa", "waiting")]  # fmt: skip
    said = capsys.readouterr().out
    assert f"2 photos lie directly in {folder}" in said and "No name was taken" in said


def test_a_folder_given_in_another_way_is_the_same_folder(folder, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    call_command("import_photos", ".", "--names", "folder", "--inline", "--json")
    assert json.loads(capsys.readouterr().out)["without_folder"] == 2
    monkeypatch.chdir(folder / "Ana_Silva")
    call_command("import_photos", "..", "--names", "folder", "--inline", "--json")
    assert json.loads(capsys.readouterr().out)["without_folder"] == 2
    assert names()[:2] == [("", "none"), ("", "none")]


@pytest.mark.parametrize("how", ["file", "none"])
def test_loose_photos_are_no_matter_where_folders_give_no_names(folder, capsys, how) -> None:
    call_command("import_photos", f"{folder}/", "--names", how, "--inline")
    assert "directly" not in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_passed_over_and_its_neighbours_are_not(folder, capsys):
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "text.jpg").write_text("no picture")
    call_command("import_photos", folder, "--inline", "--json")
    said = capsys.readouterr()
    outcome = json.loads(said.out)
    assert outcome["new"] == 4 and [one["photo"] for one in outcome["refused"]] == ["text.jpg"]
    assert f"{folder / 'gone.jpg'}: No such file or directory; passed over" in said.err


@pytest.mark.parametrize(("photos", "tasks"), [(48, [12] * 4), (50, [48, 2]), (3, [3])])
def test_photos_are_queued_as_they_are_stored(
    tmp_path, capsys, monkeypatch, settings, sent, photos, tasks
) -> None:
    settings.FACEWEB_WORKER_THREADS = 3
    monkeypatch.setattr(queues, "waiting", lambda queue: 0)
    monkeypatch.setattr(Command, "_wait", lambda self, batch: None)
    for number in range(photos):
        (tmp_path / f"{number}.jpg").write_bytes(picture(40, 40 + number))
    call_command("import_photos", tmp_path)
    queued = [ids for name, ids in sent if name == "people.process_photos"]
    assert [len(ids) for ids in queued] == tasks
    assert sorted(pk for ids in queued for pk in ids) == sorted(
        Photo.objects.values_list("pk", flat=True)
    )
