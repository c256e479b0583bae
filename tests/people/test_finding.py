"""Finding photos: by name, by who is in them together, by where and when they are from."""

from datetime import UTC, date, datetime

import pytest
from django.urls import reverse

from people.models import Photo
from people.services import finding
from people.services.finding import PhotoFilter
from tests.factories import make_face, make_import, make_person, make_photo

pytestmark = pytest.mark.django_db


def found(**asked) -> list[Photo]:
    return list(finding.find_photos(photos=Photo.objects.all(), asked=PhotoFilter(**asked)))


def test_names_of_files_and_of_people_are_found_without_their_accents() -> None:
    by_file = make_photo(original_name="São_João.jpg")
    by_person = make_face(person=make_person("João Baião")).photo
    by_alias = make_face(person=make_person("J. B.", aliases="Joao")).photo
    make_photo(original_name="other.jpg")
    assert found(text="joao") == [by_alias, by_person, by_file]
    assert found(text="JOÃO") == [by_alias, by_person, by_file]


def test_photos_with_two_people_show_both() -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    together = make_face(person=ana).photo
    make_face(together, person=rui)
    alone = make_face(person=ana).photo
    hidden = make_face(person=ana).photo
    make_face(hidden, person=rui, state="not_a_face")
    assert found(people=[ana.pk, rui.pk]) == [together]
    assert found(people=[ana.pk]) == [hidden, alone, together]


def test_photos_are_found_by_source_date_and_quality() -> None:
    june = make_photo(source="club", taken_at=datetime(1999, 6, 1, 12, tzinfo=UTC))
    july = make_photo(source="attic", taken_at=datetime(1999, 7, 1, tzinfo=UTC))
    make_face(june, quality=0.9)
    make_face(july, quality=0.2, quality_reasons=["blurred"])
    unjudged = make_face().photo
    assert found(source="club") == [june]
    assert found(taken_from=date(1999, 6, 1), taken_to=date(1999, 6, 30)) == [june]
    assert found(newest_first_by="taken") == [july, june]
    assert found(quality="good") == [june]
    assert found(quality="poor") == [july]
    assert found() == [unjudged, july, june]


def test_who_appears_with_whom_is_counted_in_photos() -> None:
    ana, rui, eva = (make_person(name) for name in ("Ana", "Rui", "Eva"))
    for company in ([rui, eva], [rui], []):
        photo = make_photo()
        for person in (ana, *company):
            make_face(photo, person=person)
    make_face(person=eva)
    counted = [(p.name, p.shared_photos) for p in finding.companions(person=ana)]
    assert counted == [("Rui", 2), ("Eva", 1)]


def test_a_typed_name_becomes_part_of_the_address(signed_in) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    url = reverse("photos")
    assert signed_in.get(f"{url}?who=ana").url == f"{url}?person={ana.pk}"
    answer = signed_in.get(f"{url}?person={ana.pk}&who=rui&page=3&state=done")
    assert answer.url == f"{url}?person={ana.pk}&person={rui.pk}&state=done"


def test_a_name_of_several_people_is_asked_back(signed_in) -> None:
    for name in ("Ana Lopes", "Ana Silva"):
        make_person(name)
    page = signed_in.get(reverse("photos"), {"who": "ana"}).content.decode()
    assert "Whom do you mean?" in page and "Ana Lopes" in page and "Ana Silva" in page
    assert "Nobody here has" in signed_in.get(reverse("photos"), {"who": "zoe"}).content.decode()


def test_nonsense_in_the_address_asks_nothing(signed_in) -> None:
    make_photo(original_name="kept.jpg")
    nonsense = {"person": "x", "taken_from": "never", "quality": "best", "sort": "up", "page": "z"}
    assert "kept.jpg" in signed_in.get(reverse("photos"), nonsense).content.decode()


def test_a_page_asks_as_much_for_many_photos_as_for_few(
    signed_in, django_assert_max_num_queries
) -> None:
    batch = make_import(source="club")
    ana = make_person("Ana")
    for _ in range(30):
        make_face(make_photo(batch=batch, source="club"), person=ana)
    with django_assert_max_num_queries(20):
        signed_in.get(reverse("photos"), {"person": ana.pk, "source": "club", "q": "ana"})


def test_a_persons_page_says_who_else_is_in_their_photos(signed_in) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    make_face(make_face(person=ana).photo, person=rui)
    page = signed_in.get(reverse("person", args=[ana.pk])).content.decode()
    assert f"?person={ana.pk}&amp;person={rui.pk}" in page
