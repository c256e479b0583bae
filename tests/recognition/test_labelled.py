"""Lists of labelled pairs, and the faces of their photos."""

from pathlib import Path

import numpy as np
import pytest

from faceweb.recognition import labelled
from faceweb.recognition.labelled import EmbeddedPhotos, Pair, PairsError
from faceweb.recognition.pipeline import FoundFace
from tests.factories import direction, picture


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text)
    return path


def test_pairs_are_read_with_and_without_splits(tmp_path) -> None:
    path = csv_file(tmp_path, "a,b,same\nAna/1.jpg,Ana/2.jpg,1\nAna/1.jpg,Rui/1.jpg,0\n")
    assert labelled.read_pairs(path) == [
        Pair("Ana/1.jpg", "Ana/2.jpg", True),
        Pair("Ana/1.jpg", "Rui/1.jpg", False),
    ]
    path = csv_file(tmp_path, "split,same,b,a\ntest,yes,y.jpg,x.jpg\n")
    assert labelled.read_pairs(path) == [Pair("x.jpg", "y.jpg", True, "test")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b\nx,y\n", "no column same"),
        ("a,b,same\n", "no pairs"),
        ("", "no column a, b, same"),
        ("a,b,same\nx,y,1\nx,,1\n", "line 3"),
        ("a,b,same\nx,y,maybe\n", "line 2"),
        ("a,b,same\nx,y\n", "line 2"),
    ],
)
def test_lists_that_make_no_sense_are_refused(tmp_path, text: str, problem: str) -> None:
    with pytest.raises(PairsError, match=problem):
        labelled.read_pairs(csv_file(tmp_path, text))


def test_a_list_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(PairsError, match=r"absent\.csv"):
        labelled.read_pairs(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("Ana_Silva/Ana_Silva_0001.jpg", "Ana_Silva"),
        ("press/Ana/3.jpg", "press/Ana"),
        ("Ana_Silva_0001.jpg", "ana_silva"),
        ("ana silva (2).jpg", "ana silva"),
        ("Ana.jpg", "ana"),
    ],
)
def test_whose_photo_it_is(name: str, who: str) -> None:
    assert labelled.identity(name) == who


def test_folders_that_contradict_the_labels_are_noticed() -> None:
    assert labelled.names_agree([Pair("A/1", "A/2", True), Pair("A/1", "B/1", False)])
    assert not labelled.names_agree([Pair("A/1", "B/2", True)])
    assert not labelled.names_agree([Pair("1.jpg", "2.jpg", False)])


class Faces:
    """A pipeline that finds as many faces as a picture is wide, in pixels, less twenty."""

    def analyse(self, images):
        return [
            [self._face(image.pixels.shape[0], n) for n in range(image.pixels.shape[1] - 20)]
            for image in images
        ]

    def _face(self, height: int, number: int) -> FoundFace:
        return FoundFace(
            np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0,
            direction(height + number), np.zeros((1, 1, 3), np.uint8), 1.0, (),
        )  # fmt: skip


@pytest.fixture
def photos(tmp_path) -> EmbeddedPhotos:
    sizes = {"Ana/1.png": (22, 30), "Ana/2.png": (21, 30), "Rui/1.png": (21, 40), "no.png": (20, 9)}
    for name, (width, height) in sizes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture(width, height, kind="PNG"))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    done: list[int] = []
    found = labelled.embed(
        Faces(), tmp_path, [*sizes, "broken.jpg"] * 1, threads=2, progress=done.append
    )
    assert sum(done) == 5
    return found


def test_the_most_prominent_face_stands_for_its_photo(photos) -> None:
    assert photos.names == ["Ana/1.png", "Ana/2.png", "Rui/1.png"]
    assert photos.without_face == ["no.png"]
    assert photos.unreadable == ["broken.jpg"]
    pairs = [
        Pair("Ana/1.png", "Ana/2.png", True),
        Pair("Ana/1.png", "Rui/1.png", False),
        Pair("Ana/1.png", "no.png", True),
    ]
    assert photos.similarities(pairs) == pytest.approx([1, 0, labelled.NO_FACE])
    counted = photos.comparisons(pairs)
    assert (counted.same_total, counted.different_total) == (1, 1)
    vectors, whose = photos.of(pairs)
    assert len(vectors) == 3
    assert whose.tolist() == [0, 0, 1]


def test_a_missing_photo_is_named(tmp_path) -> None:
    with pytest.raises(PairsError, match=r"1 of 1 photos are not there: Ana/1\.jpg"):
        labelled.embed(Faces(), tmp_path, ["Ana/1.jpg"])


def test_no_photos_are_no_faces(tmp_path) -> None:
    assert labelled.embed(Faces(), tmp_path, []).names == []
