"""Work that only one does at a time, in this process and beside it."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from faceweb.exclusive import only_one

pytestmark = pytest.mark.django_db


def test_a_name_is_held_once_and_let_go() -> None:
    with only_one("a") as first, only_one("a") as second, only_one("b") as other:
        assert (first, second, other) == (True, False, True)
    with pytest.raises(RuntimeError), only_one("a"):
        raise RuntimeError
    with only_one("a") as again:
        assert again


def test_other_processes_count() -> None:
    if connection.vendor == "postgresql":
        pytest.skip("the lock is in the database, not in a folder")
    path = settings.DATA_DIR / "run" / "test-work.lock"
    path.touch()
    program = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); "
        "print(1, flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline()
    with only_one("test-work") as mine:
        assert not mine
    holder.kill()  # however it ends, the lock is free then
    holder.communicate()
    with only_one("test-work") as mine:
        assert mine
