"""How work is divided into tasks."""

import pytest

from faceweb import queues
from people import tasks
from people.models import Photo
from tests.factories import make_photo, picture

pytestmark = pytest.mark.django_db

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([], []),
        ([10_000] * 97, [12] * 8 + [1]),  # no thread works on alone at the end
        ([10_000] * 500, [48] * 5 + [36] * 2 + [24] * 2 + [12] * 11 + [8]),
        ([5 * MEGABYTE] * 3, [1, 1, 1]),  # large photos one at a time, never none
        ([1_200_000, 1_200_000, 1_200_000, 10_000], [2, 2]),
    ],
)
def test_a_task_has_many_small_photos_or_few_large_ones(sent, settings, sizes, parts) -> None:
    settings.FACEWEB_WORKER_THREADS = 3
    photos = [make_photo(size=size) for size in sizes]
    tasks.enqueue_photos([photo.pk for photo in photos])
    assert [name for name, _ in sent] == ["people.process_photos"] * len(parts)
    assert [len(ids) for _, ids in sent] == parts
    assert [pk for _, ids in sent for pk in ids] == [photo.pk for photo in photos]


def test_tasks_stay_large_where_more_photos_follow(sent, settings) -> None:
    settings.FACEWEB_WORKER_THREADS = 3
    tasks.enqueue_photos([make_photo(size=10_000).pk for _ in range(97)], more=True)
    assert [len(ids) for _, ids in sent] == [48, 48, 1]


def test_looking_again_goes_past_imports_in_small_tasks(sent) -> None:
    large = [make_photo(size=5 * MEGABYTE).pk for _ in range(3)]
    tasks.enqueue_again(large)
    assert sent == [("people.look_again", [pk]) for pk in large]
    sent.clear()
    tasks.enqueue_boxes(large)
    assert sent == [("people.look_at_boxes", [pk]) for pk in large]
    sent.clear()
    many = [make_photo(size=1000).pk for _ in range(9)]
    tasks.enqueue_again(many)
    assert sent == [("people.process_photos", many)]


@pytest.mark.parametrize(
    ("task", "waiting", "sent_on"),
    [("process_photos", 1, True), ("process_photos", 0, False), ("process_photos", None, False),
     ("look_again", 1, False)],
)  # fmt: skip
def test_an_import_makes_way_for_a_search(sent, monkeypatch, index, task, waiting, sent_on) -> None:
    monkeypatch.setattr(queues, "waiting", lambda queue: waiting)
    photos = [
        make_photo(stored=True, content=picture(40, 40 + n), status="queued") for n in range(13)
    ]
    ids = [photo.pk for photo in photos]
    getattr(tasks, task).run(ids)
    [left] = [left for name, left in sent if name == "people.process_photos"] or [[]]
    assert len(left) == sent_on
    assert set(Photo.objects.filter(status="queued").values_list("pk", flat=True)) == set(left)
    assert Photo.objects.filter(status="done").count() == 13 - len(left)


def test_photos_that_are_gone_are_not_queued(sent) -> None:
    photo = make_photo()
    tasks.enqueue_photos([photo.pk + 1])
    assert sent == []
