"""How work is divided into tasks."""

import pytest

from people import tasks
from tests.factories import make_photo

pytestmark = pytest.mark.django_db

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([], []),
        ([10_000] * 33, [16, 16, 1]),
        ([5 * MEGABYTE] * 3, [1, 1, 1]),  # large photos one at a time, never none
        ([400_000, 400_000, 400_000, 10_000], [2, 2]),
    ],
)
def test_a_task_has_many_small_photos_or_few_large_ones(sent, sizes, parts) -> None:
    photos = [make_photo(size=size) for size in sizes]
    tasks.enqueue_photos([photo.pk for photo in photos])
    assert [name for name, _ in sent] == ["people.process_photos"] * len(parts)
    assert [len(ids) for _, ids in sent] == parts
    assert [pk for _, ids in sent for pk in ids] == [photo.pk for photo in photos]


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


def test_photos_that_are_gone_are_not_queued(sent) -> None:
    photo = make_photo()
    tasks.enqueue_photos([photo.pk + 1])
    assert sent == []
