"""A whole faceweb for tests: started as people start it, on a port and a folder of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "museum-archive-1"


class Running:
    """A started instance, and commands beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder.parent / f"{folder.name}.log"
        self.extra: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith(("FACEWEB_", "DJANGO_", "TEST_"))}  # fmt: skip
        for name in ("DATABASE_URL", "REDIS_URL", "QDRANT_URL", "STORAGE_URL"):
            kept.pop(name, None)
        return {
            **kept,
            "FACEWEB_DATA_DIR": str(self.folder),
            "FACEWEB_ADMIN_PASSWORD": PASSWORD,
            "PORT": str(self.port),
            **self.extra,
        }

    def start(self) -> float:
        """Start and wait for the ready line; return the seconds it took."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            mark = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "start"], cwd=ROOT, env=self.environment,
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        while f"faceweb is ready at {self.url}" not in self.log.read_text()[mark:]:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() - begun < 120, self.log.read_text()
            time.sleep(0.1)
        return time.monotonic() - begun

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def worker(self) -> psutil.Process | None:
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if "celery" in child.cmdline():
                    return child
        return None

    def command(
        self, *words: str, check: bool = True, timeout: float | None = 300
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment,
            capture_output=True, text=True, check=check, timeout=timeout,
        )  # fmt: skip

    def answer(self, *words: str, timeout: float | None = 300) -> Any:
        return json.loads(self.command(*words, "--json", timeout=timeout).stdout)

    def health(self) -> dict[str, bool]:
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as response:
            return json.load(response)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Running]:
    instance = Running(folder)
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()
