"""The commands that measure and calibrate on labelled pairs of photos."""

import csv
import json
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from faceweb.recognition import calibration
from faceweb.recognition.embedders import SFACE
from faceweb.recognition.labelled import EmbeddedPhotos
from people.management import labelled
from people.models import Calibration
from people.services import calibrating, scoring
from tests.faces import photo as face_photo
from tests.recognition.test_calibration import normal

pytestmark = pytest.mark.django_db

PHOTOS = {"obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"), "biden": ("biden.jpg",)}


def run(command: str, *arguments: object, **options: object) -> str:
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def write_pairs(folder: Path, rows: list[tuple[str, str, int, str]]) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "same", "split"), *rows])
    return path


@pytest.fixture
def real(tmp_path) -> Path:
    for who, names in PHOTOS.items():
        (tmp_path / who).mkdir()
        for name in names:
            shutil.copy(face_photo(name), tmp_path / who / name)
    return tmp_path


def test_real_photos_are_measured(real) -> None:
    pairs = write_pairs(real, [
        ("obama/obama.jpg", "obama/obama2.jpg", 1, ""),
        ("obama/obama.jpg", "obama/obama3.jpg", 1, ""),
        ("obama/obama.jpg", "biden/biden.jpg", 0, ""),
    ])  # fmt: skip
    found = json.loads(run("evaluate", pairs, real, "--identify", "--json"))
    assert found["embedder"] == "sface"
    assert found["enrolment"]["photos"] == 4
    assert found["enrolment"]["failures_to_enrol"] == 0
    assert found["pairs"]["auc"] == 1
    assert found["pairs"]["eer"] == 0
    assert found["pairs"]["accuracy_ten_fold"] is None  # too few
    assert found["cross_pairs"]["of_one_person"] == 3
    assert found["cross_pairs"]["tmr_at_fmr_1e-05"] is None
    assert found["identification"]["rank_1"] == 1
    assert found["calibration"]["ece"] < 0.05
    assert found["seconds"]["all"] > 0
    assert "auc: 1\n" in run("evaluate", pairs, real)


@pytest.fixture
def made_up(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """600 photos of 150 made-up people; the first hundred people are for training."""
    vectors, whose = normal(1)
    names = [f"p{who:03}/{number}.jpg" for number, who in enumerate(whose)]
    rng = np.random.default_rng(0)
    rows = []
    for who in range(150):
        split, first = ("train", 0) if who < 100 else ("test", 100)
        other = first + (who - first + 1) % (100 if split == "train" else 50)
        rows.append((names[who * 4], names[who * 4 + 1], 1, split))
        rows.append((names[who * 4 + 2], names[other * 4 + int(rng.integers(4))], 0, split))
        rows.append((names[who * 4 + 3], names[other * 4 + int(rng.integers(4))], 0, split))
    found = EmbeddedPhotos(names, vectors, [], [])
    monkeypatch.setattr(labelled, "embed", lambda *arguments, **options: found)
    return write_pairs(tmp_path, rows), tmp_path


def test_a_calibration_is_made_checked_and_written(made_up) -> None:
    pairs, folder = made_up
    output = folder / "made.json"
    text = run("calibrate", pairs, folder, "--output", output, "--source", "made-up people")
    made = calibration.from_data(json.loads(output.read_text()))
    assert (made.embedder, made.version, made.source) == ("sface", SFACE.version, "made-up people")
    # 400 training photos, each compared with each; 50 test pairs of one person.
    assert made.same + made.different == 400 * 399 // 2
    assert (made.check.same, made.check.different) == (50, 100)
    assert made.check.ece < 0.05
    assert "fmr of unseen comparisons" in text
    assert not Calibration.objects.exists()


def test_a_calibration_can_be_put_to_use_and_taken_back(made_up) -> None:
    pairs, folder = made_up
    shipped = scoring.scale().calibration
    assert "in use" in run("calibrate", pairs, folder, "--activate")
    run("calibrate", pairs, folder, "--activate", "--source", "the second")
    assert scoring.scale().calibration.source == "the second"
    assert Calibration.objects.filter(is_active=True).count() == 1
    assert "in use: the second" in run("evaluate", pairs, folder)
    calibrating.deactivate(embedder="sface", version=SFACE.version)
    assert scoring.scale().calibration == shipped
    assert Calibration.objects.count() == 2


def test_a_calibration_that_goes_nowhere_says_so(made_up) -> None:
    assert "not kept" in run("calibrate", *made_up)


def test_labels_that_folders_contradict_are_taken_alone(made_up, capsys) -> None:
    pairs, folder = made_up
    rows = list(csv.reader(pairs.open()))[1:]
    write_pairs(folder, [*rows, (rows[0][0], rows[4][0], 1, "train")])
    found = json.loads(run("evaluate", pairs, folder, "--identify", "--json"))
    assert found["cross_pairs"] is None
    assert "identification" not in found
    assert found["pairs"]["accuracy_ten_fold"] > 0.9
    output = folder / "made.json"
    with pytest.raises(CommandError, match="too few"):
        run("calibrate", pairs, folder, "--output", output)
    assert not output.exists()


def test_the_calibration_is_judged_on_test_pairs_only(made_up) -> None:
    found = json.loads(run("evaluate", *made_up, "--json"))
    assert found["calibration"]["judged_on"] == "the test pairs"
    assert found["calibration"]["of_one_person"] == 50
    assert found["pairs"]["of_one_person"] == 150
    train = json.loads(run("evaluate", *made_up, "--json", "--split", "train"))
    assert train["pairs"]["of_one_person"] == 100


def test_too_few_photos_make_no_calibration(real) -> None:
    pairs = write_pairs(real, [("obama/obama.jpg", "biden/biden.jpg", 0, "")])
    with pytest.raises(CommandError, match="too few"):
        run("calibrate", pairs, real)


@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_what_cannot_be_used_is_refused_in_a_sentence(command, tmp_path) -> None:
    with pytest.raises(CommandError, match=r"absent\.csv"):
        run(command, tmp_path / "absent.csv", tmp_path)
    pairs = write_pairs(tmp_path, [("a/1.jpg", "b/1.jpg", 0, "")])
    with pytest.raises(CommandError, match="photos are not there"):
        run(command, pairs, tmp_path)
    with pytest.raises(CommandError, match="nonesuch"):
        run(command, pairs, tmp_path, "--embedder", "nonesuch")
    if command == "evaluate":
        with pytest.raises(CommandError, match="no pairs of the split"):
            run(command, pairs, tmp_path, "--split", "other")
