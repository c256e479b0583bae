from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from people import tasks
from people.forms import UploadForm
from people.models import Import
from people.services import photos
from people.services.stats import import_progress, recent_imports

ROWS = 100


@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Choose photos; store them and queue the looking.

    The page's script sends one file at a time with the header Accept: application/json and
    the `batch` it got from the first answer; a browser without scripts sends all at once.
    """
    if request.method == "GET":
        context = {
            "form": UploadForm(),
            "max_files": settings.FACEWEB_MAX_UPLOAD_FILES,
            "max_megabytes": settings.FACEWEB_MAX_UPLOAD_MB,
            "recent": recent_imports(limit=5),
        }
        return render(request, "people/upload.html", context)
    form = UploadForm(request.POST, request.FILES)
    form.is_valid()
    files = form.cleaned_data.get("files") or []
    batch = Import.objects.filter(pk=form.cleaned_data.get("batch") or 0).first()
    if batch is None or batch.created_by_id != request.user.pk:
        if not files:
            messages.warning(request, "Choose photos first, then add them.")
            return redirect("upload")
        names = "file" if form.cleaned_data.get("names_from_files") else "none"
        batch = photos.start_import(kind=Import.Kind.UPLOAD, names=names, user=request.user)
    added = photos.add_uploads(
        batch=batch,
        uploads=files[: settings.FACEWEB_MAX_UPLOAD_FILES],
        with_regions=bool(form.cleaned_data.get("regions")),
    )
    photos.refuse_rest(batch=batch, uploads=files[settings.FACEWEB_MAX_UPLOAD_FILES :])
    tasks.enqueue_photos([photo.pk for photo in added])
    tasks.enqueue_settling(batch.pk)
    url = reverse("import", args=[batch.pk])
    if request.accepts("text/html"):
        return redirect(url)
    return JsonResponse(
        {"batch": batch.pk, "url": url, "rows": reverse("import-rows", args=[batch.pk])}
    )


@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """How an upload or a folder import is going; stays true across reloads."""
    batch = get_object_or_404(Import, pk=pk)
    return render(request, "people/import.html", _context(batch))


@require_safe
def rows(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the page that is fetched again while there is work."""
    batch = get_object_or_404(Import, pk=pk)
    return render(request, "people/_import_rows.html", _context(batch))


def _context(batch: Import) -> dict[str, object]:
    photos = batch.photos.with_face_count().order_by("-pk")
    return {
        "batch": batch,
        "progress": import_progress(batch),
        "failed": photos.filter(status="failed")[:ROWS],
        "photos": photos.exclude(status="failed").exclude(naming="undecided")[:ROWS],
        "undecided": photos.undecided()[:ROWS],
    }
