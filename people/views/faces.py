from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import NameForm
from people.models import Edit, Face
from people.problems import Refused
from people.services import assigning
from people.views.edits import attempt
from people.views.media import stored_file


@require_safe
def crop(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The picture of one face."""
    face = get_object_or_404(Face, pk=pk)
    if face.is_waiting:
        response = redirect(static("faceweb/waiting.svg"))
        response["Cache-Control"] = "no-store"
        return response
    return stored_file(request, face.crop.name or "", version=face.version)


@require_http_methods(["GET", "POST"])
def name(request: HttpRequest, pk: int) -> HttpResponse:
    """Say who a face is: an inline form, and what it does."""
    face = get_object_or_404(Face.objects.select_related("person", "photo"), pk=pk)
    initial = {"name": face.person.name if face.person else face.photo.name_hint}
    form = NameForm(request.POST if request.method == "POST" else None, initial=initial)
    htmx = request.htmx  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        values = {"face_ids": [face.pk], "name": form.cleaned_data["name"]}
        if htmx:
            return _label(request, face, assigning.assign, **values)
        attempt(request, assigning.assign, **values)
        return redirect("photo", pk=face.photo_id)
    if htmx and request.GET.get("cancel"):
        return render(request, "people/_face_label.html", {"face": face})
    template = "people/_face_name_form.html" if htmx else "people/face_name.html"
    return render(request, template, {"face": face, "form": form})


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that a face is not the person it is called; it stays, unnamed."""
    face = get_object_or_404(Face.objects.select_related("person"), pk=pk)
    person = face.person
    if person is not None:
        values = {"face_ids": [face.pk], "person": person, "expected": {face.pk: person.pk}}
        if request.htmx:  # type: ignore[attr-defined]
            return _label(request, face, assigning.reject, **values)
        attempt(request, assigning.reject, **values)
    return redirect("photo", pk=face.photo_id)


def _label(
    request: HttpRequest, face: Face, service: Callable[..., Edit], **values: Any
) -> HttpResponse:
    """Do one edit of a face and show its label anew, with what was done or why not."""
    context: dict[str, Any] = {"face": face}
    try:
        context["edit"] = service(user=request.user, **values)
    except Refused as refusal:
        context["problem"] = refusal.sentence
    else:
        tasks.enqueue_after_edit(context["edit"])
    face.refresh_from_db()
    return render(request, "people/_face_label.html", context)
