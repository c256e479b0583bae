"""What moves, and what goes, when people are merged. Within the transaction of the edit."""

from collections.abc import Iterable

from django.db.models import Q

from people.models import Face, Person, PersonPair, Rejection, Suggestion
from people.services.changes import (
    CHUNK,
    Change,
    gone,
    in_chunks,
    made,
    updated,
    values_of,
    write,
)


def now(*, person: Person) -> Person:
    """Who a person is now: themselves, or whom they were merged into."""
    while person.merged_into is not None:
        person = person.merged_into
    return person


def family(*, person: Person) -> list[int]:
    """The ids of a person and of everyone who was merged into them, however many steps ago."""
    found, added = [person.pk], [person.pk]
    while added:
        rows = Person.everyone.filter(merged_into__in=added)
        added = list(rows.values_list("pk", flat=True))
        found += added
    return found


def forget_guesses(*, person_ids: list[int]) -> None:
    """Drop what was only guessed about people: suggestions, and pairs that nobody dismissed."""
    Suggestion.objects.filter(person__in=person_ids).delete()
    pairs = PersonPair.objects.filter(Q(person__in=person_ids) | Q(other__in=person_ids))
    pairs.filter(dismissed_at=None).delete()


def take_over(*, into: Person, others: Iterable[int]) -> list[Change]:
    """Give everything that hangs on the `others` to `into`; return what was changed."""
    ids = sorted(others)
    forget_guesses(person_ids=ids)
    return [*_faces(into, ids), *_rejections(into, ids), *_pairs(ids)]


def _faces(into: Person, others: list[int]) -> list[Change]:
    rows = Face.objects.select_for_update().filter(person__in=others).order_by("pk")
    owners = dict(rows.values_list("pk", "person_id"))
    write("face", owners, {"person": into.pk})
    after = {"person": into.pk}
    return [updated("face", pk, {"person": owner}, after) for pk, owner in owners.items()]


def _rejections(into: Person, others: list[int]) -> list[Change]:
    """Who was said not to be one of the others is not `into`, unless the face is theirs now."""
    said = values_of(
        "rejection",
        Rejection.objects.filter(person__in=[into.pk, *others]).values_list("pk", flat=True),
    )
    faces = {row["face"] for row in said.values()}
    theirs: set[int] = set()
    for chunk in in_chunks(sorted(faces)):
        own = Face.objects.filter(pk__in=chunk, person=into)
        theirs.update(own.values_list("pk", flat=True))
    known = {row["face"] for row in said.values() if row["person"] == into.pk}
    going = {
        pk: row for pk, row in said.items() if row["person"] != into.pk or row["face"] in theirs
    }
    moved = {row["face"] for row in going.values() if row["person"] != into.pk} - theirs - known
    for chunk in in_chunks(sorted(going)):
        Rejection.objects.filter(pk__in=chunk).delete()
    new = Rejection.objects.bulk_create(
        [Rejection(face_id=face, person=into) for face in sorted(moved)], batch_size=CHUNK
    )
    return [
        *(gone("rejection", pk, row) for pk, row in going.items()),
        *(made("rejection", row) for row in new),
    ]


def _pairs(others: list[int]) -> list[Change]:
    """Pairs that someone dismissed go too, but can come back."""
    pairs = PersonPair.objects.filter(Q(person__in=others) | Q(other__in=others))
    dismissed = values_of("pair", pairs.values_list("pk", flat=True))
    pairs.delete()
    return [gone("pair", pk, row) for pk, row in dismissed.items()]
