"""Names for other programs, as downloads."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_safe

from people.downloads import download
from people.models import Photo
from people.problems import Refused
from people.services import export


@require_safe
def table(request: HttpRequest) -> HttpResponseBase:
    """All named faces as a table, sent line by line."""
    response = StreamingHttpResponse(export.csv_lines(), content_type="text/csv; charset=utf-8")
    return download(response, "names.csv")


@require_safe
def sidecar(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The names and places in one photo, as an XMP sidecar file."""
    photo = get_object_or_404(Photo, pk=pk)
    faces = list(export.named_faces().filter(photo=photo))
    try:
        text = export.xmp(photo=photo, faces=faces)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("photo", pk=pk)
    response = HttpResponse(text, content_type="application/rdf+xml; charset=utf-8")
    return download(response, f"{photo.original_name}.xmp")
