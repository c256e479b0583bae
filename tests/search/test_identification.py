"""Answering: grouped by person, joined to live rows, honest about strangers."""

import numpy as np
import pytest
from django.core.files.storage import default_storage

from faceweb import runtime
from faceweb.recognition import embedders
from faceweb.recognition.embedders import SFACE
from people.models import FaceEmbedding, Person
from people.services import deletion, indexing, scoring
from search import files
from search.models import Candidate, ProbeFace, Search
from search.services import identification, ranking, searches
from search.services.answers import answer_as_data
from tests.faces import photo as face_photo
from tests.factories import direction, make_face, make_person, near

pytestmark = pytest.mark.django_db

PROBE = direction(1)


def answer(top: int = 5, size: int = 1) -> ranking.Answer:
    found = ranking.identify(
        vectors=PROBE[None], top=top, index=runtime.index(), spec=SFACE, size=size
    )
    return found[0]


def identify(top: int = 5) -> list[ranking.Found]:
    indexing.drain()
    return answer(top).found


def test_a_person_stands_once_with_the_best_face(index) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    make_face(person=ana, vector=near(PROBE, 0.5))
    best = make_face(person=ana, vector=near(PROBE, 0.9))
    second = make_face(person=rui, vector=near(PROBE, 0.4))
    unnamed = [make_face(vector=near(PROBE, s)) for s in (0.3, 0.2)]
    found = identify()
    assert [one.face_id for one in found] == [best.pk, second.pk, *(f.pk for f in unnamed)]
    assert [one.person_id for one in found] == [ana.pk, rui.pk, None, None]
    assert [one.verdict for one in found] == ["match", "possible", "unknown", "unknown"]
    assert found[0].similarity == pytest.approx(0.9, abs=1e-3)


def test_one_with_many_faces_does_not_crowd_out_the_others(index) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    for n in range(60):
        make_face(person=ana, vector=near(PROBE, 0.9, towards=20 + n))
    make_face(person=rui, vector=near(PROBE, 0.3))
    assert [one.person_id for one in identify(top=2)] == [ana.pk, rui.pk]


def test_who_is_erased_or_hidden_never_appears_even_if_the_index_lags(index) -> None:
    erased, hidden = make_person("Erased"), make_person("Hidden")
    make_face(person=erased, vector=near(PROBE, 0.9))
    make_face(person=hidden, vector=near(PROBE, 0.8))
    make_face(vector=near(PROBE, 0.7), state="not_a_face")
    other = make_face(vector=near(PROBE, 0.1))
    indexing.drain()
    deletion.delete_person(person=erased, with_photos=False)
    Person.objects.filter(pk=hidden.pk).update(is_searchable=False)
    assert indexing.points() == 4  # the index has not caught up
    assert [one.face_id for one in answer().found] == [other.pk]


def test_an_empty_gallery_answers_nothing(index) -> None:
    assert identify() == []
    assert answer().margin is None
    nothing = {"top": 5, "index": runtime.index(), "spec": SFACE}
    assert ranking.identify(vectors=None, **nothing) == []


def ask(name: str, user=None, **options) -> Search:
    with face_photo(name).open("rb") as file:
        search = searches.create_search(upload=file, name=name, user=user, **options)
    identification.run_search(search_id=search.pk, worker="t")
    search.refresh_from_db()
    return search


def enrol(name: str, person: Person) -> None:
    from faceweb.recognition.images import decode

    found = runtime.pipeline().analyse([decode(face_photo(name).read_bytes())])[0]
    make_face(person=person, vector=found[0].embedding.astype(np.float32))
    indexing.drain()


def test_a_real_photo_finds_its_person_first(index) -> None:
    enrol("obama.jpg", make_person("Barack Obama"))
    enrol("biden.jpg", make_person("Joe Biden"))
    answer = answer_as_data(search=ask("obama2.jpg", top=3), photo="p")
    first = answer["faces"][0]
    assert answer["error"] is None
    assert first["verdict"] == "match"
    assert first["candidates"][0]["person"] == "Barack Obama"
    assert [c["rank"] for c in first["candidates"]] == [1, 2]
    assert first["candidates"][1]["verdict"] == "unknown"


def test_a_stranger_is_called_unknown(index) -> None:
    enrol("biden.jpg", make_person("Joe Biden"))
    answer = answer_as_data(search=ask("obama.jpg"), photo="p")
    assert answer["sentence"] == "1 face was found in this photo"
    assert answer["faces"][0]["verdict"] == "unknown"


def test_a_probe_is_never_added_to_the_gallery(index) -> None:
    enrol("biden.jpg", make_person("Joe Biden"))
    before = indexing.points()
    ask("obama.jpg")
    indexing.drain()
    assert indexing.points() == before


def test_answering_twice_gives_one_answer(index) -> None:
    enrol("obama.jpg", make_person("Barack Obama"))
    search = ask("obama.jpg")
    Search.objects.update(status="queued")
    identification.run_search(search_id=search.pk, worker="t")
    assert ProbeFace.objects.count() == 1
    assert Candidate.objects.count() == 1


def test_a_photo_that_cannot_be_opened_says_so(index) -> None:
    content = face_photo("obama.jpg").read_bytes()[:40_000]
    from django.core.files.uploadedfile import SimpleUploadedFile

    search = searches.create_search(upload=SimpleUploadedFile("cut.jpg", content), name="cut.jpg")
    identification.run_search(search_id=search.pk, worker="t")
    search.refresh_from_db()
    assert search.status == "failed"
    assert "end of the file is missing" in answer_as_data(search=search, photo="p")["error"]


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "No face was found in this photo"),
        (1, "1 face was found in this photo"),
        (2, "2 faces were found in this photo"),
    ],
)
def test_the_sentence_is_right_for_every_number(count: int, sentence: str) -> None:
    assert searches.faces_sentence(Search(status="done"), count) == sentence


def test_a_name_stands_before_unnamed_faces_of_the_same_person(index) -> None:
    ana = make_person("Ana")
    stranger = make_face(vector=near(PROBE, 0.62, towards=40))
    unnamed = make_face(vector=near(PROBE, 0.9, towards=41))
    named = make_face(person=ana, vector=near(PROBE, 0.6, towards=41))
    # A stranger between them keeps its place: only unnamed faces of Ana herself step back.
    assert [one.face_id for one in identify()] == [unnamed.pk, stranger.pk, named.pk]
    deletion.delete_photos(photos=type(stranger.photo).objects.filter(pk=stranger.photo_id))
    assert [one.face_id for one in identify()] == [named.pk, unnamed.pk]


def test_among_possible_answers_names_come_first(index) -> None:
    unnamed = make_face(vector=near(PROBE, 0.41, towards=40))
    named = make_face(person=make_person(), vector=near(PROBE, 0.39, towards=41))
    stranger = make_face(vector=near(PROBE, 0.2, towards=42))
    assert [one.face_id for one in identify()] == [named.pk, unnamed.pk, stranger.pk]


def test_several_pictures_that_agree_outrank_one_that_is_a_little_more_alike(index) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    best = make_face(person=ana, vector=near(PROBE, 0.6, towards=20))
    for place, similarity in enumerate((0.58, 0.57)):
        make_face(person=ana, vector=near(PROBE, similarity, towards=21 + place))
    make_face(person=ana, vector=near(PROBE, 0.02, towards=24))  # a wrong member
    rival = make_face(person=rui, vector=near(PROBE, 0.63, towards=30))
    first, second = identify()
    assert (first.face_id, second.face_id) == (best.pk, rival.pk)
    assert first.similarity == pytest.approx(0.6, abs=1e-3)
    assert first.score > second.score == pytest.approx(0.63, abs=1e-3)
    assert (len(first.support), first.compared) == (3, 4)
    assert first.support[0] == best.pk


def test_a_poor_picture_does_not_speak_for_its_person(index) -> None:
    ana = make_person("Ana")
    make_face(person=ana, vector=near(PROBE, 0.8, towards=20), quality=0.3)
    good = make_face(person=ana, vector=near(PROBE, 0.5, towards=21), quality=0.95)
    unjudged = make_face(person=ana, vector=near(PROBE, 0.45, towards=22))
    [found] = identify()
    assert found.face_id == good.pk
    assert found.support == (good.pk, unjudged.pk)
    assert found.compared == 2


def test_who_has_only_poor_pictures_is_found_by_those(index) -> None:
    poor = make_face(person=make_person("Ana"), vector=near(PROBE, 0.8), quality=0.3)
    assert [one.face_id for one in identify()] == [poor.pk]


def test_confidence_and_strangers_come_from_the_calibration(index) -> None:
    make_face(person=make_person("Ana"), vector=near(PROBE, 0.42))
    indexing.drain()
    scale = scoring.scale(SFACE.slug)
    [found] = answer(size=1000).found
    assert found.confidence == pytest.approx(scale.confidence(0.42), abs=0.01)
    assert found.strangers == pytest.approx(scale.strangers(0.42, 1000), rel=0.05)


def test_without_a_calibration_there_is_no_verdict_and_the_most_similar_comes_first(
    index, monkeypatch
) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    for place in range(3):
        make_face(person=ana, vector=near(PROBE, 0.6, towards=20 + place))
    make_face(person=rui, vector=near(PROBE, 0.62, towards=30))
    monkeypatch.setattr(scoring, "active_calibration", lambda spec: None)
    found = identify()
    assert [one.person_id for one in found] == [rui.pk, ana.pk]
    assert {(one.verdict, one.confidence, one.strangers) for one in found} == {(None, None, None)}


def test_the_margin_is_to_another_person_not_to_more_pictures_of_the_same(index) -> None:
    ana = make_person("Ana")
    make_face(person=ana, vector=near(PROBE, 0.8, towards=40))
    make_face(vector=near(PROBE, 0.75, towards=40))  # nobody yet, but surely Ana
    indexing.drain()
    assert answer().margin is None
    make_face(person=make_person("Rui"), vector=near(PROBE, 0.5, towards=60))
    indexing.drain()
    assert answer().margin == pytest.approx(0.3, abs=1e-2)
    assert answer(top=1).margin == pytest.approx(0.3, abs=1e-2)


def test_the_margin_is_in_one_measure_whatever_the_embedder(index) -> None:
    dlib = embedders.get_spec("dlib-resnet")
    make_face(person=make_person("Ana"), vector=near(PROBE, 0.95, towards=40))
    make_face(person=make_person("Rui"), vector=near(PROBE, 0.9, towards=60))
    FaceEmbedding.objects.update(embedder=dlib.slug, version=dlib.version)
    indexing.drain()
    [found] = ranking.identify(vectors=PROBE[None], top=5, index=index, spec=dlib)
    first, second = found.found
    assert (first.verdict, second.verdict) == ("match", "unknown")
    # Two different people are usually at 0.83 already.
    assert found.margin == pytest.approx(0.15, abs=0.01)


def test_a_person_with_thousands_of_pictures_costs_no_more_queries(
    index, django_assert_max_num_queries
) -> None:
    ana = make_person("Ana")
    for place in range(40):
        make_face(person=ana, vector=near(PROBE, 0.7, towards=20 + place))
        make_face(person=make_person(), vector=near(PROBE, 0.3, towards=20 + place))
    indexing.drain()
    with django_assert_max_num_queries(6):
        found = answer().found
    assert found[0].person_id == ana.pk


def test_a_probe_keeps_its_quality_and_its_answer_what_speaks_for_it(index) -> None:
    obama = make_person("Barack Obama")
    enrol("obama.jpg", obama)
    enrol("obama3.jpg", obama)
    enrol("biden.jpg", make_person("Joe Biden"))
    data = answer_as_data(search=ask("obama2.jpg"), photo="p")
    face, first = data["faces"][0], data["faces"][0]["candidates"][0]
    assert face["quality"] > 0.9 and face["quality_reasons"] == [] and face["warning"] is None
    assert face["margin"] > 0.1
    assert first["confidence"] > 0.99 and first["strangers"] < 0.01 and first["support"] == 2
    assert "LFW" in data["calibration"]["source"]
    probe = ProbeFace.objects.get()
    assert (probe.quality, probe.margin) == (pytest.approx(face["quality"]), pytest.approx(
        face["margin"], abs=1e-4
    ))  # fmt: skip


def test_an_answer_without_a_calibration_says_so(index, monkeypatch) -> None:
    enrol("obama.jpg", make_person("Barack Obama"))
    monkeypatch.setattr(scoring, "active_calibration", lambda spec: None)
    data = answer_as_data(search=ask("obama2.jpg"), photo="p")
    face = data["faces"][0]
    assert data["calibration"] is None
    assert face["verdict"] is None
    assert face["candidates"][0]["verdict"] is None
    assert face["candidates"][0]["confidence"] is None


def test_forgetting_a_search_takes_what_was_noted_for_it(index) -> None:
    enrol("obama.jpg", make_person("Barack Obama"))
    search = ask("obama2.jpg")
    assert default_storage.exists(files.support(search.pk))
    searches.delete_searches(searches=Search.objects.all())
    indexing.remove_files()
    assert not default_storage.exists(files.support(search.pk))
