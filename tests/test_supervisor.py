"""Parts under one parent, and one faceweb on one data folder."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faceweb import instance, supervisor
from faceweb.supervisor import Part, StartFailed, Supervisor

# A part that says it is there by writing its process id to a file, then waits.
WAITING = """
import sys, time
from pathlib import Path
path = Path(sys.argv[1])
path.with_suffix(".new").write_text(f"{__import__('os').getpid()} {time.monotonic()}")
path.with_suffix(".new").rename(path)
for _ in range(1200):
    time.sleep(0.05)  # a signal that comes just before one long sleep would wait for its end
"""
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{WAITING}"


def part(name: str, folder: Path, code: str = WAITING) -> Part:
    path = folder / name
    return Part(name, [sys.executable, "-c", code, str(path)], path.exists)


def process_id(name: str, folder: Path) -> int:
    return int((folder / name).read_text().split()[0])


def ready_at(name: str, folder: Path) -> float:
    return float((folder / name).read_text().split()[1])


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.fixture
def lock(tmp_path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def supervise(lock) -> Iterator[Callable[..., Supervisor]]:
    """Make supervisors whose parts are gone after the test, whatever happens in it."""
    made: list[tuple[Supervisor, tuple[Part, ...]]] = []

    def make(*parts: Part) -> Supervisor:
        made.append((Supervisor(list(parts), lock=lock), parts))
        return made[-1][0]

    yield make
    for one, parts in made:
        one.ask_to_stop()
        for left in parts:
            if left.process is not None and left.process.poll() is None:
                left.process.kill()
                left.process.wait()


@pytest.fixture
def running() -> Iterator[Callable[[Supervisor], threading.Thread]]:
    """Run supervisors' loops in threads that end with the test."""
    loops: list[tuple[Supervisor, threading.Thread]] = []

    def run(one: Supervisor) -> threading.Thread:
        thread = threading.Thread(target=one.run)
        thread.start()
        loops.append((one, thread))
        return thread

    yield run
    for one, thread in loops:
        one.ask_to_stop()
        thread.join(10)


# --- starting -----------------------------------------------------------------------------------


def test_all_parts_are_ready_when_start_returns(tmp_path, supervise):
    parts = [part(name, tmp_path) for name in ("broker", "worker", "web")]
    supervise(*parts).start(timeout=30)
    assert all(p.ready() for p in parts)
    assert all(is_alive(process_id(p.name, tmp_path)) for p in parts)


def test_the_first_part_is_ready_before_the_others_are_started(tmp_path, supervise):
    slow = f"import time; time.sleep(0.5)\n{WAITING}"
    parts = [part("broker", tmp_path, slow), part("worker", tmp_path), part("web", tmp_path)]
    supervise(*parts).start(timeout=30)
    assert parts[0].started_at < parts[1].started_at <= parts[2].started_at
    assert ready_at("broker", tmp_path) <= parts[1].started_at


def test_the_other_parts_start_side_by_side(tmp_path, supervise):
    slow = f"import time; time.sleep(0.5)\n{WAITING}"
    parts = [part("broker", tmp_path), part("worker", tmp_path, slow), part("web", tmp_path, slow)]
    supervise(*parts).start(timeout=30)
    assert parts[2].started_at < ready_at("worker", tmp_path)


def test_a_part_that_exits_at_once_fails_the_start_by_name(tmp_path, supervise):
    broken = part("worker", tmp_path, "raise SystemExit(7)")
    with pytest.raises(StartFailed, match=r"worker.*7"):
        supervise(part("broker", tmp_path), broken).start(timeout=30)


def test_a_part_that_never_becomes_ready_fails_the_start_by_name(tmp_path, supervise):
    dawdling = part("web", tmp_path, "import time; time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(StartFailed, match=r"web.*in time"):
        supervise(part("broker", tmp_path), dawdling).start(timeout=1.5)
    assert time.monotonic() - start < 15


def test_asking_to_stop_ends_waiting_for_parts(tmp_path, supervise):
    one = supervise(part("broker", tmp_path, "import time; time.sleep(60)"))
    threading.Timer(0.5, one.ask_to_stop).start()
    start = time.monotonic()
    one.start(timeout=60)
    assert time.monotonic() - start < 15


def test_parts_get_their_environment_the_lock_and_no_terminal(tmp_path, supervise, lock):
    code = f"""
import os, sys
os.fstat({lock})
assert sys.stdin.read() == ""
assert os.getsid(0) == os.getpid()
assert os.environ["COLOUR"] == "blue" and os.environ["PATH"]
{WAITING}
"""
    one = part("worker", tmp_path, code)
    one.environment = {"COLOUR": "blue"}
    supervise(one).start(timeout=30)
    assert one.ready()


# --- keeping parts running ----------------------------------------------------------------------


def test_a_part_that_dies_is_started_again_and_the_others_stay(tmp_path, supervise, running):
    parts = [part("broker", tmp_path), part("worker", tmp_path)]
    one = supervise(*parts)
    one.start(timeout=30)
    running(one)
    first, other = process_id("worker", tmp_path), process_id("broker", tmp_path)
    (tmp_path / "worker").unlink()
    os.kill(first, signal.SIGKILL)
    assert eventually((tmp_path / "worker").exists)
    second = process_id("worker", tmp_path)
    assert second != first
    assert is_alive(second)
    assert process_id("broker", tmp_path) == other
    assert is_alive(other)


def test_a_part_that_keeps_dying_is_started_ever_more_slowly(tmp_path, supervise, running):
    counting = """
import sys
from pathlib import Path
with Path(sys.argv[1]).open("a") as file:
    file.write("x")
raise SystemExit(1)
"""
    path = tmp_path / "worker"
    dying = Part("worker", [sys.executable, "-c", counting, str(path)], path.exists)
    one = supervise(dying)
    one.start(timeout=30)
    running(one)
    time.sleep(4)
    assert 2 <= len(path.read_text()) <= 5
    assert dying.deaths >= 2


def test_running_ends_when_asked_to_stop(tmp_path, supervise, running):
    one = supervise(part("broker", tmp_path))
    one.start(timeout=30)
    thread = running(one)
    assert thread.is_alive()
    one.ask_to_stop()
    thread.join(5)
    assert not thread.is_alive()


# --- stopping -----------------------------------------------------------------------------------


def test_stopping_ends_all_parts_the_last_one_first(tmp_path, supervise):
    noting = f"""
import signal, sys, time
def note(*_):
    with open({str(tmp_path / "ended")!r}, "a") as file:
        file.write(sys.argv[1].rpartition("/")[2] + " ")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, note)
{WAITING}
"""
    one = supervise(*(part(name, tmp_path, noting) for name in ("broker", "worker", "web")))
    one.start(timeout=30)
    numbers = [process_id(name, tmp_path) for name in ("broker", "worker", "web")]
    one.stop()
    assert not any(is_alive(number) for number in numbers)
    assert (tmp_path / "ended").read_text().split() == ["web", "worker", "broker"]


def test_stopping_twice_or_before_starting_does_no_harm(tmp_path, supervise):
    one = supervise(part("broker", tmp_path))
    one.stop()
    one.start(timeout=30)
    one.stop()
    one.stop()
    assert not is_alive(process_id("broker", tmp_path))


def test_a_part_that_does_not_go_is_killed(tmp_path, supervise, monkeypatch):
    monkeypatch.setattr(supervisor, "_STOP_SECONDS", 0.5)
    one = supervise(part("worker", tmp_path, DEAF))
    one.start(timeout=30)
    number = process_id("worker", tmp_path)
    one.stop()
    assert not is_alive(number)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_parts_end_when_their_parent_is_killed(tmp_path):
    program = f"""
import sys
from pathlib import Path
from faceweb.supervisor import Part, Supervisor
path = Path({str(tmp_path / "broker")!r})
command = [sys.executable, "-c", {WAITING!r}, str(path)]
Supervisor([Part("broker", command, path.exists)], lock=1).start(timeout=30)
print("ready", flush=True)
import time; time.sleep(60)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        number = process_id("broker", tmp_path)
        assert is_alive(number)
        parent.kill()
        parent.wait()
        assert eventually(lambda: not is_alive(number))


# --- one faceweb on one data folder -------------------------------------------------------------

HOLDING = """
import os, sys, time
from pathlib import Path
from django.conf import settings
settings.configure(DATA_DIR=Path(sys.argv[1]))
from faceweb import instance
with instance.exclusive():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def data_folder(tmp_path, settings) -> Path:
    (tmp_path / "run").mkdir()
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def holder(data_folder) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the data folder."""
    command = [sys.executable, "-c", HOLDING, str(data_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_data_folder_is_free_until_it_is_held(data_folder):
    assert not instance.is_held()
    with instance.exclusive() as descriptor:
        assert os.fstat(descriptor)
        assert instance.is_held()
    assert not instance.is_held()


def test_a_second_holder_in_the_same_process_is_refused(data_folder):
    refused = pytest.raises(instance.DataFolderInUse, match=str(data_folder))
    with instance.exclusive(), refused, instance.exclusive():
        pass
    with instance.exclusive():
        pass


def test_a_second_holder_in_another_process_is_refused(holder):
    with pytest.raises(instance.DataFolderInUse), instance.exclusive():
        pass
    assert instance.is_held()


def test_the_folder_is_free_again_when_its_holder_is_killed(holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not instance.is_held()
    with instance.exclusive():
        assert instance.is_held()


def test_the_folder_is_free_again_after_an_error(data_folder):
    with pytest.raises(ZeroDivisionError), instance.exclusive():
        _ = 1 / 0
    assert not instance.is_held()


def test_a_part_that_outlives_its_parent_still_holds_the_folder(data_folder):
    with instance.exclusive() as descriptor:
        sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = subprocess.Popen(sleeping, pass_fds=(descriptor,))
    try:
        assert instance.is_held()
        with pytest.raises(instance.DataFolderInUse), instance.exclusive():
            pass
    finally:
        child.kill()
        child.wait()
    assert not instance.is_held()
