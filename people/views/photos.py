from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import NameForm
from people.models import Face, Photo
from people.services import deletion, history, photos, regions, timeline
from people.views.media import stored_file

SHOWN_EDITS = 5


@require_safe
def photo(request: HttpRequest, pk: int) -> HttpResponse:
    """One photo with its boxes and names."""
    photo = get_object_or_404(Photo.objects.select_related("batch"), pk=pk)
    faces = list(photo.faces.active().select_related("person"))
    hidden = list(photo.faces.filter(state=Face.State.NOT_A_FACE))
    template = "people/photo.html"
    if request.htmx and request.GET.get("part") == "body":  # type: ignore[attr-defined]
        template = "people/_photo_body.html"
    context: dict[str, Any] = {
        "photo": photo,
        "faces": faces,
        "waiting": photo.is_pending or any(face.is_waiting for face in faces),
        "hidden": hidden,
        "undecided_regions": regions.undecided(photo),
        "form": NameForm(),
    }
    if template == "people/photo.html":
        context["entries"] = timeline.entries_of(list(history.of(photo=photo)[:SHOWN_EDITS]))
    return render(request, template, context)


@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at a failed photo again."""
    photo = get_object_or_404(Photo, pk=pk)
    if photos.retry(photo_ids=[photo.pk]):
        tasks.enqueue_photos([photo.pk])
    if request.htmx:  # type: ignore[attr-defined]
        photo.refresh_from_db()
        return render(request, "people/_import_row.html", {"photo": photo})
    return redirect("photo", pk=photo.pk)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then delete a photo with its faces everywhere."""
    photo = get_object_or_404(Photo, pk=pk)
    if request.method == "POST":
        deletion.delete_photos(photos=Photo.objects.filter(pk=photo.pk))
        tasks.enqueue_removals()
        messages.success(request, f"“{photo.original_name}” and its faces are deleted.")
        return redirect("photos")
    faces = photo.faces.select_related("person")
    return render(request, "people/photo_delete.html", {"photo": photo, "faces": faces})


@require_safe
def image(request: HttpRequest, pk: int, kind: str) -> HttpResponseBase:
    """The photo's picture: preview or thumb to look at, original to download."""
    photo = get_object_or_404(Photo, pk=pk)
    if kind == "original":
        return stored_file(
            request,
            photo.file.name or "",
            content_type="application/octet-stream",
            download_as=photo.original_name,
        )
    if kind not in ("preview", "thumb"):
        raise Http404
    return stored_file(request, photo.picture(kind), version=photo.version)
