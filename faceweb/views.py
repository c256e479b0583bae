"""The pages around all others: where the admin panel sends people, and what was not understood."""

import logging

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

log = logging.getLogger("faceweb.web")


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Where the admin panel sends those whom it does not let in; all of them are signed in."""
    if request.user.is_staff:
        return redirect("admin:index")
    raise PermissionDenied


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What cannot be answered, with the reason if the browser used an address not allowed."""
    host = ""
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")[:200]
        log.warning("a browser asked for the host %r, which FACEWEB_ALLOWED_HOSTS lacks", host)
    return render(request, "400.html", {"host": host}, status=400)
