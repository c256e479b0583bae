"""Work that one process or thread at a time may do, wherever it runs."""

import contextlib
import fcntl
import os
import threading
import zlib
from collections.abc import Iterator

from django.conf import settings
from django.db import connection

_here: dict[str, threading.Lock] = {}


@contextlib.contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Hold the lock of that name, if it is free: yields whether it is held. Never waits.

    The database keeps it where it can (PostgreSQL's advisory locks). An SQLite database is a
    file on one machine, and so is the lock. Either is let go when its holder dies.
    """
    here = _here.setdefault(name, threading.Lock())  # a database lets its own session in again
    if not here.acquire(blocking=False):
        yield False
        return
    try:
        if connection.vendor == "postgresql":
            with _in_database(zlib.crc32(f"faceweb {name}".encode())) as held:
                yield held
        else:
            with _in_folder(name) as held:
                yield held
    finally:
        here.release()


@contextlib.contextmanager
def _in_database(key: int) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


@contextlib.contextmanager
def _in_folder(name: str) -> Iterator[bool]:
    descriptor = os.open(settings.DATA_DIR / "run" / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
