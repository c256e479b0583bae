"""Names that files have for places in the picture, from the file to the face."""

import io

import pytest
from django.core.management import call_command
from PIL import Image

from faceweb.recognition import exif
from faceweb.recognition.metadata import Metadata
from faceweb.recognition.xmp import Region, sidecar
from people.models import Face, Person, Photo
from people.services import assigning, deletion, photos, regions
from tests.faces import photo as face_photo
from tests.factories import make_face, make_import, make_person, make_photo
from tests.people.looking import look, looked_at

pytestmark = pytest.mark.django_db

OBAMA = (0.40, 0.07, 0.75, 0.50)  # where the face is in obama.jpg, drawn generously


def with_regions(*named: Region, name: str = "obama.jpg", orientation: int = 1) -> bytes:
    """A photo whose file names people, in the coordinates of the picture as stored."""
    picture = Image.open(face_photo(name))
    packet = sidecar(named, Metadata(*picture.size, orientation, None, b""))
    fields = Image.Exif()
    fields[exif.ORIENTATION] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, xmp=packet.encode(), exif=fields.tobytes())
    return buffer.getvalue()


def add(content: bytes, **options) -> Photo | None:
    sidecar = options.pop("sidecar", b"")
    incoming = photos.Incoming(io.BytesIO(content), "a.jpg", len(content), sidecar=sidecar)
    batch = options.pop("batch", None) or make_import(names="none")
    return photos.add_photo(batch=batch, incoming=incoming, **options)


def entry(name: str, box, **values) -> dict:
    return {"name": name, "box": list(box), **values}


# --- reading -------------------------------------------------------------------------------------


def test_regions_are_read_only_when_asked_for() -> None:
    content = with_regions(Region("Ana Silva", OBAMA))
    assert add(content).regions == []
    found = add(content, with_regions=True)
    assert [(r["name"], r["box"]) for r in found.regions] == [
        ("Ana Silva", pytest.approx(OBAMA, abs=1e-4))
    ]
    assert found.status == "queued"
    assert add(content, with_regions=True) is None  # known, with its names
    assert Photo.objects.get().batch.known == 1


def test_a_sidecar_goes_before_the_file_itself() -> None:
    content = with_regions(Region("Ana", OBAMA))
    beside = sidecar([Region("Rui", OBAMA)], Metadata(910, 1137, 1, None, b"")).encode()
    assert add(content, with_regions=True, sidecar=beside).regions[0]["name"] == "Rui"
    Photo.objects.all().delete()
    assert add(content, with_regions=True, sidecar=b"<broken").regions[0]["name"] == "Ana"


# --- giving names --------------------------------------------------------------------------------


def test_a_region_names_the_face_that_is_found_in_it(index) -> None:
    photo = looked_at(regions=[entry("Barack Obama", OBAMA)])
    face = photo.faces.get()
    assert (face.person.name, face.assigned_by) == ("Barack Obama", "region")
    assert face.origin == "detected" and face.person.cover == face
    assert photo.regions == [entry("Barack Obama", OBAMA, settled=True)]


def test_the_region_of_a_picture_on_its_side_is_in_the_right_place(index) -> None:
    box = (0.1, 0.2, 0.3, 0.5)  # when it stands upright; in the stored picture it is elsewhere
    content = with_regions(Region("Ana", box), orientation=6)
    photo = add(content, with_regions=True)
    assert photo.regions[0]["box"] == pytest.approx(box, abs=1e-4)
    look(photo)
    assert (photo.width, photo.height) == (1137, 910)
    assert photo.faces.get(person__name="Ana").box == pytest.approx((113.7, 182, 341.1, 455), abs=1)


def test_a_region_without_a_face_becomes_a_drawn_one(index) -> None:
    photo = looked_at(regions=[entry("Ana", (0.05, 0.8, 0.2, 0.95)), entry("Barack", OBAMA)])
    drawn = photo.faces.get(person__name="Ana")
    assert (drawn.origin, drawn.assigned_by, drawn.number) == ("drawn", "region", 2)
    assert drawn.box == pytest.approx((45.5, 909.6, 182, 1080.15), abs=0.1)
    assert not drawn.is_waiting and drawn.embeddings.get().indexed_at is not None
    look(photo)
    assert photo.faces.count() == 2


def test_what_is_ambiguous_stays_undecided(index) -> None:
    photo = looked_at(regions=[entry("Ana", OBAMA), entry("Rui", OBAMA)])
    assert photo.faces.get().person is None and not Person.objects.exists()
    assert [region["name"] for region in regions.undecided(photo)] == ["Ana", "Rui"]


def test_a_name_that_someone_gave_or_took_away_is_stronger(index) -> None:
    photo = looked_at()
    face = photo.faces.get()
    assigning.assign(face_ids=[face.pk], name="By hand")
    Photo.objects.update(regions=[entry("From the file", OBAMA)])
    look(photo)
    face.refresh_from_db()
    assert face.person.name == "By hand"

    assigning.unassign(face_ids=[face.pk])
    look(photo)
    face.refresh_from_db()
    assert face.person is None  # it was settled the first time


def test_someone_who_said_no_is_not_overruled(index) -> None:
    photo = looked_at()
    face, person = photo.faces.get(), make_person("Ana", import_key="ana")
    assigning.reject(face_ids=[face.pk], person=person)
    Photo.objects.update(regions=[entry("Ana", OBAMA)])
    look(photo)
    face.refresh_from_db()
    assert face.person is None


def test_what_is_no_face_gets_no_name(index) -> None:
    photo = looked_at()
    assigning.mark_not_a_face(face_ids=[photo.faces.get().pk])
    Photo.objects.update(regions=[entry("Ana", OBAMA)])
    look(photo)
    assert photo.faces.get().person is None


def test_a_region_and_the_name_of_the_file_do_not_mix(index) -> None:
    photo = looked_at(hint="Ana", regions=[entry("Barack", OBAMA)])
    assert photo.faces.get().person.name == "Barack"
    assert photo.naming == "undecided"
    photo = looked_at(hint="Barack", regions=[entry("Barack", OBAMA)])
    assert photo.naming == "given"


def test_regions_of_a_turned_photo_turn_with_it(index) -> None:
    photo = looked_at(turns=1, regions=[entry("Barack", OBAMA)])
    face = photo.faces.get()
    assert face.person.name == "Barack" and face.origin == "detected"


def test_a_known_photo_takes_names_that_come_later(index) -> None:
    content = with_regions(Region("Barack", OBAMA))
    photo = look(add(content))
    face = photo.faces.get(number=1)
    batch = make_import(names="none")
    again = add(content, with_regions=True, batch=batch)
    assert again == photo and again.status == "queued" and again.batch == batch
    look(photo)
    face.refresh_from_db()
    assert face.person.name == "Barack"


def test_a_deleted_person_is_not_made_again_from_regions() -> None:
    person = make_person("Ana Silva", import_key="ana silva")
    make_face(person=person)
    photo = make_photo(regions=[entry("Ana  silva", OBAMA), entry("Rui", OBAMA)])
    deletion.delete_person(person=person, with_photos=False)
    photo.refresh_from_db()
    assert [region["name"] for region in photo.regions] == ["Rui"]


# --- the command ---------------------------------------------------------------------------------


def test_a_folder_with_sidecars_is_imported(index, tmp_path, settings) -> None:
    picture = face_photo("obama.jpg").read_bytes()
    (tmp_path / "one.jpg").write_bytes(picture)
    size = Metadata(910, 1137, 1, None, b"")
    (tmp_path / "one.jpg.xmp").write_text(sidecar([Region("Barack", OBAMA)], size))
    (tmp_path / "two.jpg").write_bytes(picture + b" ")
    (tmp_path / "two.xmp").write_text(sidecar([Region("Obama", OBAMA)], size))
    call_command("import_photos", tmp_path, "--regions", "--inline", "--json")
    named = dict(Face.objects.values_list("photo__original_name", "person__name"))
    assert named == {"one.jpg": "Barack", "two.jpg": "Obama"}
    call_command("import_photos", tmp_path, "--regions", "--inline", "--json")
    assert Photo.objects.filter(status="done").count() == 2
