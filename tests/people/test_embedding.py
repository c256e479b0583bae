"""After a change of the embedder: every face is embedded anew, and nothing else changes."""

import errno
import functools
import io
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from faceweb import queues, runtime, sweeping
from faceweb.recognition import embedders, pipeline, weights
from faceweb.recognition.embedders import SFACE
from people import tasks
from people.models import Face, FaceEmbedding, Photo, Suggestion
from people.names import name_key
from people.services import coverage, deletion, embedding, indexing, ingest, matching, stats
from tests.faces import photo as face_photo
from tests.factories import direction, make_face, make_person, make_photo, picture
from tests.weights import make_onnx

pytestmark = pytest.mark.django_db

SLUG = "onnx:tiny.onnx"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """A second embedder, small and quick."""
    monkeypatch.setattr(weights, "_folder", tmp_path)
    make_onnx(tmp_path)
    return tmp_path


@functools.cache
def loaded(slug: str, version: str) -> pipeline.Pipeline:
    return pipeline.load(embedder=slug, detector="mtcnn")


def choose(slug: str, settings, monkeypatch) -> pipeline.Pipeline:
    settings.FACEWEB_EMBEDDER = slug
    chosen = loaded(slug, embedders.get_spec(slug).version)
    monkeypatch.setattr(runtime, "pipeline", lambda: chosen)
    return chosen


def stored(name: str = "group.jpg", **values) -> Photo:
    content = face_photo(name).read_bytes()
    return make_photo(stored=True, content=content, status="queued", width=None, **values)


@pytest.fixture
def looked_at(index) -> Photo:
    """A photo of six people, looked at with the first embedder; one of them has a name."""
    photo = stored()
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    Face.objects.filter(number=1).update(person=make_person("Ana"), assigned_by="hand")
    return photo


@pytest.fixture
def changed(looked_at, settings, monkeypatch) -> pipeline.Pipeline:
    return choose(SLUG, settings, monkeypatch)


def embed(*photos: Photo) -> int:
    return embedding.embed_photos(photo_ids=[photo.pk for photo in photos], worker="t")


def vectors(slug: str) -> np.ndarray:
    rows = FaceEmbedding.objects.filter(embedder=slug).order_by("face__number")
    return np.stack([np.frombuffer(bytes(row.vector), np.float32) for row in rows])


# --- nothing lost, nothing mixed ----------------------------------------------------------------


def test_faces_are_embedded_anew_where_they_are_and_stay_as_they_are(index, looked_at, changed):
    before = list(Face.objects.order_by("pk").values())
    old = vectors("sface")
    assert embed(looked_at) == 1
    assert list(Face.objects.order_by("pk").values()) == before
    assert (vectors("sface") == old).all()
    [found] = changed.analyse([ingest.decoded(looked_at)])
    expected = np.stack([face.embedding for face in found])
    np.testing.assert_allclose(vectors(SLUG), expected, atol=0.02)
    assert not FaceEmbedding.objects.unindexed().exists()
    assert index.count(changed.spec.collection) == index.count(SFACE.collection) == 6
    [hits] = index.search(changed.spec.collection, expected[:1], limit=1)
    assert hits[0].id == FaceEmbedding.objects.get(embedder=SLUG, face__number=1).pk


def test_doing_it_again_changes_nothing(looked_at, changed):
    embed(looked_at)
    before = list(FaceEmbedding.objects.order_by("pk").values())
    assert embed(looked_at) == 0
    assert list(FaceEmbedding.objects.order_by("pk").values()) == before


def test_going_back_needs_no_work(looked_at, changed, settings, monkeypatch):
    embed(looked_at)
    choose("sface", settings, monkeypatch)
    assert coverage.coverage() == coverage.Coverage(0, 0)
    assert embed(looked_at) == 0


def test_other_weights_of_the_same_embedder_replace_the_old(
    index, looked_at, changed, folder, settings, monkeypatch
):
    embed(looked_at)
    make_onnx(folder, mean=0)
    again = choose(SLUG, settings, monkeypatch)
    assert again.spec.version != changed.spec.version
    assert coverage.coverage().waiting == 6
    assert embed(looked_at) == 1
    indexing.drain()
    assert index.count(changed.spec.collection) == 0
    assert index.count(again.spec.collection) == 6
    assert FaceEmbedding.objects.filter(embedder=SLUG).count() == 6
    assert index.count(SFACE.collection) == 6


def test_what_the_other_embedder_guessed_goes_with_the_embedding(looked_at, changed):
    ana = Face.objects.get(number=1)
    Face.objects.filter(pk=ana.pk).update(fit=0.9)
    other = make_face()
    for face in (Face.objects.get(number=2, photo=looked_at), other):
        Suggestion.objects.create(
            face=face, person=ana.person, example=ana, similarity=0.99, score=0.99
        )
    embed(looked_at)
    assert Suggestion.objects.get().face == other
    assert Face.objects.get(pk=ana.pk).fit is None


def test_only_the_faces_that_lack_it_are_embedded(looked_at, changed):
    embed(looked_at)
    FaceEmbedding.objects.filter(embedder=SLUG, face__number__gt=4).delete()
    kept = set(FaceEmbedding.objects.filter(embedder=SLUG).values_list("pk", flat=True))
    embed(looked_at)
    now = set(FaceEmbedding.objects.filter(embedder=SLUG).values_list("pk", flat=True))
    assert len(now) == 6 and kept < now


def test_what_is_no_face_is_embedded_too_as_that_may_be_taken_back(looked_at, changed):
    Face.objects.filter(number=6).update(state="not_a_face")
    embed(looked_at)
    assert FaceEmbedding.objects.filter(embedder=SLUG).count() == 6


def test_the_index_knows_collections_of_every_embedder(index, looked_at, changed, settings):
    embed(looked_at)
    assert indexing.points() == 12
    assert indexing.rebuild() == 12
    index.remove(changed.spec.collection, [FaceEmbedding.objects.get(
        embedder=SLUG, face__number=2).pk])  # fmt: skip
    settings.FACEWEB_EMBEDDER = "sface"
    assert indexing.reconcile() == indexing.Reconciliation(added=1, removed=0)
    deletion.delete_photos(photos=Photo.objects.all())
    indexing.drain()
    assert index.count(changed.spec.collection) == index.count(SFACE.collection) == 0


# --- faces that came with a box alone -----------------------------------------------------------


def test_landmarks_that_are_not_known_are_looked_for(looked_at, changed):
    face = Face.objects.get(number=1)
    known = np.array(face.landmarks)
    Face.objects.filter(pk=face.pk).update(landmarks=[], quality=None)
    embed(looked_at)
    face.refresh_from_db()
    np.testing.assert_allclose(np.array(face.landmarks), known, atol=0.05 * face.width)
    assert face.quality > 0.7


def test_where_no_face_is_seen_the_landmarks_stay_unknown(index, settings, monkeypatch):
    choose(SLUG, settings, monkeypatch)
    photo = make_photo(stored=True, content=picture(400, 300))
    face = make_face(photo, landmarks=[])
    assert embed(photo) == 1
    face.refresh_from_db()
    assert (face.landmarks, face.quality) == ([], None)
    assert face.embeddings.filter(embedder=SLUG).exists()


def test_boxes_that_wait_for_a_look_are_left_to_it(looked_at, changed, monkeypatch):
    moved, waiting = Face.objects.filter(number__in=(1, 2)).order_by("number")
    Face.objects.filter(pk=waiting.pk).update(crop="")
    assert coverage.coverage().waiting == 5
    see = embedding._see

    def moved_meanwhile(*of_one):
        seen = see(*of_one)
        Face.objects.filter(pk=moved.pk).update(x1=moved.x1 + 9)
        return seen

    monkeypatch.setattr(embedding, "_see", moved_meanwhile)
    embed(looked_at)
    rows = FaceEmbedding.objects.filter(embedder=SLUG)
    assert set(rows.values_list("face__number", flat=True)) == {3, 4, 5, 6}


def test_a_photo_that_is_looked_at_again_is_not_lost(looked_at, changed):
    Photo.objects.update(status="queued")
    assert coverage.coverage() == coverage.Coverage(waiting=6, impossible=0)
    ingest.process_photos(photo_ids=[looked_at.pk], worker="t")
    assert coverage.coverage() == coverage.Coverage(0, 0)


# --- what cannot be opened ----------------------------------------------------------------------


def test_a_photo_that_is_gone_keeps_its_faces_and_says_why(looked_at, changed):
    default_storage.delete(looked_at.file.name)
    assert embed(looked_at) == 1
    looked_at.refresh_from_db()
    assert (looked_at.status, looked_at.error_code, looked_at.claim) == (
        "done", "file_missing", None,
    )  # fmt: skip
    assert Face.objects.filter(person__name="Ana").exists()
    assert coverage.coverage() == coverage.Coverage(waiting=0, impossible=6)
    assert not coverage.photos_to_embed(after=0, limit=9).exists()
    assert embed(looked_at) == 0


def test_it_is_tried_again_when_the_worker_starts(looked_at, changed):
    content = default_storage.open(looked_at.file.name).read()
    default_storage.delete(looked_at.file.name)
    embed(looked_at)
    default_storage.save(looked_at.file.name, io.BytesIO(content))
    embedding.release()
    assert not coverage.photos_to_embed(after=0, limit=9).exists()
    embedding.release(worker="t")
    assert embed(looked_at) == 1
    assert coverage.coverage() == coverage.Coverage(0, 0)


def test_one_photo_that_fails_stops_no_other(looked_at, changed, monkeypatch):
    other = stored("obama.jpg")
    make_face(other)
    Photo.objects.update(status="done")
    see = embedding._see

    def sometimes(pipeline, image, faces):
        if faces[0].photo_id == looked_at.pk:
            raise RuntimeError("no memory")
        return see(pipeline, image, faces)

    monkeypatch.setattr(embedding, "_see", sometimes)
    assert embed(looked_at, other) == 2
    assert Photo.objects.get(error_code="unexpected") == looked_at
    assert other.faces.get().embeddings.filter(embedder=SLUG).exists()


def test_when_the_storage_fails_for_a_moment_nothing_is_set_aside(looked_at, changed, monkeypatch):
    other = stored("obama.jpg")
    make_face(other)
    Photo.objects.update(status="done")
    opened = default_storage.open

    class Failing(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(errno.EIO, "the disk does not answer")

    monkeypatch.setattr(
        default_storage,
        "open",
        lambda name: Failing() if name == looked_at.file.name else opened(name),
    )
    with pytest.raises(OSError, match="does not answer"):
        embed(looked_at, other)
    looked_at.refresh_from_db()
    assert (looked_at.claim, looked_at.error_code, looked_at.crashes) == (None, "", 0)
    assert other.faces.get().embeddings.filter(embedder=SLUG).exists()
    assert not FaceEmbedding.objects.unindexed().filter(embedder=SLUG).exists()


def test_the_task_is_tried_again_when_the_storage_failed(monkeypatch):
    tried: list[int] = []

    def fails(**_: object) -> int:
        tried.append(1)
        raise OSError(errno.EIO, "the disk does not answer")

    monkeypatch.setattr(embedding, "embed_photos", fails)
    tasks.embed_photos.apply(args=([1], 1))
    assert len(tried) > 1


# --- claims -------------------------------------------------------------------------------------


def test_a_photo_in_other_hands_is_passed_over(looked_at, changed):
    [claimed] = embedding._claim([looked_at.pk], worker="other")
    assert embed(looked_at) == 0
    claimed.refresh_from_db()
    assert (claimed.status, claimed.claimed_by) == ("done", "other")
    assert not coverage.photos_to_embed(after=0, limit=9).exists()


def test_what_a_dead_worker_held_is_freed_and_set_aside_the_second_time(looked_at, changed):
    for crashes in (1, 2):
        assert embedding._claim([looked_at.pk], worker="dead")
        embedding.release()  # a lease that has not run out
        Photo.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        embedding.release()
        looked_at.refresh_from_db()
        assert looked_at.claim is None
        assert looked_at.crashes == min(crashes, 1)
    assert (looked_at.status, looked_at.error_code) == ("done", "crashed_worker")
    embedding.release(worker="dead")
    assert embed(looked_at) == 0


def test_a_photo_that_was_there_at_a_crash_is_taken_alone(looked_at, changed):
    other = make_photo()
    Photo.objects.filter(pk=looked_at.pk).update(crashes=1)
    assert embed(looked_at, other) == 0
    assert embed(looked_at) == 1
    looked_at.refresh_from_db()
    assert looked_at.crashes == 0


def test_a_photo_that_goes_meanwhile_leaves_nothing(index, looked_at, changed, monkeypatch):
    see = embedding._see

    def deleted_meanwhile(*of_one):
        seen = see(*of_one)
        deletion.delete_photos(photos=Photo.objects.all())
        return seen

    monkeypatch.setattr(embedding, "_see", deleted_meanwhile)
    embed(looked_at)
    indexing.drain()
    assert not FaceEmbedding.objects.exists()
    assert indexing.points() == 0


def test_when_the_worker_stops_half_way_the_photos_are_free(looked_at, changed, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embedding, "_see", stopped)
    with pytest.raises(KeyboardInterrupt):
        embed(looked_at)
    looked_at.refresh_from_db()
    assert (looked_at.claim, looked_at.error_code, looked_at.crashes) == (None, "", 0)


# --- how it gets going --------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch) -> list[tuple]:
    """What is queued, instead of queueing it; little waits."""
    messages: list[tuple] = []
    monkeypatch.setattr(queues, "waiting", lambda queue: 0)
    monkeypatch.setattr(queues, "send", lambda task, *args: messages.append((task, *args)))
    return messages


def of_embedding(sent: list[tuple]) -> list[tuple]:
    return [args for task, *args in sent if task is tasks.embed_photos]


def test_the_sweeper_queues_a_few_photos_and_each_task_the_next(sent, index, settings):
    settings.FACEWEB_EMBEDDER = SLUG
    faces = [make_face() for _ in range(40)]
    ids = [face.photo_id for face in faces]
    sweeping.sweep()
    queued = of_embedding(sent)
    assert [chunk for chunk, _ in queued] == [ids[:16], ids[16:32]]
    assert {last for _, last in queued} == {ids[31]}
    sent.clear()
    tasks.enqueue_embedding(after=ids[31])
    assert of_embedding(sent) == [[ids[32:], ids[39]]]
    sent.clear()
    tasks.enqueue_embedding(after=ids[39])
    assert of_embedding(sent) == []


def test_photos_that_were_there_at_a_crash_are_queued_alone(sent, settings):
    settings.FACEWEB_EMBEDDER = SLUG
    ids = [make_face().photo_id for _ in range(3)]
    Photo.objects.filter(pk=ids[1]).update(crashes=1)
    tasks.enqueue_embedding()
    assert [chunk for chunk, _ in of_embedding(sent)] == [[ids[0], ids[2]], [ids[1]]]


def test_nothing_is_queued_behind_much_or_without_a_broker(sent, settings, monkeypatch):
    settings.FACEWEB_EMBEDDER = SLUG
    make_face()
    for count in (2, None):
        monkeypatch.setattr(queues, "waiting", lambda queue, count=count: count)
        tasks.enqueue_embedding()
    assert sent == []


def test_where_nothing_is_missing_two_counts_say_so(sent, django_assert_num_queries):
    make_face()
    with django_assert_num_queries(2):
        tasks.enqueue_embedding()
    assert sent == []


def test_a_task_goes_on_until_nothing_is_left(looked_at, changed, sent):
    tasks.embed_photos([looked_at.pk], looked_at.pk)
    assert coverage.coverage() == coverage.Coverage(0, 0)
    assert of_embedding(sent) == []


def test_when_all_is_done_everything_guessed_is_worked_out_anew(looked_at, changed, sent):
    other = stored("obama.jpg", batch=None)
    make_face(other)
    Photo.objects.update(status="done")
    embedding._claim([other.pk], worker="other")
    tasks.embed_photos([looked_at.pk], looked_at.pk)
    assert (tasks.refresh_guesses,) not in sent
    embedding.release(worker="other")
    tasks.embed_photos([other.pk], other.pk)
    assert sent.count((tasks.refresh_guesses,)) == 1
    sent.clear()
    tasks.embed_photos([other.pk], other.pk)
    assert sent == []


# --- what people see ----------------------------------------------------------------------------


def test_the_first_page_and_the_figures_say_how_far_it_is(signed_in, settings):
    make_face()
    page = signed_in.get("/").content.decode()
    assert "still being made ready" not in page and "could not look" not in page
    settings.FACEWEB_EMBEDDER = SLUG
    for address in ("/", "/search/"):
        assert "1 face is still being made ready" in signed_in.get(address).content.decode()
    Photo.objects.update(error_code="file_missing")
    page = signed_in.get("/").content.decode()
    assert "could not look at the photo of 1 face again, so searches do not find it." in page
    assert "Somebody from the staff can see which" in page
    assert "embedder" not in page and "worker" not in page
    figures = stats.figures(points=None)
    assert figures["faces_waiting_for_the_embedder"] == 0
    assert figures["faces_that_cannot_be_embedded"] == 1


def test_staff_is_led_to_the_photos_whose_faces_are_not_found(admin_client, settings):
    lost, waiting = make_face().photo, make_face().photo
    refused = make_photo(status="failed", error_code="damaged")
    settings.FACEWEB_EMBEDDER = SLUG
    Photo.objects.filter(pk=lost.pk).update(error_code="file_missing")
    address = reverse("admin:people_photo_changelist") + "?searches=no"
    assert f'href="{address}"' in admin_client.get("/").content.decode()
    page = admin_client.get(address).content.decode()
    assert lost.original_name in page and "file_missing" in page
    assert waiting.original_name not in page and refused.original_name not in page


def test_names_are_not_given_by_embeddings_of_another_version():
    person = make_person("Ana Silva", import_key=name_key("Ana Silva"))
    make_face(person=person, is_anchor=True, vector=direction(1))
    photo = make_photo(hint="Ana Silva", naming="undecided")
    for number in (1, 2):
        make_face(photo, vector=direction(number))
    FaceEmbedding.objects.filter(face__photo=photo).update(version="older")
    assert matching._settle_photo(photo, "sface") is False
    FaceEmbedding.objects.update(version=SFACE.version)
    assert matching._settle_photo(photo, "sface") is True
    assert photo.faces.get(number=1).person == person
