"""Running broker, worker and web under one parent, and keeping them running."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger("faceweb.start")

_STOP_SECONDS = 15
_BACKOFF_SECONDS = (0, 1, 2, 5, 10, 30)
_CALM_SECONDS = 60  # after this long without dying, a part starts with a clean slate


@dataclass
class Part:
    """A program that is kept running."""

    name: str
    command: list[str]
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    restart_at: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


class StartFailed(Exception):
    """A part did not come up; the message says which."""


class Supervisor:
    """Starts parts in order, restarts those that die, and stops them in reverse order."""

    def __init__(self, parts: list[Part], *, lock: int) -> None:
        self._parts = parts
        self._lock = lock
        self._stopping = threading.Event()

    def start(self, *, timeout: float) -> None:
        """Start all parts and wait until each is ready. Raises StartFailed."""
        deadline = time.monotonic() + timeout
        for part in self._parts:
            self._spawn(part)
            # The broker must be there before those who connect to it; the rest load side by side.
            if part is self._parts[0]:
                self._wait(part, deadline)
        for part in self._parts:
            self._wait(part, deadline)

    def run(self) -> None:
        """Keep the parts running until told to stop."""
        while not self._stopping.wait(0.5):
            for part in self._parts:
                self._look_after(part)

    def ask_to_stop(self, *_: object) -> None:
        self._stopping.set()

    def stop(self) -> None:
        """Stop all parts, the last one first; whoever does not go is killed."""
        for part in reversed(self._parts):
            process = part.process
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("%s does not stop and is killed", part.name)
                process.kill()
                process.wait()

    def _wait(self, part: Part, deadline: float) -> None:
        while not self._stopping.is_set() and not part.ready():
            assert part.process is not None
            if (code := part.process.poll()) is not None:
                raise StartFailed(f"The {part.name} did not start (exit code {code}); see above.")
            if time.monotonic() > deadline:
                raise StartFailed(f"The {part.name} did not become ready in time; see above.")
            time.sleep(0.05)

    def _look_after(self, part: Part) -> None:
        now = time.monotonic()
        if part.process is not None and (code := part.process.poll()) is not None:
            part.process = None
            calm = now - part.started_at > _CALM_SECONDS
            part.deaths = 1 if calm else part.deaths + 1
            pause = _BACKOFF_SECONDS[min(part.deaths - 1, len(_BACKOFF_SECONDS) - 1)]
            part.restart_at = now + pause
            log.warning("the %s died (%d) and is started again in %d s", part.name, code, pause)
        if part.process is None and now >= part.restart_at:
            self._spawn(part)

    def _spawn(self, part: Part) -> None:
        part.started_at = time.monotonic()
        part.process = subprocess.Popen(
            part.command,
            env={**os.environ, **part.environment},
            stdin=subprocess.DEVNULL,
            # Ctrl-C goes to this parent alone, which then stops the parts in order.
            start_new_session=True,
            pass_fds=(self._lock,),
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )


def _die_with_parent() -> None:
    """Have the kernel stop this child when the parent is gone, however it went (Linux)."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
