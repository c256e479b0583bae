from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import (
    FacesForm,
    MergeForm,
    NameForm,
    PersonDeleteForm,
    PersonDetailsForm,
    PersonFilterForm,
    PersonRenameForm,
)
from people.models import Person
from people.services import (
    assigning,
    comparing,
    deletion,
    finding,
    history,
    moving,
    people_edits,
    restoring,
    reviewing,
)
from people.views.edits import attempt, next_page

PER_PAGE = 72  # whole rows of 2, 3, 4, 6 and 8
FACES_PER_PAGE = 120


@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    form = PersonFilterForm(request.GET)
    people = form.people().with_face_count()
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    deleted = Person.everyone.exclude(deleted_at=None).exists()
    return render(request, "people/people.html", {"page": page, "form": form, "deleted": deleted})


@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """Names that contain what was typed, as options of a datalist."""
    form = PersonFilterForm({"q": request.GET.get("name") or request.GET.get("who", "")})
    names = form.people().values_list("name", flat=True).distinct()[:12]
    return render(request, "people/_name_options.html", {"names": names})


@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person and all their faces; who was merged into another leads there."""
    person = get_object_or_404(Person.everyone, pk=pk)
    if (now := moving.now(person=person)) != person:
        return redirect("person", pk=now.pk)
    if person.deleted_at is not None:
        return _deleted(request, person)
    faces = person.faces.active().select_related("photo").order_by("-pk")
    page = Paginator(faces, FACES_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "person": person,
        "page": page,
        "faces": [(face, comparing.oddity(face=face, person=person)) for face in page],
        "form": NameForm(initial={"name": person.name}),
        "merged": Person.everyone.filter(merged_into=person),
        "last_edit": history.of(person=person).first(),
        "doubts": reviewing.doubts(person=person),
        "companions": finding.companions(person=person),
    }
    return render(request, "people/person.html", context)


@require_POST
def faces(request: HttpRequest, pk: int) -> HttpResponse:
    """Do something with the faces that were chosen on a person's page."""
    person = get_object_or_404(Person, pk=pk)
    form = FacesForm(request.POST)
    back = redirect(next_page(request, reverse("person", args=[pk])))
    if not form.is_valid():
        messages.error(request, str(form.errors["faces"][0]) if "faces" in form.errors else "")
        return back
    ids, name = form.cleaned_data["faces"], form.cleaned_data["name"]
    chosen: dict[str, Any] = {"face_ids": ids, "expected": dict.fromkeys(ids, pk)}
    match request.POST.get("action"):
        case "move":
            attempt(request, assigning.assign, name=name, **chosen)
        case "split":
            if attempt(request, people_edits.split, person=person, name=name, **chosen):
                _warn_of_namesakes(request, name)
        case "reject":
            attempt(request, assigning.reject, person=person, **chosen)
        case "not-a-face":
            attempt(request, assigning.mark_not_a_face, **chosen)
        case "cover":
            if len(ids) == 1:
                attempt(request, people_edits.set_cover, person=person, face_id=ids[0])
            else:
                messages.error(request, "Choose one face only to be the cover.")
    return back


@require_http_methods(["GET", "POST"])
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Give another name; if someone has it already, ask first."""
    person = get_object_or_404(Person, pk=pk)
    initial = {"name": person.name, "revision": person.revision}
    form = PersonRenameForm(request.POST or None, initial=initial)
    namesakes: list[Person] = []
    if form.is_valid():
        name, sure = form.cleaned_data["name"], form.cleaned_data["sure"]
        namesakes = people_edits.namesakes(name=name, besides=person)
        if sure or not namesakes:
            revision = form.cleaned_data["revision"]
            attempt(request, people_edits.rename, person=person, name=name, revision=revision)
            return redirect("person", pk=pk)
    context = {"person": person, "form": form, "namesakes": namesakes}
    return render(request, "people/person_rename.html", context)


@require_http_methods(["GET", "POST"])
def details(request: HttpRequest, pk: int) -> HttpResponse:
    """What is noted about a person."""
    person = get_object_or_404(Person, pk=pk)
    form = PersonDetailsForm(
        request.POST or None, instance=person, initial={"revision": person.revision}
    )
    if request.method == "POST" and form.is_valid():
        attempt(
            request,
            people_edits.set_details,
            person=person,
            details=form.details(),
            revision=form.cleaned_data["revision"],
            reason=form.cleaned_data["reason"],
        )
        return redirect("person", pk=pk)
    return render(request, "people/person_details.html", {"person": person, "form": form})


@require_POST
def searchable(request: HttpRequest, pk: int) -> HttpResponse:
    """Hide a person from search results, or show them again."""
    person = get_object_or_404(Person, pk=pk)
    shown = request.POST.get("searchable") == "yes"
    attempt(request, people_edits.set_searchable, person=person, searchable=shown)
    return redirect("person", pk=pk)


@require_http_methods(["GET", "POST"])
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose whom to merge with; see both sides and what will move; merge."""
    person = get_object_or_404(Person, pk=pk)
    wanted = request.GET.get("with", "")
    other = Person.objects.filter(pk=wanted).first() if wanted.isdecimal() else None
    if other is None or other == person:
        return _choose_other(request, person)
    form = MergeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        edit = attempt(
            request,
            people_edits.merge,
            into=person,
            others=[other],
            name=values["name"],
            cover_id=values["cover"],
            keep_names=values["keep_names"],
            revisions=_shown((person, values["revision"]), (other, values["other_revision"])),
            reason=values["reason"],
        )
        if edit:
            return redirect("person", pk=pk)
        return redirect(f"{reverse('person-merge', args=[pk])}?with={other.pk}")
    comparison = comparing.compare(people=[person, other])
    context = {"person": person, "other": other, "form": form, "comparison": comparison}
    return render(request, "people/person_merge.html", context)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then delete a person: so that it can be undone for a while, or at once for good."""
    person = get_object_or_404(Person, pk=pk)
    form = PersonDeleteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["when"] == "now":
            _delete_now(request, person, with_photos=form.cleaned_data["with_photos"])
        else:
            reason = form.cleaned_data["reason"]
            attempt(request, people_edits.delete_later, person=person, reason=reason)
        return redirect("people")
    context = {
        "person": person,
        "form": form,
        "face_count": person.faces.count(),
        "lonely_photos": deletion.photos_only_of(person=person).count(),
        "until": timezone.now() + settings.FACEWEB_PERSON_GRACE,
    }
    return render(request, "people/person_delete.html", context)


def _delete_now(request: HttpRequest, person: Person, *, with_photos: bool) -> None:
    receipt = people_edits.delete_now(person=person, with_photos=with_photos, user=request.user)
    tasks.enqueue_removals()
    messages.success(
        request,
        f"“{person.name}” is deleted: {receipt.faces} faces and {receipt.photos} photos.",
    )


def _deleted(request: HttpRequest, person: Person) -> HttpResponse:
    """The page of someone who waits for their deletion: until when it can be undone."""
    assert person.deleted_at is not None
    edit = restoring.deletion_of(person=person)
    until = person.deleted_at + settings.FACEWEB_PERSON_GRACE
    context: dict[str, Any] = {"person": person, "until": until, "edit": edit}
    return render(request, "people/person_deleted.html", context, status=410)


def _choose_other(request: HttpRequest, person: Person) -> HttpResponse:
    form = PersonFilterForm(request.GET)
    people = form.people().exclude(pk=person.pk).with_face_count()
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    context = {"person": person, "form": form, "page": page}
    return render(request, "people/person_merge_with.html", context)


def _shown(*pairs: tuple[Person, int | None]) -> dict[int, int]:
    """The revisions that a page showed, by id of person."""
    return {person.pk: revision for person, revision in pairs if revision is not None}


def _warn_of_namesakes(request: HttpRequest, name: str) -> None:
    if len(people_edits.namesakes(name=name)) > 1:
        messages.warning(request, f"Someone else is called “{name}” too.")
