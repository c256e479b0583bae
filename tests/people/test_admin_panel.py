"""The admin panel: edits are asked about, done by the services, and told; the history is kept."""

import csv
import io
import re
import zipfile

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from people.admin.common import FEW
from people.models import Edit, Face, Person, Photo
from people.services import assigning, history, people_edits, restoring
from tests.factories import make_face, make_import, make_person, make_photo
from tests.people.test_export import stored_picture

pytestmark = pytest.mark.django_db

PEOPLE = "admin:people_person_changelist"
FACES = "admin:people_face_changelist"
PHOTOS = "admin:people_photo_changelist"


def act(client: Client, where: str, action: str, rows, query: str = "", **more):
    """Choose rows in a list and an action, as the list's form does."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], "index": "0", **more}
    return client.post(reverse(where) + query, data, follow=True)


def sure(client: Client, page, query: str = "", **more):
    """Send the form of the page that asks, with everything hidden in it."""
    text = page.content.decode()
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="([\w]+)" value="([^"]*)"', text):
        fields.setdefault(name, []).append(value)
    del fields["csrfmiddlewaretoken"]
    url = page.request["PATH_INFO"] + query
    answer = client.post(url, {**fields, **more}, follow=True)
    return answer, answer.content.decode()


def people_with_faces(count: int, faces: int = 1) -> list[Person]:
    people = [make_person(f"Person {n}") for n in range(count)]
    for person in people:
        for _ in range(faces):
            make_face(person=person)
    return people


@pytest.fixture
def clerk(client: Client) -> Client:
    """Someone who may look at everything and change nothing."""
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


# --- people --------------------------------------------------------------------------------------


def test_hiding_asks_first_then_hides_with_a_reason(admin_client: Client, admin_user) -> None:
    people = people_with_faces(2)
    page = act(admin_client, PEOPLE, "hide", people)
    text = page.content.decode()
    assert "Hide 2 people from search results?" in text and "Person 1" in text
    assert not Edit.objects.exists()
    _, text = sure(admin_client, page, reason="They asked")
    assert "Done for 2 people" in text
    assert not Person.objects.filter(is_searchable=True).exists()
    assert set(Edit.objects.values_list("kind", "reason", "user")) == {
        ("hide", "They asked", admin_user.pk)
    }
    _, text = sure(admin_client, act(admin_client, PEOPLE, "show", people[:1]))
    assert "Showed Person 0 in search results again." in text
    assert reverse("edit", args=[Edit.objects.first().pk]) in text


def test_a_refusal_names_who_and_why_and_the_others_are_done(admin_client: Client) -> None:
    seen, hidden = make_person("Ana"), make_person("Rui", is_searchable=False)
    _, text = sure(admin_client, act(admin_client, PEOPLE, "hide", [seen, hidden]))
    assert "Not done for Rui. It is like that already" in text and "Hid Ana from" in text


def test_a_stale_page_changes_nothing(admin_client: Client) -> None:
    person = make_person("Ana")
    page = act(admin_client, PEOPLE, "hide", [person])
    people_edits.rename(person=person, name="Ana Silva")
    _, text = sure(admin_client, page)
    assert "Someone changed this in the meantime" in text
    assert Person.objects.get().is_searchable


def test_deleting_with_time_to_think_and_restoring(admin_client: Client, admin_user) -> None:
    person = make_person("Ana")
    face = make_face(person=person)
    page = act(admin_client, PEOPLE, "delete_later", [person])
    assert "deleted for good on" in page.content.decode()
    sure(admin_client, page)
    assert not Person.objects.exists() and Face.objects.get().person_id == person.pk
    assert "Ana" not in admin_client.get(reverse(PEOPLE)).content.decode().split("result_list")[-1]
    query = "?there=deleted"
    assert "Ana" in admin_client.get(reverse(PEOPLE) + query).content.decode()
    url = reverse("admin:people_person_change", args=[person.pk])
    page = admin_client.get(url).content.decode()
    assert "can be restored until" in page and 'name="_save"' not in page
    _, text = sure(admin_client, act(admin_client, PEOPLE, "restore", [person], query), query)
    assert "Undone: Deleted Ana." in text
    assert Person.objects.get() == person and face in Face.objects.active()
    assert Edit.objects.first().user == admin_user


def test_who_is_not_deleted_or_was_merged_is_not_restored(admin_client: Client) -> None:
    ana, rui = people_with_faces(2)
    _, text = sure(admin_client, act(admin_client, PEOPLE, "restore", [ana]))
    assert "is not deleted" in text
    people_edits.merge(into=ana, others=[rui])
    query = "?there=merged"
    _, text = sure(admin_client, act(admin_client, PEOPLE, "restore", [rui], query), query)
    assert "Undo the merge in the history" in text
    page = admin_client.get(reverse("admin:people_person_change", args=[rui.pk]))
    assert "Merged into" in page.content.decode() and "deletelink" not in page.content.decode()


def test_the_edit_that_is_undone_is_the_one_that_deleted() -> None:
    person = make_person("Ana")
    renamed = people_edits.rename(person=person, name="Ana Silva")
    deleted = people_edits.delete_later(person=person)
    history.undo(edit=renamed)
    person = Person.everyone.get()
    assert restoring.deletion_of(person=person) == deleted
    restoring.restore(person=person)
    assert Person.objects.get().deleted_at is None
    assert restoring.deletion_of(person=Person.objects.get()) is None


def test_looking_for_the_deletion_asks_no_more_for_more_entries(
    django_assert_max_num_queries,
) -> None:
    person = make_person("Ana")
    renamed = [people_edits.rename(person=person, name=f"Ana {n}") for n in range(12)]
    deleted = people_edits.delete_later(person=person)
    for edit in reversed(renamed):
        history.undo(edit=edit)
    person = Person.everyone.get()
    with django_assert_max_num_queries(2):
        assert restoring.deletion_of(person=person) == deleted


def test_a_person_made_by_an_undone_edit_is_restored_too() -> None:
    edit = assigning.assign(face_ids=[make_face().pk], name="Ana")
    history.undo(edit=edit)
    person = Person.everyone.get()
    restoring.restore(person=person)
    assert Person.objects.get() == person


def test_merging_shows_everybody_and_keeps_what_was_chosen(admin_client: Client) -> None:
    people = people_with_faces(3, 2)
    cover = people[2].faces.first()
    page = act(admin_client, PEOPLE, "merge", people)
    text = page.content.decode()
    assert "Are these 3 one person?" in text and text.count('name="cover"') == 6 + 1
    assert "2 of Person 0, 2 of Person 1, 2 of Person 2" in text
    answer, text = sure(
        admin_client, page, into=people[1].pk, name="Ana Silva", cover=cover.pk,
        keep_names="on", reason="One woman",
    )  # fmt: skip
    assert answer.redirect_chain[-1][0] == reverse(
        "admin:people_person_change", args=[people[1].pk]
    )
    merged = Person.objects.get()
    assert (merged.pk, merged.name, merged.cover) == (people[1].pk, "Ana Silva", cover)
    assert merged.faces.count() == 6 and "Person 2" in merged.aliases
    edit = Edit.objects.get()
    assert edit.reason == "One woman" and reverse("edit", args=[edit.pk]) in text
    history.undo(edit=edit)
    assert Person.objects.count() == 3


def test_whoever_stays_keeps_name_and_cover_unless_others_are_chosen(admin_client: Client) -> None:
    ana, rui = people_with_faces(2, 2)
    for person in (ana, rui):
        Person.objects.filter(pk=person.pk).update(cover=person.faces.last())
    cover = rui.faces.last()
    page = act(admin_client, PEOPLE, "merge", [ana, rui])
    # What a browser sends when nothing but who stays is chosen.
    text = page.content.decode()
    preset = re.findall(r'name="cover" value="(\d*)" checked', text)
    written = re.findall(r'name="name"[^>]* value="([^"]*)"', text)
    assert (preset, written) == ([""], [""])
    chosen = {"into": rui.pk, "name": written[0], "cover": preset[0], "keep_names": "on"}
    sure(admin_client, page, **chosen)
    merged = Person.objects.get()
    assert (merged.pk, merged.name, merged.cover) == (rui.pk, "Person 1", cover)
    assert merged.aliases == "Person 0"


def test_merging_warns_of_shared_photos_and_an_earlier_no(admin_client: Client) -> None:
    ana, rui = people_with_faces(2)
    photo = make_photo()
    make_face(photo, person=rui)
    assigning.reject(face_ids=[make_face(photo, person=ana).pk], person=rui)
    text = act(admin_client, PEOPLE, "merge", [ana, rui]).content.decode()
    assert "one and the same photo" in text and "Of 1 face of one of them" in text


def test_a_stale_merge_changes_nothing_and_shows_how_it_is_now(admin_client: Client) -> None:
    ana, rui, eva = people_with_faces(3)
    page = act(admin_client, PEOPLE, "merge", [ana, rui])
    people_edits.rename(person=rui, name="Rui Costa")
    chosen = {"into": ana.pk, "name": "Ana", "reason": "Same nose"}
    again, text = sure(admin_client, page, **chosen)
    assert "Someone changed this in the meantime" in text and "Rui Costa" in text
    assert "Same nose" in text
    assert Person.objects.count() == 3
    sure(admin_client, again, **chosen)
    assert Person.objects.count() == 2
    page = act(admin_client, PEOPLE, "merge", [ana, eva])
    people_edits.delete_later(person=eva)
    _, text = sure(admin_client, page, **chosen)
    assert "Someone changed this in the meantime" in text and Person.objects.get().pk == ana.pk


def test_a_merge_of_one_or_of_too_many_is_refused(admin_client: Client) -> None:
    people = people_with_faces(13)
    assert "at least two" in act(admin_client, PEOPLE, "merge", people[:1]).content.decode()
    assert "12 is the most" in act(admin_client, PEOPLE, "merge", people).content.decode()
    assert not Edit.objects.exists()


def test_the_form_edits_through_the_history_and_not_over_others(admin_client: Client) -> None:
    person = make_person("Ana")
    url = reverse("admin:people_person_change", args=[person.pk])
    shown = re.search(r'name="shown" value="(\d+)"', admin_client.get(url).content.decode())[1]
    inline = {"faces-TOTAL_FORMS": 0, "faces-INITIAL_FORMS": 0}
    data = {"name": "Ana Silva", "notes": "A sailor", "birth_year": "1950", "shown": shown,
            "reason": "Her letter", **inline}  # fmt: skip
    assert "was changed successfully" in admin_client.post(url, data, follow=True).content.decode()
    person.refresh_from_db()
    assert (person.name, person.is_searchable, person.notes, person.birth_year) == (
        "Ana Silva", False, "A sailor", 1950,
    )  # fmt: skip
    assert sorted(Edit.objects.values_list("kind", flat=True)) == ["details", "hide", "rename"]
    assert set(Edit.objects.values_list("reason", flat=True)) == {"Her letter"}
    text = admin_client.post(url, {**data, "name": "Someone"}, follow=True).content.decode()
    assert "Someone changed this in the meantime" in text and "successfully" not in text
    person.refresh_from_db()
    assert person.name == "Ana Silva" and Edit.objects.count() == 3


def test_a_person_is_added_through_the_history(admin_client: Client) -> None:
    data = {"name": "Ana  Silva", "is_searchable": "on", "notes": "Wrote to us", "reason": "Letter"}
    admin_client.post(reverse("admin:people_person_add"), data)
    person = Person.objects.get()
    assert (person.name, person.notes, person.name_key) == ("Ana Silva", "Wrote to us", "ana silva")
    edit = Edit.objects.get()
    assert (edit.kind, edit.reason) == ("add", "Letter")
    history.undo(edit=edit)
    assert not Person.objects.exists()


def test_the_faces_of_a_person_are_shown_but_not_thousands(admin_client: Client) -> None:
    person = make_person()
    for _ in range(3):
        make_face(person=person)
    url = reverse("admin:people_person_change", args=[person.pk])
    with CaptureQueriesContext(connection) as few:
        text = admin_client.get(url).content.decode()
    assert text.count('height="56"') == 3
    for _ in range(FEW + 6):
        make_face(person=person)
    with CaptureQueriesContext(connection) as many:
        text = admin_client.get(url).content.decode()
    assert text.count('height="56"') == FEW and len(many) <= len(few)


def test_only_who_is_there_can_be_given_a_face(admin_client: Client) -> None:
    ana, rui, _ = people_with_faces(3)
    people_edits.merge(into=ana, others=[rui])
    people_edits.delete_later(person=ana)
    found = admin_client.get(
        reverse("admin:autocomplete"),
        {"app_label": "people", "model_name": "face", "field_name": "person", "term": "Person"},
    ).json()
    assert [one["text"] for one in found["results"]] == ["Person 2"]


def test_exporting_people_gives_their_faces_only(admin_client: Client) -> None:
    ana, rui, gone, eva = people_with_faces(4)
    Person.objects.filter(pk=rui.pk).update(is_searchable=False)
    Person.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    response = act(admin_client, PEOPLE, "export", [ana, rui, gone])
    assert "people.csv" in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert {row["name"] for row in csv.DictReader(io.StringIO(text))} == {"Person 0", "Person 1"}
    assert eva.name not in text


def test_who_may_only_look_can_neither_hide_nor_merge(clerk: Client) -> None:
    people = people_with_faces(2)
    for action in ("merge", "hide", "restore", "delete_later"):
        page = act(clerk, PEOPLE, action, people).content.decode()
        assert "No action selected" in page or "Are these" not in page, action
    clerk.post(
        reverse(PEOPLE),
        {"action": "hide", "sure": "yes", "_selected_action": [people[0].pk],
         "shown": f"{people[0].pk}:0"},
    )  # fmt: skip
    assert not Edit.objects.exists()
    assert act(clerk, PEOPLE, "export", people).streaming


def test_too_many_at_once_are_refused(admin_client: Client) -> None:
    Person.objects.bulk_create(Person(name=f"P {n}", name_key=f"p {n}") for n in range(501))
    page = act(admin_client, PEOPLE, "hide", Person.objects.all()[:1], select_across="1")
    assert "501 are chosen; 500 is the most" in page.content.decode()


# --- faces ---------------------------------------------------------------------------------------


def test_each_action_on_faces_asks_and_is_one_edit(admin_client: Client) -> None:
    person = make_person("Ana")
    faces = [make_face(person=person) for _ in range(3)]
    _, text = sure(admin_client, act(admin_client, FACES, "unassign", faces[:2]), reason="Blurred")
    assert "Took 2 faces from Ana." in text
    assert set(Face.objects.filter(person=None)) == set(faces[:2])
    _, text = sure(admin_client, act(admin_client, FACES, "reject", faces))
    assert "Said that a face is not Ana." in text
    sure(admin_client, act(admin_client, FACES, "not_a_face", faces[:2]))
    assert Face.objects.filter(state="not_a_face").count() == 2
    _, text = sure(admin_client, act(admin_client, FACES, "restore", faces))
    assert "Restored 2 faces." in text and not Face.objects.filter(state="not_a_face").exists()
    assert list(Edit.objects.values_list("kind", flat=True)) == [
        "restore", "not_a_face", "reject", "unassign",
    ]  # fmt: skip
    assert Edit.objects.last().reason == "Blurred"
    _, text = sure(admin_client, act(admin_client, FACES, "restore", faces))
    assert "Not done for these faces. It is like that already" in text


def test_faces_that_somebody_named_meanwhile_keep_their_name(admin_client: Client) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face = make_face(person=ana)
    pages = [act(admin_client, FACES, action, [face]) for action in ("unassign", "not_a_face")]
    form = reverse("admin:people_face_change", args=[face.pk])
    assigning.assign(face_ids=[face.pk], person=rui)
    for page in pages:
        assert "Someone changed this in the meantime" in sure(admin_client, page)[1]
    data = {"person": "", "state": "active", "shown": ana.pk}
    text = admin_client.post(form, data, follow=True).content.decode()
    assert "Someone changed this in the meantime" in text and "successfully" not in text
    assert Face.objects.get().person == rui and Edit.objects.count() == 1


def test_saying_that_names_are_wrong_never_does_nothing_in_silence(admin_client: Client) -> None:
    nobody = make_face()
    page = act(admin_client, FACES, "reject", [nobody])
    assert "1 of them has no name and stays without one" in page.content.decode()
    assert "Not done for these faces. It is like that already" in sure(admin_client, page)[1]
    ana, rui, eva, there = people_with_faces(4)
    gone = make_person("Gone")
    face, taken = make_face(person=gone), ana.faces.get()
    page = act(admin_client, FACES, "reject", Face.objects.all())
    assert "Mark 6 faces as wrongly named?" in page.content.decode()
    people_edits.merge(into=rui, others=[ana])
    people_edits.delete_later(person=eva)
    Face.objects.filter(pk=face.pk).update(person=None)
    Person.objects.filter(pk=gone.pk).delete()
    before = Edit.objects.count()
    _, text = sure(admin_client, page)
    assert "Done for 2 people" in text and Edit.objects.count() == before + 2
    assert not there.faces.exists() and list(rui.faces.all()) == [taken]
    refused = "Not done for Person 0, Person 2, somebody who is deleted. Someone changed this"
    assert refused in text


def test_the_page_of_a_face_keeps_the_reason(admin_client: Client) -> None:
    face, person = make_face(), make_person("Ana")
    url = reverse("admin:people_face_change", args=[face.pk])
    page = admin_client.get(url).content.decode()
    assert 'name="shown"' in page and "delete_id_person" not in page
    data = {"person": person.pk, "state": "active", "shown": "", "reason": "Her coat"}
    admin_client.post(url, data)
    assert Face.objects.get().person == person and Edit.objects.get().reason == "Her coat"


# --- photos and imports --------------------------------------------------------------------------


def test_photos_are_looked_at_again(admin_client: Client) -> None:
    done, failed, busy = make_photo(), make_photo(status="failed"), make_photo(status="processing")
    text = act(admin_client, PHOTOS, "look_again", [done, failed, busy]).content.decode()
    assert "2 photos are looked at again" in text and "1 photo: This photo is being looked" in text
    assert Photo.objects.filter(status="queued").count() == 2


def test_photos_are_exported_as_a_table_and_as_sidecars(admin_client: Client) -> None:
    photos = [make_photo(stored=True, content=stored_picture(), original_name="Same.jpg")
              for _ in range(2)]  # fmt: skip
    gone = make_photo(original_name="gone.jpg")
    for n, photo in enumerate([*photos, gone]):
        make_face(photo, person=make_person(f"Person {n}"))
    other = make_face(make_photo(), person=make_person("Other")).photo
    response = act(admin_client, PHOTOS, "export_table", photos)
    text = b"".join(response.streaming_content).decode()
    assert "Person 1" in text and "Other" not in text
    response = act(admin_client, PHOTOS, "export_sidecars", [*photos, gone])
    names = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))).namelist()
    assert sorted(names) == sorted(f"{photo.sha256[:12]}/Same.jpg.xmp" for photo in photos)
    text = admin_client.get(reverse(PHOTOS)).content.decode()
    assert "Left out: gone.jpg. The stored file cannot be found" in text
    Face.objects.filter(photo=other).update(person=None)
    text = act(admin_client, PHOTOS, "export_sidecars", [other]).content.decode()
    assert "None of these photos has a named face" in text


def test_faces_of_a_photo_are_shown_with_few_queries(admin_client: Client) -> None:
    counts = []
    for faces in (2, FEW + 5):
        photo = make_photo()
        for n in range(faces):
            make_face(photo, person=make_person(f"Person {faces} {n}"))
        url = reverse("admin:people_photo_change", args=[photo.pk])
        with CaptureQueriesContext(connection) as queries:
            text = admin_client.get(url).content.decode()
        assert text.count("/crop") == min(faces, FEW)
        counts.append(len(queries))
    assert counts[1] <= counts[0]


def test_failed_photos_of_imports_are_tried_again(admin_client: Client) -> None:
    batch, other = make_import(refused=[{"name": "x.txt", "code": "not_an_image"}]), make_import()
    make_photo(batch=batch, status="failed")
    make_photo(batch=batch)
    rest = make_photo(batch=other, status="failed")
    where = "admin:people_import_changelist"
    assert (
        "1 photo is looked at again" in act(admin_client, where, "retry", [batch]).content.decode()
    )
    assert Photo.objects.filter(status="queued").count() == 1
    rest.refresh_from_db()
    assert rest.status == "failed"
    assert "had failed" in act(admin_client, where, "retry", [batch]).content.decode()
    page = admin_client.get(reverse("admin:people_import_change", args=[batch.pk]))
    assert "x.txt: This is not a picture" in page.content.decode()


# --- the history ---------------------------------------------------------------------------------


def test_the_history_is_searched_and_filtered(admin_client: Client, admin_user, user) -> None:
    ana = make_person("João Baião", aliases="Johnny")
    people_edits.set_searchable(person=ana, searchable=False, user=user, reason="By letter")
    people_edits.rename(person=make_person("Rui"), name="Rui Costa")
    url = reverse("admin:people_edit_changelist")

    def shown(**query: str) -> set[str]:
        changes = admin_client.get(url, query).context["cl"]
        return {edit.kind for edit in changes.queryset}

    assert shown() == {"hide", "rename"}
    assert shown(q="joao") == shown(q="JOHNNY") == shown(q="letter") == {"hide"}
    assert shown(q="costa") == {"rename"} and shown(q="nobody") == set()
    assert shown(kind="hide") == shown(who=str(user.pk)) == {"hide"}
    assert shown(who="none") == {"rename"}
    text = admin_client.get(url).content.decode()
    assert "Hid João Baião from search results" in text and "{person" not in text


def test_an_entry_says_before_and_after_and_leads_to_its_undo(admin_client: Client) -> None:
    ana, rui = make_person("Ana"), make_person("Rui")
    face = make_face(person=ana)
    edit = assigning.assign(face_ids=[face.pk], person=rui, reason="Nose")
    url = reverse("admin:people_edit_change", args=[edit.pk])
    text = admin_client.get(url).content.decode()
    assert "<del>Ana</del>" in text and "<ins>Rui</ins>" in text and "Nose" in text
    assert reverse("face-crop", args=[face.pk]) in text and "{person" not in text
    assert f'href="{reverse("edit", args=[edit.pk])}">Can be undone' in text
    history.undo(edit=edit)
    text = admin_client.get(url).content.decode()
    assert "Undone: <a" in text and "Can be undone" not in text


def test_nobody_alters_the_history(admin_client: Client) -> None:
    edit = people_edits.rename(person=make_person("Ana"), name="Ana Silva")
    before = Edit.objects.values().get()
    change = reverse("admin:people_edit_change", args=[edit.pk])
    page = admin_client.get(change).content.decode()
    assert (
        'name="_save"' not in page and "deletelink" not in page and '<input type="text"' not in page
    )
    assert admin_client.get(reverse("admin:people_edit_add")).status_code == 403
    assert admin_client.post(change, {"summary": "x", "reason": "x"}).status_code == 403
    delete = reverse("admin:people_edit_delete", args=[edit.pk])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    act(admin_client, "admin:people_edit_changelist", "delete_selected", [edit], post="yes")
    assert Edit.objects.values().get() == before


def test_whoever_stands_in_the_history_stays(admin_client: Client, user) -> None:
    people_edits.rename(person=make_person("Ana"), name="Ana Silva", user=user)
    url = reverse("admin:auth_user_delete", args=[user.pk])
    assert "1 entries of the history by volunteer" in admin_client.get(url).content.decode()
    admin_client.post(url, {"post": "yes"})
    act(admin_client, "admin:auth_user_changelist", "delete_selected", [user], post="yes")
    assert Edit.objects.get().user == user


def test_lists_ask_the_database_no_more_for_more(admin_client: Client, user) -> None:
    def fill(count: int) -> None:
        for n in range(count):
            person = make_person(f"Person {n}")
            edit = people_edits.rename(person=person, name=f"Other {n}", user=user)
            history.undo(edit=edit, user=user)
            make_photo(batch=make_import(created_by=user))

    names = ("admin:people_edit_changelist", "admin:people_import_changelist")
    counts = []
    for more in (2, 15):
        fill(more)
        with CaptureQueriesContext(connection) as queries:
            for name in names:
                assert admin_client.get(reverse(name)).status_code == 200
        counts.append(len(queries))
    assert counts[1] <= counts[0]


def test_asking_runs_no_query_for_each_row(admin_client: Client) -> None:
    people = people_with_faces(12, 2)
    faces = list(Face.objects.all())
    for where, action, rows in ((PEOPLE, "merge", people), (PEOPLE, "hide", people),
                                (FACES, "unassign", faces)):  # fmt: skip
        counts = []
        for chosen in (rows[:2], rows):
            with CaptureQueriesContext(connection) as queries:
                act(admin_client, where, action, chosen)
            counts.append(len(queries))
        assert counts[1] <= counts[0], action
