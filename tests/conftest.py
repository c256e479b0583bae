"""What tests share: a real broker, an index of their own, someone who is signed in."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from faceweb import runtime
from faceweb.management.commands.start import _broker
from faceweb.recognition import engine


@pytest.fixture(scope="session", autouse=True)
def broker() -> Iterator[None]:
    """A real broker where the settings expect one."""
    part = _broker()
    process = subprocess.Popen(part.command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not part.ready():
        assert time.monotonic() < deadline, "the broker does not start"
        time.sleep(0.02)
    yield
    process.terminate()
    process.wait()
    settings.BROKER_SOCKET.unlink(missing_ok=True)


@pytest.fixture
def index(tmp_path: Path, settings) -> Iterator[object]:
    """A real, empty Edge index behind `runtime.index()`."""
    runtime.close()
    settings.INDEX_DIR = tmp_path / "index"
    yield runtime.index()
    runtime.close()


@pytest.fixture
def user(db):
    return get_user_model().objects.create_user("volunteer", password="museum-archive-1")


@pytest.fixture
def signed_in(client: Client, user) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks compute in 32 bits, whatever this processor is quick at."""
    monkeypatch.setattr(engine, "has_bfloat16", lambda: False)
    monkeypatch.setattr(engine, "has_int8", lambda: False)


@pytest.fixture
def sent(monkeypatch) -> list[tuple[str, list[int]]]:
    """What was queued for the worker, by the name of the task."""
    from faceweb import queues

    found: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(queues, "send", lambda task, *args: found.append((task.name, *args)))
    return found
