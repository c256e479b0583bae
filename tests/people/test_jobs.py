"""Rows as jobs: nothing lost, nothing twice, and what kills workers is set aside."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from faceweb import sweeping
from people.models import Photo
from tests.factories import make_photo

pytestmark = pytest.mark.django_db


def queued(**values) -> Photo:
    return make_photo(status="queued", **values)


def test_a_claim_takes_queued_rows_once() -> None:
    photos = [queued(), queued(), make_photo()]
    ids = [p.pk for p in photos]
    assert set(Photo.objects.claim(ids, worker="a")) == set(photos[:2])
    assert not Photo.objects.claim(ids, worker="b")


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_a_row() -> None:
    ids = [queued().pk for _ in range(20)]
    won: list[int] = []

    def claim(name: str) -> None:
        won.extend(p.pk for p in Photo.objects.claim(ids, worker=name))
        connection.close()

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == ids


def test_a_row_that_was_there_at_a_crash_is_taken_alone() -> None:
    suspect, other = queued(crashes=1), queued()
    assert list(Photo.objects.claim([suspect.pk, other.pk], worker="a")) == [other]
    assert list(Photo.objects.claim([suspect.pk], worker="a")) == [suspect]


def test_a_worker_that_starts_again_gives_back_what_it_held(index) -> None:
    mine, theirs = queued(), queued()
    Photo.objects.claim([mine.pk], worker="a")
    Photo.objects.claim([theirs.pk], worker="b")
    sweeping.sweep(worker="a")
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.status, mine.crashes) == ("queued", 1)
    assert (theirs.status, theirs.crashes) == ("processing", 0)


def test_a_lease_that_ran_out_is_given_back(index) -> None:
    photo = queued()
    Photo.objects.claim([photo.pk], worker="a")
    Photo.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    sweeping.sweep()
    photo.refresh_from_db()
    assert photo.status == "queued"


def test_what_kills_the_worker_twice_is_set_aside_with_that_reason(index) -> None:
    photo = queued()
    for _ in range(2):
        assert Photo.objects.claim([photo.pk], worker="a")
        sweeping.sweep(worker="a")
    photo.refresh_from_db()
    assert (photo.status, photo.error_code) == ("failed", "crashed_worker")
    assert "stopped the worker twice" in photo.problem


def test_a_sweep_is_harmless_at_any_time(index) -> None:
    done, waiting = make_photo(), queued()
    for _ in range(3):
        sweeping.sweep()
    assert set(Photo.objects.values_list("pk", "status", "crashes")) == {
        (done.pk, "done", 0),
        (waiting.pk, "queued", 0),
    }
