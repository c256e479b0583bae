"""Grouping unknown faces: what belongs together, and the rules that nothing may break."""

import numpy as np
import pytest

from faceweb.recognition import clustering
from faceweb.recognition.clustering import NONE, cluster
from tests.factories import direction, near

THRESHOLD = 0.5
ANA, RUI = direction(1), direction(2)


def ana(towards: int, similarity: float = 0.9) -> np.ndarray:
    return near(ANA, similarity, towards)


def rui(towards: int, similarity: float = 0.9) -> np.ndarray:
    return near(RUI, similarity, towards)


def run(*vectors, photos=None, threshold=THRESHOLD, **options) -> list[int]:
    photos = np.arange(len(vectors)) if photos is None else np.array(photos)
    for name, kind in (("known", np.int64), ("founders", np.bool_)):
        if name in options:
            options[name] = np.array(options[name], kind)
    return cluster(np.stack(vectors), photos, threshold=threshold, **options).tolist()


def people(count: int, each: int, seed: int = 0, spread: float = 0.045):
    """Vectors of `count` people with `each` faces, as alike as faces of one person are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = np.repeat(centres, each, axis=0) + rng.normal(scale=spread, size=(count * each, 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(count), each)


def partition(labels) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def test_faces_of_one_person_get_one_label() -> None:
    labels = run(ana(10), rui(11), ana(12), rui(13), direction(3))
    assert labels[0] == labels[2] and labels[1] == labels[3]
    assert len(set(labels)) == 3


def test_nothing_and_one() -> None:
    empty = cluster(np.empty((0, 128), np.float32), np.empty(0, np.int64), threshold=THRESHOLD)
    assert empty.tolist() == []
    assert run(ANA) == [0]


def test_many_people_are_told_apart() -> None:
    vectors, who = people(60, 5)
    order = np.random.default_rng(1).permutation(len(vectors))
    labels = cluster(vectors[order], np.arange(len(vectors)), threshold=0.45)
    assert partition(labels) == partition(who[order])


def test_one_strong_likeness_does_not_chain_groups_together() -> None:
    # The bridge is like one face of each, but the groups as a whole are not alike.
    bridge = ((ANA + RUI) / np.sqrt(2)).astype(np.float32)
    labels = run(ana(10), ana(11), ana(12), rui(13), rui(14), rui(15), bridge)
    assert labels[0] != labels[3]
    assert len(set(labels[:3])) == len(set(labels[3:6])) == 1


def test_faces_of_one_photo_are_never_together() -> None:
    assert len(set(run(ana(10), ana(11), photos=[7, 7]))) == 2
    labels = run(ana(10), ana(11), ana(12), ana(13), photos=[7, 7, 8, 8])
    assert labels[0] != labels[1] and labels[2] != labels[3]
    assert len(set(labels)) == 2


def test_what_was_said_to_be_two_people_stays_two() -> None:
    faces = (ana(10), ana(11), ana(12))
    labels = run(*faces, apart=[(0, 2)])
    assert labels[0] != labels[2]
    labels = run(*faces, ana(13), apart=[(0, 1), (0, 2), (0, 3)])
    assert labels[0] not in labels[1:] and len(set(labels[1:])) == 1


def test_poor_faces_join_but_do_not_found() -> None:
    labels = run(ana(10), ana(11), ana(12), rui(13), rui(14), founders=[1, 1, 0, 0, 0])
    assert len(set(labels[:3])) == 1
    assert labels[3] != labels[4]


def test_a_poor_face_holds_no_groups_together() -> None:
    mixed = ((ANA + RUI) / np.sqrt(2)).astype(np.float32)
    labels = run(ana(10), ana(11), rui(12), rui(13), mixed, founders=[1, 1, 1, 1, 0])
    assert labels[0] == labels[1] != labels[2] == labels[3]


def test_new_faces_join_and_labels_stay() -> None:
    labels = run(
        ana(10), ana(11), rui(12), rui(13), ana(14), direction(5), known=[40, 40, 7, 7, NONE, NONE]
    )
    assert labels[:5] == [40, 40, 7, 7, 40] and labels[5] not in (40, 7)


def test_a_known_group_keeps_its_label_among_more_new_faces() -> None:
    """The new ones are more alike, so that they are one group before they meet the known one."""
    more = [ana(20 + n, 0.97) for n in range(4)]
    assert run(ana(10), ana(11), *more, known=[7, 7, *[NONE] * 4]) == [7] * 6
    assert run(ana(10), rui(11), *more, known=[7, 9, *[NONE] * 4]) == [7, 9, *[7] * 4]


def test_groups_that_a_person_joined_do_not_fall_apart() -> None:
    assert run(ANA, RUI, ana(10), known=[3, 3, NONE])[:2] == [3, 3]


def test_known_faces_are_not_compared_again() -> None:
    assert run(ana(10), ana(11), known=[1, 2]) == [1, 2]


def test_new_faces_may_show_that_two_groups_are_one() -> None:
    left, right = near(ANA, 0.75, 20), near(ANA, 0.75, 21)
    assert run(left, right, right, right, ANA, known=[1, 2, 2, 2, NONE]) == [2] * 5


def test_a_closed_group_takes_in_faces_but_not_groups() -> None:
    left, right = near(ANA, 0.75, 20), near(ANA, 0.75, 21)
    known = [1, 1, 2, 2, NONE]
    labels = run(left, left, right, right, ANA, known=known, closed=[1])
    assert labels[0] != labels[2]
    assert run(left, left, ANA, known=[1, 1, NONE], closed=[1]) == [1, 1, 1]


def test_a_new_group_is_not_closed_because_an_empty_one_was() -> None:
    assert run(ana(10), ana(11), known=[7, NONE], closed=[8]) == [7, 7]
    assert run(ana(10), ana(11), ana(12), known=[7, 7, NONE], closed=[8]) == [7] * 3


@pytest.mark.parametrize("batches", [1, 3, 30])
def test_the_rules_hold_however_faces_arrive(batches: int) -> None:
    vectors, _ = people(25, 6, seed=4, spread=0.07)
    rng = np.random.default_rng(2)
    photos = rng.integers(0, 60, len(vectors))
    apart = [(int(a), int(b)) for a, b in rng.integers(0, len(vectors), (40, 2)) if a != b]
    founders = rng.random(len(vectors)) < 0.7
    labels = np.full(len(vectors), NONE)
    for part in np.array_split(rng.permutation(len(vectors)), batches):
        seen = np.flatnonzero(labels != NONE).tolist() + part.tolist()
        place = {face: n for n, face in enumerate(seen)}
        inside = [(place[a], place[b]) for a, b in apart if a in place and b in place]
        before = labels[seen]
        labels[seen] = cluster(
            vectors[seen], photos[seen], threshold=0.3, known=before,
            founders=founders[seen], apart=inside,
        )  # fmt: skip
        for label in np.unique(before[before != NONE]):
            assert len(set(labels[np.array(seen)[before == label]].tolist())) == 1
    assert all(labels[a] != labels[b] for a, b in apart)
    for group in partition(labels):
        members = sorted(group)
        assert len(set(photos[members].tolist())) == len(members)
        assert len(members) == 1 or founders[members].any()
    assert max(len(group) for group in partition(labels)) > 2


def pairs_of(vectors: np.ndarray) -> set[tuple[int, int]]:
    later, earlier = clustering.close_pairs(vectors, threshold=0.4)
    return set(zip(later.tolist(), earlier.tolist(), strict=True))


def test_pairs_are_found_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = people(12, 5)
    whole = pairs_of(vectors)
    monkeypatch.setattr(clustering, "_BLOCK", 300)
    assert whole == pairs_of(vectors) and len(whole) >= 12 * 10


def test_of_very_many_pairs_the_most_similar_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = people(1, 40)
    monkeypatch.setattr(clustering, "_MOST_PAIRS", 3)
    later, earlier = clustering.close_pairs(vectors, threshold=0.3)
    assert np.bincount(later).max() == 3
    last = vectors[39] @ vectors[:39].T
    assert set(earlier[later == 39].tolist()) == set(np.argsort(-last)[:3].tolist())
    labels = cluster(vectors, np.arange(40), threshold=0.3)
    assert len(set(labels.tolist())) == 1


def test_cohesion_and_the_middle() -> None:
    assert clustering.cohesion(ANA[None]) is None
    group = np.stack([near(ANA, 0.8, 20), ANA, near(ANA, 0.6, 21)])
    assert clustering.cohesion(group) == pytest.approx((0.8 + 0.8 + 0.6) / 3, abs=1e-3)
    assert clustering.middle(group) == 1


def test_more_faces_need_a_lower_rate() -> None:
    few, many = clustering.false_match_rate(10), clustering.false_match_rate(100_000)
    assert few == clustering.false_match_rate(10_000) > many > 0
