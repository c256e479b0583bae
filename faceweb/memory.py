"""Giving memory back to the system."""

import contextlib
import ctypes
import time

_PAUSE_SECONDS = 10
_last = 0.0


def give_back() -> bool:
    """Return what the C library keeps of freed memory, if that was not done just now.

    Looking at photos takes and frees large pieces in several threads. What lies between pieces in
    use is kept, and a worker would grow to twice what it needs. It takes about 40 ms and works
    with glibc; elsewhere nothing happens. Returns whether there was something to return.
    """
    global _last
    now = time.monotonic()
    if now - _last < _PAUSE_SECONDS:
        return False
    _last = now
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).malloc_trim(0))
    return False
