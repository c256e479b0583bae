"""Names for other programs: the table, the sidecars, and what they leave out."""

import csv
import io

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

from faceweb.recognition import exif
from faceweb.recognition.geometry import turned_boxes
from faceweb.recognition.metadata import Metadata, read_metadata
from faceweb.recognition.xmp import named_regions
from people.models import Person
from people.problems import Refused
from people.services import dates, export
from tests.factories import make_face, make_person, make_photo

pytestmark = pytest.mark.django_db


def stored_picture(*, orientation: int = 1, date: str = "") -> bytes:
    """400 x 300 pixels as stored."""
    fields = Image.Exif()
    fields[exif.ORIENTATION] = orientation
    if date:
        fields.get_ifd(0x8769)[0x9003] = date
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), (9, 60, 90)).save(buffer, "JPEG", exif=fields.tobytes())
    return buffer.getvalue()


def table(**options) -> list[dict[str, str]]:
    text = "".join(export.csv_lines(**options))
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_the_table_has_every_named_face() -> None:
    photo = make_photo(original_name="João.jpg")
    make_face(photo, person=make_person("João Baião"), box=(40, 30, 120, 90), assigned_by="hand")
    make_face(photo)
    (row,) = table()
    assert row == {
        "photo": "João.jpg", "sha256": photo.sha256, "name": "João Baião",
        "x1": "40.0", "y1": "30.0", "x2": "120.0", "y2": "90.0",
        "left": "0.1", "top": "0.1", "width": "0.2", "height": "0.2",
        "assigned_by": "hand", "confidence": "",
    }  # fmt: skip


def test_hidden_and_deleted_people_are_left_out_unless_asked_for() -> None:
    make_face(person=make_person("Seen"))
    make_face(person=make_person("Hidden", is_searchable=False))
    make_face(person=make_person("Deleted", deleted_at=timezone.now()))
    make_face(person=make_person("No face"), state="not_a_face")
    assert {row["name"] for row in table()} == {"Seen"}
    assert {row["name"] for row in table(with_hidden=True)} == {"Seen", "Hidden", "Deleted"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_name_is_a_formula(name: str) -> None:
    make_face(make_photo(original_name=f"{name}.jpg"), person=make_person(name))
    (row,) = table()
    assert row["name"] == f"'{name}" and row["photo"].startswith("'")


def test_the_table_runs_no_query_for_each_face(django_assert_max_num_queries) -> None:
    for number in range(20):
        make_face(person=make_person(f"Person {number}"))
    with django_assert_max_num_queries(2):
        assert len(table()) == 20


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("turns", range(4))
def test_a_sidecar_holds_for_the_picture_as_it_is_stored(orientation: int, turns: int) -> None:
    content = stored_picture(orientation=orientation)
    sideways = (orientation >= 5) != bool(turns % 2)
    width, height = (300, 400) if sideways else (400, 300)
    photo = make_photo(stored=True, content=content, turns=turns, width=width, height=height)
    face = make_face(photo, person=make_person("Ana"), box=(30, 20, 90, 120))
    packet = export.xmp(photo=photo, faces=[face]).encode()
    picture = read_metadata(io.BytesIO(content))
    (region,) = named_regions(packet, picture)
    # Back to pixels of the upright photo, turned as people turned it.
    row = np.array([region.box], np.float32)
    x1, y1, x2, y2 = turned_boxes(row, turns, width=1, height=1)[0]
    assert (x1 * width, y1 * height, x2 * width, y2 * height) == pytest.approx(face.box, abs=0.01)


def test_a_file_that_is_gone_is_refused() -> None:
    face = make_face(person=make_person())
    with pytest.raises(Refused, match="file_missing"):
        export.xmp(photo=face.photo, faces=[face])
    broken = make_face(make_photo(stored=True, content=b"nothing"), person=make_person())
    with pytest.raises(Refused, match="not_an_image"):
        export.xmp(photo=broken.photo, faces=[broken])


def test_the_command_writes_a_sidecar_for_each_photo_and_the_table(tmp_path, capsys) -> None:
    for number in range(2):  # two photos of one name, in upper and lower case
        photo = make_photo(stored=True, content=stored_picture(),
                           original_name=("Same.jpg", "same.JPG")[number])  # fmt: skip
        make_face(photo, person=make_person(f"Person {number}"))
    alone = make_photo(stored=True, content=stored_picture(), original_name="alone.jpg")
    make_face(alone, person=make_person("Ana"))
    make_face(make_photo(original_name="gone.jpg"), person=Person.objects.get(name="Ana"))
    make_photo(stored=True, original_name="nobody.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "nobody.jpg.xmp").write_text("mine")
    call_command("export_names", tmp_path / "out", "--csv", tmp_path / "names.csv")
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.xmp")}
    assert len(written) == 4
    assert {"alone.jpg.xmp", "nobody.jpg.xmp"} < written
    assert sum("/" in name for name in written) == 2
    text = (tmp_path / "out" / "alone.jpg.xmp").read_bytes()
    assert [r.name for r in named_regions(text, Metadata(400, 300, 1, None, b""))] == ["Ana"]
    assert (tmp_path / "out" / "nobody.jpg.xmp").read_text() == "mine"
    assert (tmp_path / "names.csv").read_text("utf-8-sig").count("\n") == 5
    said = capsys.readouterr()
    assert "3 sidecars written" in said.out and "gone.jpg: passed over" in said.err


def test_the_command_spares_sidecars_of_others_and_renews_its_own(tmp_path, capsys) -> None:
    photo = make_photo(stored=True, content=stored_picture(), original_name="a.jpg")
    face = make_face(photo, person=make_person("Ana"))
    (tmp_path / "a.jpg.xmp").write_text('<x:xmpmeta x:xmptk="Adobe XMP Core">')
    call_command("export_names", tmp_path)
    assert "Adobe" in (tmp_path / "a.jpg.xmp").read_text()
    assert "another program" in capsys.readouterr().err
    (tmp_path / "a.jpg.xmp").unlink()
    call_command("export_names", tmp_path)
    Person.objects.filter(pk=face.person_id).update(name="Rui")
    call_command("export_names", tmp_path)
    assert "Rui" in (tmp_path / "a.jpg.xmp").read_text()
    assert len(list(tmp_path.iterdir())) == 1


def test_dates_are_read_for_older_photos(settings) -> None:
    settings.TIME_ZONE = "UTC"
    dated = make_photo(stored=True, content=stored_picture(date="2001:02:03 04:05:06"))
    known = make_photo(stored=True, content=stored_picture(date="2001:02:03 04:05:06"),
                       taken_at=timezone.now())  # fmt: skip
    make_photo(stored=True, content=stored_picture())
    make_photo()
    make_photo(stored=True, content=b"nothing")
    before = known.taken_at
    assert dates.read_missing() == (4, 1)
    dated.refresh_from_db()
    known.refresh_from_db()
    assert dated.taken_at.isoformat() == "2001-02-03T04:05:06+00:00"
    assert known.taken_at == before
