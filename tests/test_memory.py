"""Memory is given back, and not all the time."""

import ctypes
import sys

import pytest

from faceweb import memory

glibc = pytest.mark.skipif(
    not (sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")),
    reason="only glibc can be asked to give memory back",
)


def held() -> int:
    """Kilobytes that this process holds."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


@glibc
def test_freed_memory_between_used_pieces_goes_back(monkeypatch) -> None:
    monkeypatch.setattr(memory, "_last", -1e9)
    pieces = [b"x" * 60_000 for _ in range(5000)]  # too small to be mapped one by one
    kept = pieces[::50]
    full = held()
    del pieces
    assert memory.give_back()
    assert held() < full - 150_000
    assert len(kept) == 100


def test_it_is_not_done_again_at_once(monkeypatch) -> None:
    monkeypatch.setattr(memory, "_last", -1e9)
    memory.give_back()
    assert memory.give_back() is False
