from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import NameForm
from people.models import Edit, Face
from people.problems import Refused
from people.services import assigning
from people.views.media import stored_file


@require_safe
def crop(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The picture of one face."""
    face = get_object_or_404(Face, pk=pk)
    return stored_file(request, face.crop.name or "")


@require_http_methods(["GET", "POST"])
def name(request: HttpRequest, pk: int) -> HttpResponse:
    """Say who a face is: an inline form, and what it does."""
    face = get_object_or_404(Face.objects.select_related("person", "photo"), pk=pk)
    initial = {"name": face.person.name if face.person else face.photo.name_hint}
    form = NameForm(request.POST if request.method == "POST" else None, initial=initial)
    htmx = request.htmx  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        edit = _done(request, assigning.assign, face, name=form.cleaned_data["name"])
        face.refresh_from_db()
        if not htmx:
            return redirect("photo", pk=face.photo_id)
        return render(request, "people/_face_label.html", {"face": face, "edit": edit})
    if htmx and request.GET.get("cancel"):
        return render(request, "people/_face_label.html", {"face": face})
    template = "people/_face_name_form.html" if htmx else "people/face_name.html"
    return render(request, template, {"face": face, "form": form})


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that a face is not the person it is called; it stays, unnamed."""
    face = get_object_or_404(Face.objects.select_related("person"), pk=pk)
    person = face.person
    edit = _done(request, assigning.reject, face, person=person) if person else None
    if request.htmx:  # type: ignore[attr-defined]
        if request.POST.get("from") == "person":
            return HttpResponse("")
        face.refresh_from_db()
        return render(request, "people/_face_label.html", {"face": face, "edit": edit})
    if request.POST.get("from") == "person" and person:
        return redirect("person", pk=person.pk)
    return redirect("photo", pk=face.photo_id)


def _done(
    request: HttpRequest, service: Callable[..., Edit], face: Face, **values: Any
) -> Edit | None:
    """Do one edit of a face; say what was done, or why not, on the next page."""
    try:
        edit = service(face_ids=[face.pk], user=request.user, **values)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return None
    tasks.enqueue_after_edit(edit)
    return edit
