"""Serving stored files to people who are signed in; nothing else reaches the media folder."""

from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase


def stored_file(
    request: HttpRequest, name: str, *, content_type: str = "image/jpeg", download_as: str = ""
) -> HttpResponseBase:
    """A stored file as a response. Pictures made by faceweb are shown, originals downloaded.

    What people uploaded is never shown inline: the browser would have to trust it.
    """
    if not name:
        raise Http404
    try:
        file: Any = default_storage.open(name)
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(
        file, content_type=content_type, as_attachment=bool(download_as), filename=download_as
    )
    response["Cache-Control"] = "private, max-age=86400"
    response["X-Content-Type-Options"] = "nosniff"
    return response
