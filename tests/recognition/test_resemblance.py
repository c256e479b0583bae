"""Whom faces resemble, how well faces fit their people, and people who may be one."""

import numpy as np
import pytest

from faceweb.recognition import resemblance
from faceweb.recognition.resemblance import alike_people, closest, fits, resemblances
from tests.factories import direction, near

ANA, RUI = direction(1), direction(2)


def best(similarities) -> float:
    return float(similarities.max())


def rows(found) -> list[tuple[int, int, int, float]]:
    return [
        (int(p), int(w), int(b), round(float(s), 3))
        for p, w, b, s in zip(
            found.probes, found.people, found.best, found.similarities, strict=True
        )
    ]


def test_each_person_stands_with_the_face_most_alike(monkeypatch) -> None:
    gallery = np.stack([near(ANA, 0.7, 20), near(ANA, 0.9, 21), near(RUI, 0.8, 22)])
    people = np.array([5, 5, 9])
    probes = np.stack([direction(60), ANA, RUI])
    for block in (16_000_000, 4):
        monkeypatch.setattr(resemblance, "_BLOCK", block)
        found = resemblances(probes, gallery, people, threshold=0.5, fuse=best)
        assert rows(found) == [(1, 5, 1, 0.9), (2, 9, 2, 0.8)]
    mean = resemblances(probes, gallery, people, threshold=0.5, fuse=lambda s: float(s.mean()))
    assert mean.scores.tolist() == pytest.approx([0.8, 0.8])


def test_nobody_resembles_nobody() -> None:
    empty = np.empty((0, 128), np.float32)
    none = np.empty(0, np.int64)
    for probes, gallery, people in ((empty, ANA[None], np.array([1])), (ANA[None], empty, none)):
        assert rows(resemblances(probes, gallery, people, threshold=0, fuse=best)) == []
    assert alike_people(empty, none, threshold=0) == []
    assert len(fits(empty, none, np.empty(0, np.bool_), fuse=best)) == 0


def test_fits_need_two_others_and_leave_out_the_face_itself() -> None:
    gallery = np.stack([near(ANA, 0.9, 20), near(ANA, 0.9, 21), RUI, ANA, RUI])
    people = np.array([5, 5, 5, 7, 7])
    found = fits(gallery, people, np.ones(5, np.bool_), fuse=best)
    assert found[:2].tolist() == pytest.approx([0.81, 0.81])
    assert found[2] == pytest.approx(0)
    assert np.isnan(found[3:]).all()


def test_poor_faces_say_nothing_about_the_others() -> None:
    gallery = np.stack([near(ANA, 0.9, 20), near(ANA, 0.9, 21), ANA, RUI, near(RUI, 0.9, 23)])
    people = np.full(5, 3)
    good = np.array([True, True, True, False, False])
    found = fits(gallery, people, good, fuse=best)
    assert found[3] == pytest.approx(0) and found[4] == pytest.approx(0)
    few = fits(gallery, people, np.array([True, True, False, False, False]), fuse=best)
    assert few[3] == pytest.approx(0) and few[0] == pytest.approx(0.9)


def test_people_who_may_be_one() -> None:
    gallery = np.stack([near(ANA, 0.9, 20), near(ANA, 0.9, 21), near(RUI, 0.9, 22), ANA])
    people = np.array([4, 4, 6, 2])
    assert alike_people(gallery, people, threshold=0.5) == [(2, 4, pytest.approx(0.9))]
    among = np.array([False, False, True, False])
    assert alike_people(gallery, people, threshold=0.5, among=among) == []
    assert closest(gallery[:2], gallery[2:]) in ((0, 1), (1, 1))
