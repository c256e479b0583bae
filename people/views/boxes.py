"""Boxes in a photo: drawing one, correcting one, taking one away."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people.forms import BoxForm
from people.jobs import Status
from people.models import Face, Photo
from people.problems import sentence
from people.services import assigning, boxes
from people.views.edits import attempt

SIDES = ("x1", "y1", "x2", "y2")


@require_http_methods(["GET", "POST"])
def draw(request: HttpRequest, pk: int) -> HttpResponse:
    """Draw a box round a face that was not found."""
    photo = get_object_or_404(Photo, pk=pk)
    form = BoxForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        edit = attempt(request, boxes.draw, photo=photo, box=form.box)
        if edit is not None:
            face = Face.objects.get(pk=edit.subjects.get(kind="face").subject_id)
            return redirect(_place(face))
    return _page(request, photo, form)


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct the box of a face; it keeps its name and is looked at again."""
    face = get_object_or_404(Face.objects.select_related("photo", "person"), pk=pk)
    initial: dict[str, Any] = dict(zip(SIDES, (round(v, 1) for v in face.box), strict=True))
    initial["shown"] = " ".join(map(str, face.box))
    form = BoxForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        shown = form.cleaned_data["shown"]
        if attempt(request, boxes.move, face=face, box=form.box, expected=shown):
            return redirect(_place(face))
        face.refresh_from_db()
    return _page(request, face.photo, form, face)


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a box away: a drawn one goes, a found one is not a face from now on."""
    face = get_object_or_404(Face, pk=pk)
    attempt(request, boxes.remove, face=face)
    return redirect("photo", pk=face.photo_id)


@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """What was marked as not a face is one after all."""
    face = get_object_or_404(Face, pk=pk)
    attempt(request, assigning.restore, face_ids=[face.pk])
    return redirect(_place(face))


@require_safe
def picture(request: HttpRequest, pk: int) -> HttpResponse:
    """The small picture in the list of faces, fetched again until the box was looked at."""
    face = get_object_or_404(Face, pk=pk)
    return render(request, "people/_face_picture.html", {"face": face})


def _page(
    request: HttpRequest, photo: Photo, form: BoxForm, face: Face | None = None
) -> HttpResponse:
    """The photo with a form for one box, as a page or as the part of the photo's own page."""
    if photo.status != Status.DONE:
        messages.error(request, sentence("photo_busy"))
        return redirect("photo", pk=photo.pk)
    others = photo.faces.active().select_related("person")
    context: dict[str, Any] = {
        "photo": photo,
        "face": face,
        "faces": others.exclude(pk=face.pk) if face else others,
        "form": form,
        "problem": sentence("no_box") if any(side in form.errors for side in SIDES) else "",
        "action": reverse("face-box", args=[face.pk]) if face else
                  reverse("photo-draw", args=[photo.pk]),
    }  # fmt: skip
    template = "people/box.html"
    if request.htmx and request.GET.get("part") == "form":  # type: ignore[attr-defined]
        template, context["part"] = "people/_box_form.html", True
    return render(request, template, context)


def _place(face: Face) -> str:
    return f"{reverse('photo', args=[face.photo_id])}#face-{face.number}"
