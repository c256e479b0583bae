"""One faceweb on one data folder: a lock that the system lets go when its holder dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from django.conf import settings


class DataFolderInUse(Exception):
    """Another process holds the data folder."""


@contextlib.contextmanager
def exclusive() -> Iterator[int]:
    """Hold the data folder; yields the lock's descriptor. Raises DataFolderInUse at once.

    Child processes that inherit the descriptor keep the lock while they live, so that a new
    instance cannot start beside what an old one left running.
    """
    path = settings.DATA_DIR / "run" / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFolderInUse(
                f"faceweb is already running on the data folder {settings.DATA_DIR}."
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)


def is_held() -> bool:
    """Whether some process holds the data folder."""
    try:
        with exclusive():
            return False
    except DataFolderInUse:
        return True
