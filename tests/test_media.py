"""Pictures in a folder of this machine."""

import io
import os
import threading
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from faceweb.media import Folder

NAME = "photos/ab/cd/abcd/preview.jpg"


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(
        location=tmp_path / "media", file_permissions_mode=0o600, directory_permissions_mode=0o700
    )


def test_what_is_saved_can_be_read_and_is_written_over(folder) -> None:
    assert folder.save(NAME, ContentFile(b"a long text")) == NAME
    assert folder.save(NAME, ContentFile(b"short")) == NAME
    with folder.open(NAME) as file:
        assert file.read() == b"short"
    assert folder.listdir("photos/ab/cd/abcd") == ([], ["preview.jpg"])


def test_only_a_file_with_something_in_it_is_cut(folder, monkeypatch) -> None:
    cut: list[int] = []
    ftruncate = os.ftruncate

    def counting(target: int, length: int) -> None:
        cut.append(length)
        ftruncate(target, length)

    monkeypatch.setattr(os, "ftruncate", counting)
    folder.save(NAME, ContentFile(b"new"))
    assert not cut
    folder.save(NAME, ContentFile(b"again"))
    assert cut == [0]


def test_any_file_is_saved_from_its_start(folder) -> None:
    content = bytes(range(256)) * 1000  # more than one chunk
    for source in (io.BytesIO(content), File(io.BytesIO(content))):
        source.seek(5)
        folder.save(NAME, source)
        assert Path(folder.path(NAME)).read_bytes() == content


def test_nobody_else_on_the_machine_can_look_in(folder) -> None:
    folder.save(NAME, ContentFile(b"picture"))
    modes = {Path(folder.path(NAME)).stat().st_mode & 0o777}
    assert modes == {0o600}
    parents = Path(folder.path(NAME)).relative_to(folder.location).parents
    folders = [Path(folder.location, part) for part in parents]
    assert len(folders) == 5
    assert {each.stat().st_mode & 0o777 for each in folders} == {0o700}


@pytest.mark.parametrize("name", ["../outside.jpg", "/outside.jpg", "", None])
def test_a_name_leads_nowhere_else(folder, name) -> None:
    with pytest.raises(SuspiciousFileOperation):
        folder.save(name, ContentFile(b"picture"))
    assert not Path(folder.location).exists()


def test_what_cannot_be_written_says_so(folder) -> None:
    folder.save("photos", ContentFile(b"in the way"))
    with pytest.raises(OSError, match="photos"):
        folder.save(NAME, ContentFile(b"picture"))


def test_a_folder_that_is_not_there_says_so(folder) -> None:
    Path(folder.location).symlink_to("a disk that is not mounted")
    with pytest.raises(FileNotFoundError):
        folder.save(NAME, ContentFile(b"picture"))


def test_of_two_who_write_at_once_one_file_stays_whole(folder) -> None:
    sizes, started = (500_000, 300_000), threading.Barrier(2)

    def save(number: int) -> None:
        started.wait()
        folder.save(NAME, ContentFile(bytes([number]) * sizes[number]))

    for _ in range(20):
        threads = [threading.Thread(target=save, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        content = Path(folder.path(NAME)).read_bytes()
        assert content in (bytes(sizes[0]), b"\1" * sizes[1])
        folder.delete(NAME)  # both are to find no file


def test_pictures_are_kept_so_unless_settings_say_otherwise() -> None:
    assert isinstance(storages["default"], Folder)


def test_threads_make_the_same_folders_at_once(folder) -> None:
    ready, faults = threading.Barrier(8), []

    def save(number: int) -> None:
        ready.wait()
        try:
            folder.save(f"photos/ab/cd/abcd/face-{number}.jpg", ContentFile(b"picture"))
        except OSError as error:
            faults.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(folder.listdir("photos/ab/cd/abcd")[1]) == 8
