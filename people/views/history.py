"""The history: of everything, of one person, face or photo, of one edit; and undoing."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from people.forms import HistoryFilterForm
from people.models import Edit, Face, Person, Photo
from people.services import history, timeline
from people.views.edits import attempt, next_page

PER_PAGE = 40


@require_safe
def everything(request: HttpRequest) -> HttpResponse:
    """All edits, newest first, by kind and by who did them."""
    form = HistoryFilterForm(request.GET)
    return _page(request, form.edits(), {"form": form})


@require_safe
def of_person(request: HttpRequest, pk: int) -> HttpResponse:
    """What was done about one person, also while they wait for their deletion."""
    person = get_object_or_404(Person.everyone, pk=pk)
    return _page(request, history.of(person=person), {"person": person})


@require_safe
def of_face(request: HttpRequest, pk: int) -> HttpResponse:
    face = get_object_or_404(Face.objects.select_related("photo", "person"), pk=pk)
    return _page(request, history.of(face=face), {"face": face})


@require_safe
def of_photo(request: HttpRequest, pk: int) -> HttpResponse:
    photo = get_object_or_404(Photo, pk=pk)
    return _page(request, history.of(photo=photo), {"photo": photo})


@require_safe
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """One edit: every row before and after."""
    found = get_object_or_404(Edit.objects.select_related("user", "undoes"), pk=pk)
    rows, more = timeline.rows_of(found)
    context = {"entry": timeline.entries_of([found])[0], "rows": rows, "more": more}
    return render(request, "people/edit.html", context)


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Turn one edit back; undoing an undo does it again."""
    found = get_object_or_404(Edit, pk=pk)
    attempt(request, history.undo, edit=found, reason=request.POST.get("reason", ""))
    return redirect(next_page(request, reverse("history")))


def _page(request: HttpRequest, edits: QuerySet[Edit], context: dict[str, Any]) -> HttpResponse:
    page = Paginator(edits, PER_PAGE).get_page(request.GET.get("page"))
    entries = timeline.entries_of(list(page))
    return render(request, "people/history.html", {"page": page, "entries": entries, **context})
