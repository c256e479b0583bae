"""MTCNN's first network: what 16 bits may decide, and that the rest is decided in 32."""

import numpy as np
import pytest

from faceweb.recognition import engine
from faceweb.recognition.detection import DetectorSettings, proposals, pyramid, suppression
from faceweb.recognition.detection.proposals import Proposer
from faceweb.recognition.detection.resampling import Tables
from faceweb.recognition.images import decode
from tests.faces import photo


def proposed(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """The boxes that are proposed in each picture."""
    levels = []
    for owner, picture in enumerate(pictures):
        levels += pyramid.levels_of(owner, *picture.shape[:2], DetectorSettings().min_face)
    boxes, owners = Proposer("cpu").propose(Tables(pictures), levels)
    assert boxes.shape == (len(owners), 4)
    return [boxes[owners == owner] for owner in range(len(pictures))]


def test_in_16_bits_the_same_windows_are_proposed_as_in_32(monkeypatch):
    names = ("obama.jpg", "group.jpg", "biden.jpg")
    pictures = [decode(photo(name).read_bytes()).pixels for name in names]
    monkeypatch.setattr(engine, "has_bfloat16", lambda: False)
    expected = proposed(pictures)
    monkeypatch.setattr(engine, "has_bfloat16", lambda: True)
    for one, other in zip(expected, proposed(pictures), strict=True):
        assert len(one) > 30
        # Not all numbers are equal: a canvas is not computed as many windows are.
        distances = np.abs(one[:, None] - other[None]).max(axis=2)
        assert (distances.min(axis=0) < 0.01).mean() > 0.99
        assert (distances.min(axis=1) < 0.01).mean() > 0.99


@pytest.mark.parametrize("half", [False, True])
def test_nothing_is_proposed_where_nothing_is(monkeypatch, half):
    monkeypatch.setattr(engine, "has_bfloat16", lambda: half)
    flat, tiny = np.full((300, 200, 3), 90, np.uint8), np.zeros((5, 9, 3), np.uint8)
    assert [len(boxes) for boxes in proposed([flat, tiny])] == [0, 0]
    assert [len(boxes) for boxes in proposed([tiny])] == [0]


@pytest.mark.parametrize("seed", range(200))
def test_16_bits_send_away_only_what_32_would(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 40))
    one, other = np.triu_indices(count, 1)
    rivals = random.random(len(one)) < random.choice([0.05, 0.2, 0.6])
    one, other = one[rivals], other[rivals]
    rough = random.normal(0.5, random.choice([0.1, 0.5, 2]), count).astype(np.float32)
    may_stay = proposals._may_stay(rough, one, other)
    for _ in range(20):
        off = random.uniform(-0.49, 0.49, count) * proposals._CLEAR
        exact = rough + off.astype(np.float32)
        stays = suppression.unrivalled(exact, one, other) & (exact >= proposals._LEAST_SCORE)
        assert not (stays & ~may_stay).any()
        left = np.where(may_stay, exact, -np.inf).astype(np.float32)
        without = suppression.unrivalled(left, one, other) & (left >= proposals._LEAST_SCORE)
        assert (without == stays).all()


def test_16_bits_send_most_rivals_of_a_face_away():
    """Windows of a face are rivals, and a few of them are far better than the others."""
    scores = np.array([6, 5.95, 3, 2, 1, 0.5], np.float32)
    one, other = np.triu_indices(6, 1)
    assert proposals._may_stay(scores, one, other).all()  # it may be the first or the second
    scores[1] = 4
    assert proposals._may_stay(scores, one, other).tolist() == [True, *[False] * 5]
