"""Files that pages hand out."""

from django.http import HttpResponseBase
from django.utils.http import content_disposition_header


def download(response: HttpResponseBase, name: str) -> HttpResponseBase:
    """A response that browsers save under a name, and nobody keeps on the way."""
    header = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Disposition"] = header or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
