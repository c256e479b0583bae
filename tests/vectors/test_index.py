"""What every vector index promises, whatever stands behind it, and what a folder adds to that.

QDRANT_URL, where it is set, names a server whose collections `test-...` these tests may use.
"""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from faceweb.vectors.base import Float32, Hit, IndexUnavailable, VectorIndex
from faceweb.vectors.edge import EdgeIndex
from faceweb.vectors.server import ServerIndex

# The client asks a server's version in a thread, which may warn during a later test.
pytestmark = pytest.mark.filterwarnings("ignore:Failed to obtain server version")

DIMENSION = 16
KINDS = ["edge", "memory", *(["server"] if os.environ.get("QDRANT_URL") else [])]


@pytest.fixture(params=KINDS)
def index(request, tmp_path) -> Iterator[VectorIndex]:
    if request.param == "edge":
        opened: VectorIndex = EdgeIndex(tmp_path / "index")
    elif request.param == "memory":
        opened = ServerIndex(":memory:")
    else:
        opened = ServerIndex(os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
    yield opened
    opened.close()


@pytest.fixture
def name(index) -> Iterator[str]:
    """A collection of its own for each test, gone afterwards."""
    collection = f"test-{uuid.uuid4().hex}"
    yield collection
    index.drop(collection)


def vectors(count: int, seed: int = 0) -> Float32:
    drawn = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def at_angles(*degrees: float) -> Float32:
    """Unit vectors in one plane, so that their cosines are plain to see."""
    result = np.zeros((len(degrees), DIMENSION), np.float32)
    result[:, 0], result[:, 1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return result


def ids_of(hits: list[Hit]) -> list[int]:
    return [hit.id for hit in hits]


# --- every index --------------------------------------------------------------------------------


def test_an_unknown_collection_is_empty_and_can_be_cleared(index, name):
    assert index.count(name) == 0
    assert list(index.ids(name)) == []
    assert index.search(name, vectors(2), limit=3) == [[], []]
    index.remove(name, [1, 2])
    index.drop(name)
    assert index.count(name) == 0


def test_what_is_stored_is_counted_and_listed_in_ascending_order(index, name):
    index.upsert(name, [30, 5, 700], vectors(3))
    assert index.count(name) == 3
    assert list(index.ids(name)) == [5, 30, 700]


def test_the_nearest_come_first_with_their_cosines(index, name):
    index.upsert(name, [1, 2, 3, 4], at_angles(0, 60, 90, 180))
    [hits] = index.search(name, at_angles(0), limit=4)
    assert ids_of(hits) == [1, 2, 3, 4]
    assert [hit.similarity for hit in hits] == pytest.approx([1, 0.5, 0, -1], abs=1e-5)


def test_hits_agree_with_exhaustive_search(index, name):
    stored, queries = vectors(400, seed=1), vectors(7, seed=2)
    index.upsert(name, list(range(1000, 1400)), stored)
    cosines = queries @ stored.T
    for hits, row in zip(index.search(name, queries, limit=10), cosines, strict=True):
        best = np.argsort(-row)[:10]
        assert ids_of(hits) == [1000 + number for number in best.tolist()]
        np.testing.assert_allclose([hit.similarity for hit in hits], row[best], atol=1e-5)


def test_every_query_gets_its_own_hits_in_order(index, name):
    index.upsert(name, [1, 2, 3], at_angles(0, 45, 90))
    results = index.search(name, at_angles(90, 0, 45), limit=1)
    assert [ids_of(hits) for hits in results] == [[3], [1], [2]]


def test_no_queries_give_no_results(index, name):
    index.upsert(name, [1], vectors(1))
    assert index.search(name, vectors(0), limit=5) == []


def test_a_limit_larger_than_the_collection_gives_all_of_it(index, name):
    index.upsert(name, [1, 2, 3], vectors(3))
    [hits] = index.search(name, vectors(1), limit=1000)
    assert sorted(ids_of(hits)) == [1, 2, 3]


def test_removed_points_are_neither_counted_nor_listed_nor_found(index, name):
    index.upsert(name, [1, 2, 3], at_angles(0, 10, 20))
    index.remove(name, [1, 3, 99])
    assert index.count(name) == 1
    assert list(index.ids(name)) == [2]
    [hits] = index.search(name, at_angles(0), limit=3)
    assert ids_of(hits) == [2]


def test_removing_twice_changes_nothing(index, name):
    index.upsert(name, [1, 2], vectors(2))
    index.remove(name, [1])
    index.remove(name, [1])
    assert list(index.ids(name)) == [2]


def test_storing_under_an_id_again_replaces_its_vector(index, name):
    index.upsert(name, [1, 2], at_angles(0, 90))
    index.upsert(name, [1], at_angles(180))
    assert index.count(name) == 2
    [hits] = index.search(name, at_angles(0), limit=2)
    assert ids_of(hits) == [2, 1]
    assert hits[1].similarity == pytest.approx(-1, abs=1e-5)


def test_storing_the_same_thing_twice_changes_nothing(index, name):
    for _ in range(2):
        index.upsert(name, [1, 2, 3], at_angles(0, 30, 60))
    assert index.count(name) == 3
    [hits] = index.search(name, at_angles(0), limit=9)
    assert ids_of(hits) == [1, 2, 3]


def test_a_removed_id_can_be_stored_again(index, name):
    index.upsert(name, [1], at_angles(0))
    index.remove(name, [1])
    index.upsert(name, [1], at_angles(90))
    [[hit]] = index.search(name, at_angles(90), limit=1)
    assert hit.id == 1
    assert hit.similarity == pytest.approx(1, abs=1e-5)


def test_no_ids_are_no_work(index, name):
    index.upsert(name, [], vectors(0))
    assert index.count(name) == 0
    index.upsert(name, [1], vectors(1))
    index.upsert(name, [], vectors(0))
    index.remove(name, [])
    assert index.count(name) == 1


def test_ids_may_be_as_large_as_the_database_makes_them(index, name):
    largest = 2**63 - 1
    index.upsert(name, [1, largest], at_angles(0, 90))
    assert list(index.ids(name)) == [1, largest]
    [[hit]] = index.search(name, at_angles(90), limit=1)
    assert hit.id == largest


def test_thousands_of_ids_come_once_each_in_ascending_order(index, name):
    chosen = np.random.default_rng(3).permutation(np.arange(1, 9001, 3)).tolist()
    for start in range(0, 3000, 500):
        index.upsert(name, chosen[start : start + 500], vectors(500, seed=start))
    assert index.count(name) == 3000
    assert list(index.ids(name)) == sorted(chosen)


def test_exactly_one_page_of_ids_is_listed_once(index, name):
    index.upsert(name, list(range(1, 1001)), vectors(1000))
    assert list(index.ids(name)) == list(range(1, 1001))


def test_collections_do_not_mix(index, name):
    other = f"{name}-other"
    try:
        index.upsert(name, [1, 2], at_angles(0, 10))
        index.upsert(other, [2, 3], at_angles(90, 100))
        assert list(index.ids(name)) == [1, 2]
        assert list(index.ids(other)) == [2, 3]
        index.remove(other, [2])
        [hits] = index.search(name, at_angles(10), limit=5)
        assert ids_of(hits) == [2, 1]
        index.drop(other)
        assert index.count(other) == 0
        assert index.count(name) == 2
    finally:
        index.drop(other)


def test_a_dropped_collection_starts_afresh_even_with_another_dimension(index, name):
    index.upsert(name, [1, 2], vectors(2))
    index.drop(name)
    assert list(index.ids(name)) == []
    assert index.search(name, vectors(1), limit=1) == [[]]
    index.upsert(name, [7], np.eye(1, 5, dtype=np.float32))
    [[hit]] = index.search(name, np.eye(1, 5, dtype=np.float32), limit=3)
    assert hit.id == 7


def test_a_server_that_does_not_answer_is_called_unavailable():
    with pytest.raises(IndexUnavailable, match="QDRANT_URL"):
        ServerIndex("http://127.0.0.1:9")


# --- an index in a folder -----------------------------------------------------------------------


def test_a_folder_keeps_everything_over_closing_and_opening(tmp_path):
    first = EdgeIndex(tmp_path / "new" / "index")
    first.upsert("faces", [1, 2, 3], at_angles(0, 45, 90))
    first.upsert("others", [9], at_angles(0))
    first.remove("faces", [1])
    first.close()
    second = EdgeIndex(tmp_path / "new" / "index")
    assert list(second.ids("faces")) == [2, 3]
    assert list(second.ids("others")) == [9]
    [[hit]] = second.search("faces", at_angles(90), limit=1)
    assert hit.id == 3
    assert hit.similarity == pytest.approx(1, abs=1e-5)
    second.upsert("faces", [4], at_angles(120))
    assert second.count("faces") == 3
    second.close()


def test_a_closed_index_can_be_closed_again_and_opens_when_used(tmp_path):
    index = EdgeIndex(tmp_path)
    index.upsert("faces", [1], vectors(1))
    index.close()
    index.close()
    assert index.count("faces") == 1
    index.close()


def test_a_dropped_collection_stays_dropped_after_opening_again(tmp_path):
    first = EdgeIndex(tmp_path)
    first.upsert("faces", [1], vectors(1))
    first.close()
    second = EdgeIndex(tmp_path)
    second.drop("faces")
    second.close()
    third = EdgeIndex(tmp_path)
    assert third.count("faces") == 0
    third.close()


def test_a_folder_in_use_cannot_be_opened_a_second_time(tmp_path):
    first = EdgeIndex(tmp_path)
    first.upsert("faces", [1], vectors(1))
    second = EdgeIndex(tmp_path)
    with pytest.raises(IndexUnavailable, match="in use"):
        second.count("faces")
    with pytest.raises(IndexUnavailable, match="in use"):
        second.upsert("faces", [2], vectors(1))
    first.close()
    assert second.count("faces") == 1
    second.close()


def test_files_that_are_no_index_are_reported_with_what_to_do(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "edge_config.json").write_text("no index")
    index = EdgeIndex(tmp_path)
    with pytest.raises(IndexUnavailable, match="rebuild_index"):
        index.count("faces")


def test_a_collection_that_was_only_begun_counts_as_none(tmp_path):
    (tmp_path / "faces").mkdir()
    index = EdgeIndex(tmp_path)
    assert index.count("faces") == 0
    index.upsert("faces", [1], vectors(1))
    assert index.count("faces") == 1
    index.close()


def test_threads_write_and_read_at_once_without_loss(tmp_path):
    index = EdgeIndex(tmp_path)
    stored = vectors(600)
    ids = list(range(1, 601))

    def write(start: int) -> None:
        for position in range(start, start + 150, 5):
            index.upsert("faces", ids[position : position + 5], stored[position : position + 5])

    def read(seed: int) -> None:
        for query in vectors(60, seed):
            [hits] = index.search("faces", query[None], limit=5)
            scores = [hit.similarity for hit in hits]
            assert scores == sorted(scores, reverse=True)
            assert set(ids_of(hits)) <= set(ids)
            assert 0 <= index.count("faces") <= 600

    with ThreadPoolExecutor(8) as threads:
        work = [threads.submit(write, start) for start in range(0, 600, 150)]
        work += [threads.submit(read, seed) for seed in range(1, 4)]
        for done in work:
            done.result()
    assert list(index.ids("faces")) == ids
    found = index.search("faces", stored, limit=1)
    assert [ids_of(hits) for hits in found] == [[number] for number in ids]
    index.close()


def test_every_point_acknowledged_before_a_kill_is_there_afterwards(tmp_path):
    program = """
import sys
from pathlib import Path
import numpy as np
from faceweb.vectors.edge import EdgeIndex
index = EdgeIndex(Path(sys.argv[1]))
for number in range(1, 100_000):
    vector = np.random.default_rng(number).normal(size=(1, 16)).astype(np.float32)
    index.upsert("faces", [number], vector / np.linalg.norm(vector))
    print(number, flush=True)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(300)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    last = acknowledged[-1]
    assert acknowledged == list(range(1, last + 1))
    index = EdgeIndex(Path(tmp_path))
    present = list(index.ids("faces"))
    # The one that was being written may be there too.
    assert present in (acknowledged, [*acknowledged, last + 1])
    for number in (1, 150, 300, last):
        vector = np.random.default_rng(number).normal(size=(1, DIMENSION)).astype(np.float32)
        [[hit]] = index.search("faces", vector, limit=1)
        assert hit.id == number
        assert hit.similarity == pytest.approx(1, abs=1e-5)
    index.close()


def test_what_a_dying_process_left_half_made_is_made_anew(tmp_path):
    half = tmp_path / ".faces.new"
    half.mkdir()
    (half / "wal").write_text("half of a shard")
    index = EdgeIndex(tmp_path)
    index.upsert("faces", [1], np.eye(1, 4, dtype=np.float32))
    index.close()
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]
    assert EdgeIndex(tmp_path).count("faces") == 1
