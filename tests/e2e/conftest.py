import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from tests.e2e.running import Running, running
from tests.faces import photo


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running faceweb that tests add to and never empty."""
    with running(tmp_path_factory.mktemp("site") / "data") as instance:
        yield instance


@pytest.fixture(scope="session")
def named_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with people's names as file names, and files that are no good."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "Barack_Obama_1.jpg").write_bytes(photo("obama.jpg").read_bytes())
    (folder / "Joe_Biden_1.jpg").write_bytes(photo("biden.jpg").read_bytes())
    (folder / "deeper").mkdir()
    (folder / "deeper" / "João_Baião_1.jpg").write_bytes(photo("group.jpg").read_bytes())
    (folder / "deeper" / "cut.jpg").write_bytes(photo("obama.jpg").read_bytes()[:40_000])
    (folder / "notes.txt").write_text("not a photo")
    (folder / "empty.jpg").write_bytes(b"")
    return folder


def many_photos(folder: Path, count: int) -> Path:
    """Many different pictures of two people, with their names as file names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        name = ("obama.jpg", "biden.jpg")[number % 2]
        with Image.open(photo(name)) as picture:
            picture.thumbnail((500, 500))
            changed = ImageEnhance.Brightness(picture).enhance(0.7 + number / count * 0.6)
        buffer = io.BytesIO()
        changed.save(buffer, "JPEG", quality=80)
        person = ("Barack_Obama", "Joe_Biden")[number % 2]
        (folder / f"{person}_{number}.jpg").write_bytes(buffer.getvalue())
    return folder
