"""Having photos looked at again, and turning them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from people import tasks
from people.models import Photo
from people.problems import sentence
from people.services import rescans, turning
from people.views.edits import attempt, next_page

# As many as one page of photos shows, with room to spare.
MOST = 500


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at one photo again; names and drawn boxes stay."""
    photo = get_object_or_404(Photo, pk=pk)
    ids = rescans.again(photo_ids=[photo.pk])
    tasks.enqueue_again(ids)
    if not ids:
        messages.error(request, sentence("photo_busy"))
    return redirect("photo", pk=photo.pk)


@require_POST
def again_many(request: HttpRequest) -> HttpResponse:
    """Look at the chosen photos again."""
    chosen = [int(pk) for pk in request.POST.getlist("photos")[:MOST] if pk.isdecimal()]
    ids = rescans.again(photo_ids=chosen)
    tasks.enqueue_again(ids)
    if ids:
        many = "A photo is" if len(ids) == 1 else f"{len(ids)} photos are"
        messages.success(request, f"{many} looked at again. Names and drawn boxes stay.")
    else:
        messages.error(request, sentence("nothing_chosen" if not chosen else "photo_busy"))
    return redirect(next_page(request, reverse("photos")))


@require_POST
def turn(request: HttpRequest, pk: int) -> HttpResponse:
    """Turn a photo by a quarter, or upside down."""
    photo = get_object_or_404(Photo, pk=pk)
    by = {"left": 1, "over": 2, "right": 3}.get(request.POST.get("way", ""), 0)
    shown = request.POST.get("turns", "")
    attempt(
        request, turning.turn, photo=photo, by=by, shown=int(shown) if shown.isdecimal() else -1
    )
    return redirect("photo", pk=photo.pk)
