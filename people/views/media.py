"""Serving stored files to people who are signed in; nothing else reaches the media folder."""

from typing import Any

from django.core.files.storage import default_storage
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotModified,
)

_DAY, _MINUTES = 86_400, 300


def stored_file(
    request: HttpRequest,
    name: str,
    *,
    content_type: str = "image/jpeg",
    download_as: str = "",
    version: str = "",
) -> HttpResponseBase:
    """A stored file as a response. Pictures made by faceweb are shown, originals downloaded.

    Files that people uploaded are never shown inline: the browser would have to trust them. Of a
    small JPEG it may be shown the picture, but nothing else (recognition/jpeg.py). `version`
    differs when the picture does: with it in the address ("?v=") browsers keep the picture for a
    day, else for some minutes, and then only ask whether it is still the same.
    """
    if not name:
        raise Http404
    etag = f'"{version}"' if version else None
    if etag and request.headers.get("If-None-Match") == etag:
        return _cached(request, HttpResponseNotModified(headers={"ETag": etag}), version)
    try:
        file: Any = default_storage.open(name)
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(
        file, content_type=content_type, as_attachment=bool(download_as), filename=download_as
    )
    if etag:
        response["ETag"] = etag
    _cached(request, response, version)
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _cached(request: HttpRequest, response: HttpResponseBase, version: str) -> HttpResponseBase:
    changing = bool(version) and request.GET.get("v") != version
    response["Cache-Control"] = f"private, max-age={_MINUTES if changing else _DAY}"
    return response
