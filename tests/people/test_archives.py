"""Archives made with face_recognition: their photos, boxes, names and embeddings are taken over."""

import io
import json
import sys
from pathlib import Path

import dlib
import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image, ImageOps

from faceweb import queues, runtime
from faceweb.recognition import embedders, pipeline
from faceweb.recognition.embedders import SFACE
from faceweb.recognition.geometry import upright_box
from faceweb.recognition.images import decode
from people import files
from people.models import Face, FaceEmbedding, Import, Person, Photo
from people.services import archives, coverage, embedding, indexing, ingest
from search.services import ranking
from tests.faces import photo as face_photo
from tests.factories import picture

pytestmark = pytest.mark.django_db

DLIB = embedders.get_spec("dlib-resnet")


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr(queues, "waiting", lambda queue: None)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def add_photo(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def encoding(number: int = 1) -> list[float]:
    return [1.4 if place == number else 0.0 for place in range(128)]


def line(photo: str, **values: object) -> dict[str, object]:
    return {"photo": photo, "name": "Ana Silva", "box": [10, 50, 60, 15], "encoding": encoding(),
            **values}  # fmt: skip


def take(folder: Path, lines: list[object], *words: str) -> dict:
    file = folder.parent / "archive.jsonl"
    file.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
    out = io.StringIO()
    call_command("import_embeddings", str(file), str(folder), "--json", *words, stdout=out)
    return json.loads(out.getvalue())


# --- taken over ---------------------------------------------------------------------------------


def by_face_recognition(path: Path) -> tuple[list[int], list[float]]:
    """The box and encoding of the first face, in the steps of face_recognition."""
    pixels = np.array(Image.open(path).convert("RGB"))
    face = dlib.get_frontal_face_detector()(pixels, 1)[0]
    models = DLIB.weights.locate().parent
    shape = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))(pixels, face)
    network = dlib.face_recognition_model_v1(str(DLIB.weights.locate()))
    vector = network.compute_face_descriptor(pixels, shape, 1)
    return [face.top(), face.right(), face.bottom(), face.left()], list(vector)


def test_an_archive_answers_searches_as_soon_as_it_is_here(index, folder, settings, monkeypatch):
    settings.FACEWEB_EMBEDDER = DLIB.slug
    lines = []
    for name, person in (("obama.jpg", "Barack Obama"), ("biden.jpg", "Joe Biden")):
        add_photo(folder, name, face_photo(name).read_bytes())
        box, vector = by_face_recognition(folder / name)
        lines.append(line(name, name=person, box=box, encoding=vector))
    assert take(folder, lines)["problems"] == []
    indexing.drain()
    assert coverage.coverage() == coverage.Coverage(0, 0)
    loaded = pipeline.load(embedder=DLIB.slug, detector="mtcnn")
    monkeypatch.setattr(runtime, "pipeline", lambda: loaded)
    for name, person in (("obama2.jpg", "Barack Obama"), ("obama3.jpg", "Barack Obama")):
        [faces] = loaded.analyse([decode(face_photo(name).read_bytes())])
        [answer] = ranking.identify(
            vectors=faces[0].embedding[None], top=2, index=index, spec=DLIB, size=2
        )
        assert Person.objects.get(pk=answer.found[0].person_id).name == person
        assert answer.found[0].similarity > 0.9


def test_a_photo_has_all_that_an_imported_one_has(index, folder):
    add_photo(folder, "deep/er/a.jpg", picture(200, 100))
    outcome = take(folder, [line("deep/er/a.jpg", encoding=encoding(7))], "--source", "The shelf")
    assert outcome == {"photos": 1, "known": 0, "faces": 1, "named": 1, "problems": []}
    photo = Photo.objects.get()
    assert (photo.status, photo.width, photo.height) == ("done", 200, 100)
    assert (photo.original_name, photo.source, photo.batch.source) == ("a.jpg", *["The shelf"] * 2)
    assert (photo.naming, photo.name_hint, photo.error_code) == ("none", "", "")
    face = photo.faces.get()
    assert (face.x1, face.y1, face.x2, face.y2) == (15, 10, 50, 60)
    assert (face.person.name, face.assigned_by, face.state) == ("Ana Silva", "import", "active")
    assert face.person.cover == face
    for name in files.of_photo(photo.key, photo.file.name, [face.crop.name]):
        assert default_storage.exists(name)
    row = face.embeddings.get()
    assert (row.embedder, row.version, row.indexed_at) == (DLIB.slug, DLIB.version, None)
    vector = np.frombuffer(bytes(row.vector), np.float32)
    np.testing.assert_allclose(vector, np.array(encoding(7)) / 1.4, atol=1e-6)
    indexing.drain()
    assert index.count(DLIB.collection) == 1
    assert index.count(SFACE.collection) == 0


def test_several_faces_of_a_photo_have_their_own_names(folder):
    add_photo(folder, "a.jpg", picture(400, 300))
    outcome = take(
        folder,
        [
            line("a.jpg", box=[10, 50, 60, 15]),
            line("a.jpg", box=[50, 250, 200, 100], name="Rui  Costa "),
            line("a.jpg", box=[10, 390, 30, 375], name=""),
        ],
    )
    assert (outcome["photos"], outcome["faces"], outcome["named"]) == (1, 3, 2)
    faces = Face.objects.order_by("number")
    names = [face.person.name if face.person else None for face in faces]
    assert names == ["Rui Costa", "Ana Silva", None]  # the most prominent face first


def test_the_same_name_is_the_same_person(folder):
    for name in ("a.jpg", "b.jpg"):
        add_photo(folder, name, picture(200, 100))
    take(folder, [line("a.jpg"), line("b.jpg", name="ANA SILVA")])
    assert Person.objects.get().faces.count() == 2


def test_doing_it_again_changes_nothing(folder):
    add_photo(folder, "a.jpg", picture(200, 100))
    take(folder, [line("a.jpg")])
    before = list(Face.objects.values()), list(FaceEmbedding.objects.values())
    outcome = take(folder, [line("a.jpg", name="Rui", box=[0, 99, 99, 0])])
    assert (outcome["photos"], outcome["known"]) == (0, 1)
    assert list(Import.objects.order_by("pk").values_list("known", flat=True)) == [0, 1]
    assert (list(Face.objects.values()), list(FaceEmbedding.objects.values())) == before


def test_another_embedder_looks_for_the_landmarks_and_embeds_the_faces(index, folder):
    add_photo(folder, "obama.jpg", face_photo("obama.jpg").read_bytes())
    box, vector = by_face_recognition(folder / "obama.jpg")
    take(folder, [line("obama.jpg", box=box, encoding=vector)])
    assert coverage.coverage() == coverage.Coverage(waiting=1, impossible=0)
    photo = Photo.objects.get()
    assert embedding.embed_photos(photo_ids=[photo.pk], worker="t") == 1
    face = photo.faces.get()
    assert face.person.name == "Ana Silva"
    assert len(face.landmarks) == 5
    [[found]] = runtime.pipeline().analyse([ingest.decoded(photo)])
    mine = np.frombuffer(bytes(face.embeddings.get(embedder="sface").vector), np.float32)
    assert float(mine @ found.embedding) > 0.97


# --- boxes --------------------------------------------------------------------------------------


def turned(orientation: int) -> bytes:
    """A picture 300 x 200 as stored, which has to be turned to be upright."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (300, 200), (orientation * 20, 9, 9)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_stored_pixels_are_turned_with_the_photo(folder, orientation):
    add_photo(folder, "a.jpg", turned(orientation))
    take(folder, [line("a.jpg", box=[20, 90, 60, 30])])
    marked = Image.new("L", (300, 200))
    marked.paste(255, (30, 20, 90, 60))
    marked.getexif()[0x0112] = orientation
    expected = ImageOps.exif_transpose(marked).getbbox()
    face = Face.objects.get()
    assert (face.x1, face.y1, face.x2, face.y2) == expected


def test_boxes_of_the_upright_photo_are_taken_as_they_are(folder):
    add_photo(folder, "a.jpg", turned(6))
    take(folder, [line("a.jpg", box=[220, 90, 280, 30])], "--upright")
    face = Face.objects.get()
    assert (face.x1, face.y1, face.x2, face.y2) == (30, 220, 90, 280)


def test_a_box_that_is_there_and_back_is_the_same():
    box = np.array([10, 20, 30, 60], np.float32)
    for orientation, back in ((2, 2), (3, 3), (4, 4), (5, 5), (7, 7), (6, 8), (8, 6)):
        sizes = [(200, 300), (300, 200)] if orientation >= 5 else [(300, 200)] * 2
        there = upright_box(box, orientation, width=sizes[0][0], height=sizes[0][1])
        again = upright_box(there, back, width=sizes[1][0], height=sizes[1][1])
        assert (again == box).all()


def test_a_box_that_sticks_out_a_little_is_cut(folder):
    add_photo(folder, "a.jpg", picture(200, 100))
    take(folder, [line("a.jpg", box=[-10, 220, 60, 150])])
    face = Face.objects.get()
    assert (face.x1, face.y1, face.x2, face.y2) == (150, 0, 200, 60)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("not JSON", "Line 2: Expecting value"),
        ("[" * 100_000, "Line 2: "),
        ([1], "Line 2: it is not a JSON object"),
        (line(""), '"photo" must be the path'),
        (line("../outside.jpg"), "'../outside.jpg' is not below the folder"),
        (line("/etc/passwd"), "'/etc/passwd' is not below the folder"),
        (line("a.jpg", name=7), '"name" must be a text'),
        (line("a.jpg", name="x" * 201), '"name" must be a text'),
        (line("a.jpg", box=[1, 2, 3]), '"box" must be a list of 4 numbers'),
        (line("a.jpg", box=[10, 15, 60, 50]), "top, right, bottom, left"),
        (line("a.jpg", box=[1, True, 3, 0]), '"box" must be a list of 4 numbers'),
        (line("a.jpg", box=[1, 1e300, 3, 0]), '"box" has a number that is out of range'),
        (line("a.jpg", box=[1, 10**400, 3, 0]), '"box" has a number that is out of range. Write'),
        (
            json.dumps(line("a.jpg", box=[1, 7, 3, 0])).replace("7", "7" * 5000),
            "out of range. Write",
        ),
        (line("a.jpg", encoding=[10**400] * 128), '"encoding" has a number that is out of'),
        (line("a.jpg", name="Ana \ud800"), r"broken character, 'Ana \ud800'. Correct it."),
        (line("a.jpg", name="Ana\0"), r"broken character, 'Ana\x00'. Correct it."),
        (line("\ud800.jpg"), r"a name that no file can have, '\ud800.jpg'. Correct it."),
        (line("\0.jpg"), r"a name that no file can have, '\x00.jpg'. Correct it."),
        (line("gone-\udce9.jpg"), "gone-?.jpg: No such file or directory."),
        (line("a.jpg", encoding=[0.1] * 127), '"encoding" must be a list of 128 numbers'),
        (line("a.jpg", encoding=[float("nan")] * 128), '"encoding" has a number that is out of'),
        (line("a.jpg", encoding=[0.0] * 128), "its length is 0"),
        (line("a.jpg", encoding=[9.0] * 128), "its length is 101"),
        (line("gone.jpg"), "gone.jpg: No such file or directory."),
        (line("text.jpg"), "text.jpg: This is not a picture"),
        (line("a.jpg", box=[500, 950, 560, 900]), "Line 2: the box is not within a.jpg"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_stops_no_other(folder, wrong, words):
    add_photo(folder, "good.jpg", picture(200, 100))
    add_photo(folder, "a.jpg", picture(200, 100))
    add_photo(folder, "text.jpg", b"just text")
    outcome = take(folder, [line("good.jpg"), wrong, ""])
    assert len(outcome["problems"]) == 1
    assert words in outcome["problems"][0]
    assert (outcome["photos"], Face.objects.count(), Photo.objects.count()) == (1, 1, 1)


@pytest.mark.skipif(sys.platform == "darwin", reason="there, names of files are UTF-8")
def test_a_file_whose_name_is_no_utf8_is_taken(folder):
    add_photo(folder, "caf\udce9.jpg", picture(200, 100))
    assert take(folder, [line("caf\udce9.jpg")])["photos"] == 1
    assert Photo.objects.get().original_name == "caf.jpg"


def test_nothing_is_left_of_a_photo_that_cannot_be_stored(folder, monkeypatch):
    add_photo(folder, "a.jpg", picture(200, 100))

    def full(**_: object) -> None:
        raise RuntimeError("the disk is full")

    stored: list[str] = []
    save = default_storage.save
    monkeypatch.setattr(default_storage, "save", lambda *of: stored.append(save(*of)) or stored[-1])
    monkeypatch.setattr(archives, "give_imported_names", full)
    with pytest.raises(RuntimeError):
        take(folder, [line("a.jpg")])
    assert not Photo.objects.exists() and not Face.objects.exists()
    assert len(stored) == 4
    assert not any(default_storage.exists(name) for name in stored)


def test_a_file_or_folder_that_is_not_there_gets_a_sentence(folder):
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("import_embeddings", "x.jsonl", str(folder / "gone"))
    with pytest.raises(CommandError, match=r"x\.jsonl: No such file"):
        call_command("import_embeddings", "x.jsonl", str(folder))
    (folder / "pickle").write_bytes(b"\x80\x04\x95\xff")
    with pytest.raises(CommandError, match="not a text file"):
        call_command("import_embeddings", str(folder / "pickle"), str(folder))


def test_for_people_there_are_sentences(folder):
    add_photo(folder, "a.jpg", picture(200, 100))
    (folder / "archive.jsonl").write_text(json.dumps(line("a.jpg")) + "\nnonsense\n")
    out = io.StringIO()
    call_command("import_embeddings", str(folder / "archive.jsonl"), str(folder), stdout=out)
    text = out.getvalue()
    assert "1 new photos with 1 faces, 1 of them with a name" in text
    assert "Line 2: Expecting value" in text
    assert "Searches use the embedder sface" in text
