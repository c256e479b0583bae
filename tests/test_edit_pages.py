"""Pages that edit people and faces, and the history: what they do, say and refuse."""

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from people.models import Edit, Face, Person
from people.services import assigning, history, people_edits
from tests.factories import make_face, make_person, make_photo

pytestmark = pytest.mark.django_db


def text(response) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def choose(client: Client, person: Person, action: str, *faces: Face, **values):
    data = {"faces": [face.pk for face in faces], "action": action, **values}
    return client.post(reverse("person-faces", args=[person.pk]), data, follow=True)


def owners(*faces: Face) -> list[str | None]:
    names = dict(Face.objects.values_list("pk", "person__name"))
    return [names[face.pk] for face in faces]


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as context:
        assert client.get(url).status_code == 200
    return len(context)


# --- a person's page ----------------------------------------------------------------------------


def test_chosen_faces_go_to_someone_else_and_back(signed_in: Client, user) -> None:
    ana = make_person("Ana")
    kept, *moved = [make_face(person=ana) for _ in range(3)]
    page = choose(signed_in, ana, "move", *moved, name="Rui")
    assert owners(kept, *moved) == ["Ana", "Rui", "Rui"]
    assert "Moved 2 faces from Ana to Rui." in text(page)
    edit = Edit.objects.get()
    assert edit.user == user
    undo = reverse("edit-undo", args=[edit.pk])
    assert f'action="{undo}"' in page.content.decode()
    back = reverse("person", args=[ana.pk])
    page = signed_in.post(undo, {"next": back}, follow=True)
    assert page.redirect_chain == [(back, 302)]
    assert owners(*moved) == ["Ana", "Ana"]
    assert "Undone: Moved 2 faces from Ana to Rui." in text(page)
    assert "Do it again" in text(page)


def test_each_action_on_chosen_faces(signed_in: Client) -> None:
    ana = make_person("Ana")
    make_person("Rui")
    cover, wrong, thing, other = [make_face(person=ana) for _ in range(4)]
    choose(signed_in, ana, "cover", cover)
    choose(signed_in, ana, "reject", wrong)
    choose(signed_in, ana, "not-a-face", thing)
    page = choose(signed_in, ana, "split", other, name="Rui")
    assert "Someone else is called “Rui” too." in text(page)
    assert Person.objects.get(pk=ana.pk).cover == cover
    assert list(wrong.rejections.values_list("person", flat=True)) == [ana.pk]
    assert Face.objects.get(pk=thing.pk).state == "not_a_face"
    assert Person.objects.filter(name="Rui").count() == 2
    kinds = list(Edit.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["cover", "reject", "not_a_face", "split"]


def test_a_stale_or_empty_choice_is_refused_in_words(signed_in: Client) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face, other = make_face(person=ana), make_face(person=ana)
    assert "Choose a face first." in text(choose(signed_in, ana, "reject"))
    assert "Write a name" in text(choose(signed_in, ana, "move", face, name=" "))
    assert "one face only" in text(choose(signed_in, ana, "cover", face, other))
    assigning.assign(face_ids=[face.pk], person=rui)
    page = choose(signed_in, ana, "reject", face, other)
    assert "Someone changed this in the meantime" in text(page)
    assert owners(face, other) == ["Rui", "Ana"]


def test_a_page_of_another_site_is_never_gone_to(signed_in: Client) -> None:
    ana = make_person("Ana")
    face = make_face(person=ana)
    data = {"faces": [face.pk], "action": "reject", "next": "https://elsewhere.example/"}
    response = signed_in.post(reverse("person-faces", args=[ana.pk]), data)
    assert response.url == reverse("person", args=[ana.pk])


def test_a_face_that_is_older_than_the_person_is_marked(signed_in: Client) -> None:
    ana = make_person("Ana", birth_year=1950)
    for year in (1932, 1980, 2090):
        make_face(make_photo(taken_at=datetime(year, 5, 1, tzinfo=UTC)), person=ana)
    page = text(signed_in.get(reverse("person", args=[ana.pk])))
    assert "Photo of 1932, before the birth year" in page
    assert "Photo of 2090, 140 years after the birth" in page
    assert "Photo of 1980" not in page


def test_who_was_merged_leads_to_whom_they_are_now(signed_in: Client) -> None:
    ana, anna, hannah = make_person("Ana"), make_person("Anna"), make_person("Hannah")
    people_edits.merge(into=anna, others=[hannah])
    people_edits.merge(into=ana, others=[anna])
    response = signed_in.get(reverse("person", args=[hannah.pk]))
    assert response.url == reverse("person", args=[ana.pk])


def test_renaming_asks_before_a_name_is_there_twice(signed_in: Client) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    url = reverse("person-rename", args=[rui.pk])
    page = signed_in.post(url, {"name": "ANA", "revision": 0})
    assert "Someone else is called “ANA” already" in text(page)
    assert f"{reverse('person-merge', args=[rui.pk])}?with={ana.pk}" in page.content.decode()
    assert not Edit.objects.exists()
    signed_in.post(url, {"name": "ANA", "revision": 0, "sure": "on"})
    assert Person.objects.get(pk=rui.pk).name == "ANA"
    page = signed_in.post(url, {"name": "Eva", "revision": 0}, follow=True)
    assert "Someone changed this in the meantime" in text(page)


def test_details_are_noted(signed_in: Client) -> None:
    person = make_person("Ana")
    url = reverse("person-details", args=[person.pk])
    assert "Birth year" in text(signed_in.get(url))
    assert "Write a year such as 1950" in text(signed_in.post(url, {"birth_year": "195"}))
    data = {"aliases": "Aninhas", "birth_year": "1950", "consent_on": "2026-05-01",
            "revision": "0", "reason": "by letter"}  # fmt: skip
    page = signed_in.post(url, data, follow=True)
    assert "Changed aliases, birth year, consent on of Ana." in text(page)
    person.refresh_from_db()
    assert (person.birth_year, str(person.consent_on)) == (1950, "2026-05-01")
    assert Edit.objects.get().reason == "by letter"
    assert "Ana" in text(signed_in.get(reverse("people"), {"q": "aninhas"}))


def test_hiding_from_search_and_showing_again(signed_in: Client) -> None:
    person = make_person("Ana")
    url = reverse("person-searchable", args=[person.pk])
    assert "Hid Ana from search results." in text(
        signed_in.post(url, {"searchable": "no"}, follow=True)
    )
    signed_in.post(url, {"searchable": "yes"})
    assert Person.objects.get().is_searchable


def test_merging_shows_both_sides_first(signed_in: Client) -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    photo = make_photo()
    make_face(photo, person=ana)
    theirs = make_face(photo, person=anna)
    url = reverse("person-merge", args=[ana.pk])
    assert "Anna" in text(signed_in.get(url + "?q=ann"))
    page = signed_in.get(f"{url}?with={anna.pk}")
    assert "Both are in 1 of the same photo" in text(page)
    data = {"name": "Ana Maria", "cover": theirs.pk, "keep_names": "on",
            "revision": 0, "other_revision": 0, "reason": "one and the same"}  # fmt: skip
    page = signed_in.post(f"{url}?with={anna.pk}", data, follow=True)
    ana.refresh_from_db()
    assert (ana.name, ana.cover, ana.aliases) == ("Ana Maria", theirs, "Ana\nAnna")
    assert "Merged Anna into Ana, with a face." in text(page)
    signed_in.post(reverse("edit-undo", args=[Edit.objects.get().pk]))
    assert set(Person.objects.values_list("name", flat=True)) == {"Ana", "Anna"}


def test_a_stale_merge_changes_nothing(signed_in: Client) -> None:
    ana, anna = make_person("Ana"), make_person("Anna")
    people_edits.rename(person=anna, name="Hannah")
    url = f"{reverse('person-merge', args=[ana.pk])}?with={anna.pk}"
    data = {"name": "Ana", "revision": 0, "other_revision": 0}
    page = signed_in.post(url, data, follow=True)
    assert "Someone changed this in the meantime" in text(page)
    assert Person.objects.count() == 2


def test_a_deletion_can_be_undone_for_a_while(signed_in: Client) -> None:
    person = make_person("Ana")
    face = make_face(person=person)
    url = reverse("person", args=[person.pk])
    data = {"when": "later", "reason": "asked to"}
    page = signed_in.post(reverse("person-delete", args=[person.pk]), data, follow=True)
    assert "Deleted Ana." in text(page)
    page = signed_in.get(url)
    assert page.status_code == 410 and "Undo the deletion" in text(page)
    photo = text(signed_in.get(reverse("photo", args=[face.photo_id])))
    assert "Ana" not in photo and "No face found" in photo
    signed_in.post(reverse("edit-undo", args=[Edit.objects.get().pk]))
    assert signed_in.get(url).status_code == 200


def test_naming_in_place_offers_undo_and_says_what_is_wrong(signed_in: Client) -> None:
    face = make_face()
    htmx = {"HX-Request": "true"}
    url = reverse("face-name", args=[face.pk])
    answer = signed_in.post(url, {"name": "Ana"}, headers=htmx)
    assert reverse("edit-undo", args=[Edit.objects.get().pk]) in answer.content.decode()
    answer = signed_in.post(url, {"name": "Ana"}, headers=htmx)
    assert "It is like that already" in text(answer)


# --- the history --------------------------------------------------------------------------------


def test_the_history_says_who_did_what_and_why_not_undone(signed_in: Client, user) -> None:
    ana = make_person("Ana")
    face = make_face(person=ana)
    people_edits.rename(person=ana, name="Eva", user=user, reason="a letter of 1950")
    people_edits.rename(person=ana, name="Ida")
    for url in (reverse("history"), reverse("person-history", args=[ana.pk])):
        page = text(signed_in.get(url))
        assert "Renamed Ana to Eva “a letter of 1950”" in page
        assert "volunteer" in page and "faceweb itself" in page
        assert "changed again since: “Renamed Eva to Ida”. Undo that first." in page
    assert "Nothing was changed yet" in text(signed_in.get(reverse("face-history", args=[face.pk])))
    assigning.unassign(face_ids=[face.pk], user=user)
    for name, pk in (("face-history", face.pk), ("photo-history", face.photo_id)):
        assert "Took a face from Ida" in text(signed_in.get(reverse(name, args=[pk])))


def test_the_history_is_filtered(signed_in: Client, user) -> None:
    ana = make_person("Ana")
    people_edits.rename(person=ana, name="Eva", user=user)
    people_edits.set_searchable(person=ana, searchable=False)
    url = reverse("history")
    assert "Hid Eva" not in text(signed_in.get(url, {"kind": "rename"}))
    assert "Renamed" not in text(signed_in.get(url, {"user": "none"})).split("Show", 1)[1]
    assert "Hid Eva" not in text(signed_in.get(url, {"user": user.pk}))
    assert "Hid Eva" in text(signed_in.get(url, {"kind": "nonsense"}))


def test_one_edit_shows_every_row_before_and_after(signed_in: Client) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face = make_face(person=ana)
    assigning.reject(face_ids=[face.pk], person=rui)
    edits = [
        assigning.assign(face_ids=[face.pk], person=rui),
        people_edits.merge(into=ana, others=[rui], name="Eva"),
        people_edits.delete_later(person=ana),
    ]
    pages = [text(signed_in.get(reverse("edit", args=[edit.pk]))) for edit in edits]
    assert "who it is Eva → became Rui" in pages[0]
    assert "said not Rui → became nothing" in pages[0]
    assert "merged into nobody → became Eva" in pages[1]
    assert "name Ana → became Eva" in pages[1]
    assert "deleted nothing → became 20" in pages[2]


def test_an_undo_that_is_refused_says_why(signed_in: Client) -> None:
    edit = assigning.assign(face_ids=[make_face().pk], name="Ana")
    history.undo(edit=edit)
    page = signed_in.post(reverse("edit-undo", args=[edit.pk]), follow=True)
    assert "This cannot be undone. It is undone already." in text(page)


def test_the_history_never_shows_who_is_gone(signed_in: Client) -> None:
    ana = make_person("Ana Silva")
    face = make_face(person=ana)
    people_edits.rename(person=ana, name="Ana de Sousa")
    assigning.unassign(face_ids=[face.pk])
    people_edits.delete_now(person=ana)
    page = text(signed_in.get(reverse("history")))
    assert "Silva" not in page and "Sousa" not in page
    assert "Took a face from a deleted person" in page
    assert "The person it is about is deleted for good." in page


def many_edits(count: int) -> Person:
    ana = make_person("Ana")
    for n in range(count):
        people_edits.rename(person=ana, name=f"Ana {n}")
        faces = [make_face().pk for _ in range(2)]
        history.undo(edit=assigning.assign(face_ids=faces, name=f"Person {n}"))
        assigning.assign(face_ids=faces, person=ana)
    return ana


def test_no_page_asks_the_database_for_each_row(signed_in: Client) -> None:
    few, many = many_edits(2), many_edits(8)
    for name in ("person", "person-history", "person-merge"):
        less, more = (queries(signed_in, reverse(name, args=[p.pk])) for p in (few, many))
        assert more <= less + 1, name
    edit = assigning.assign(face_ids=list(Face.objects.values_list("pk", flat=True)), name="Eva")
    single = assigning.assign(face_ids=[make_face().pk], name="Eva")
    less, more = (queries(signed_in, reverse("edit", args=[e.pk])) for e in (single, edit))
    assert more <= less + 1
    before = queries(signed_in, reverse("history"))
    many_edits(8)
    assert queries(signed_in, reverse("history")) <= before + 1
