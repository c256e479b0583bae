"""What waits for a person: suggestions, people who may be one, odd faces, automatic names."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import FacesForm, NameForm
from people.models import Face, Person, PersonPair
from people.problems import Refused
from people.services import assigning, automatic, history, reviewing, scoring, suggestions
from people.views.edits import attempt, next_page

PAIRS_PER_PAGE = 30
FACES_PER_PAGE = 60
AUTOMATIC_PER_PAGE = 120

# How many answers of this visit are remembered, so that an undo asks the same question again.
_REMEMBERED = 50


@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """One suggestion at a time, most likely first."""
    wanted = request.GET.get("face", "")
    return _next(request, face_id=int(wanted) if wanted.isdecimal() else None)


@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Yes, no, someone else, not a face, or later."""
    face = get_object_or_404(Face, pk=pk)
    asked = request.POST.get("person", "")
    person = Person.objects.filter(pk=asked if asked.isdecimal() else 0).first()
    chosen: dict[str, Any] = {"face_ids": [pk], "expected": {pk: None}}
    edit = None
    match request.POST.get("answer"):
        case "yes" if person:
            how = Face.AssignedBy.SUGGESTION
            edit = attempt(request, assigning.assign, person=person, how=how, **chosen)
        case "no" if person:
            edit = attempt(request, assigning.reject, person=person, **chosen)
        case "not-a-face":
            edit = attempt(request, assigning.mark_not_a_face, **chosen)
        case "other":
            form = NameForm(request.POST)
            if not form.is_valid():
                return _next(request, face_id=pk, form=form)
            edit = attempt(request, assigning.assign, name=form.cleaned_data["name"], **chosen)
        case "skip":
            reviewing.skip(face_id=face.pk)
        case _:
            messages.error(request, "This person is not there any more.")
    if edit and person:
        answers = [*request.session.get("review", []), [pk, person.pk]]
        request.session["review"] = answers[-_REMEMBERED:]
    return _next(request)


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back this user's last answer, and ask the same question again."""
    edit = reviewing.last_answer(user=request.user)
    if edit is None:
        messages.error(request, "There is no answer of yours that could be undone.")
        return _next(request)
    face_id = edit.subjects.filter(kind="face").values_list("subject_id", flat=True).first()
    if attempt(request, history.undo, edit=edit) is None:
        return _next(request)
    for face, person in reversed(request.session.get("review", [])):
        if face == face_id:
            suggestions.suggest_again(face_id=face, person_id=person, scale=scoring.scale())
            break
    return _next(request, face_id=face_id)


@require_POST
def again(request: HttpRequest) -> HttpResponse:
    """Ask again about what was skipped."""
    reviewing.ask_skipped_again()
    return redirect("review")


@require_safe
def duplicates(request: HttpRequest) -> HttpResponse:
    """People who may be one: all, or those who may be one with somebody."""
    person = _person(request)
    found = reviewing.pairs_of(person_id=person.pk) if person else reviewing.pairs()
    found = found.select_related("person", "other", "face__photo", "other_face__photo")
    page = Paginator(found, PAIRS_PER_PAGE).get_page(request.GET.get("page"))
    return _tab(request, "people/review_duplicates.html", {"page": page, "person": person})


@require_POST
def keep_two(request: HttpRequest, pk: int) -> HttpResponse:
    """These two people are two."""
    pair = PersonPair.objects.filter(pk=pk).select_related("person", "other").first()
    if pair is not None:
        attempt(request, reviewing.keep_two, pair=pair)
    return redirect(next_page(request, reverse("review-duplicates")))


@require_safe
def outliers(request: HttpRequest) -> HttpResponse:
    """Faces that hardly resemble the rest of their person: all, or somebody's."""
    person = _person(request)
    found = reviewing.odd_faces().select_related("person", "photo")
    found = found.filter(person=person) if person else found
    page = Paginator(found, FACES_PER_PAGE).get_page(request.GET.get("page"))
    return _tab(request, "people/review_outliers.html", {"page": page, "person": person})


@require_POST
def settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Say of an odd face that it is the person after all, or is not."""
    face = get_object_or_404(Face.objects.select_related("person"), pk=pk)
    person = Person.objects.filter(pk=request.POST.get("person") or 0).first()
    if person is None:
        messages.error(request, "This person is not there any more.")
    elif request.POST.get("answer") == "yes":
        attempt(request, reviewing.confirm, face=face, person=person)
    else:
        expected = {pk: person.pk}
        attempt(request, assigning.reject, face_ids=[pk], person=person, expected=expected)
    return redirect(next_page(request, reverse("review-outliers")))


@require_http_methods(["GET", "POST"])
def automatic_names(request: HttpRequest) -> HttpResponse:
    """Faces that were named without asking: confirm them, or take the names back."""
    if request.method == "POST":
        return _settle_automatic(request)
    found = automatic.faces().select_related("person", "photo")
    page = Paginator(found, AUTOMATIC_PER_PAGE).get_page(request.GET.get("page"))
    rate = scoring.active_rates().automatic_fmr
    return _tab(request, "people/review_automatic.html", {"page": page, "rate": rate})


def _settle_automatic(request: HttpRequest) -> HttpResponse:
    back = redirect(next_page(request, reverse("review-automatic")))
    form = FacesForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a face first.")
        return back
    right = request.POST.get("action") == "right"
    service = automatic.confirm if right else automatic.take_back
    try:
        edits = service(face_ids=form.cleaned_data["faces"], user=request.user)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return back
    for edit in edits:
        tasks.enqueue_after_edit(edit)
        said = f"{history.words(edit.summary)}."
        messages.success(request, said, extra_tags=f"undo:{edit.pk}")
    return back


def _next(
    request: HttpRequest, *, face_id: int | None = None, form: NameForm | None = None
) -> HttpResponse:
    """The next question: the whole page, or only its card; after a form without scripts, a new
    request for the page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    if request.method == "POST" and not htmx and form is None:
        return redirect(f"{reverse('review')}{f'?face={face_id}' if face_id else ''}")
    asked = reviewing.question(face_id=face_id)
    left = reviewing.queue()[: reviewing.COUNTED].count()
    context = {
        "question": asked,
        "left": left,
        "many": left == reviewing.COUNTED,
        "skipped": 0 if asked else reviewing.skipped()[: reviewing.COUNTED].count(),
        "form": form or NameForm(),
        "can_undo": reviewing.last_answer(user=request.user) is not None,
    }
    if htmx:
        return render(request, "people/_review_card.html", context)
    return _tab(request, "people/review.html", context)


def _person(request: HttpRequest) -> Person | None:
    """The person whom a list is about, if it is about one."""
    wanted = request.GET.get("person", "")
    return Person.objects.filter(pk=wanted).first() if wanted.isdecimal() else None


def _tab(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, {**context, "counts": reviewing.counts()})
