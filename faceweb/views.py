"""The pages around all others: where the admin panel sends people, and what was not understood."""

import logging

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

log = logging.getLogger("faceweb.web")


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Where the admin panel sends those whom it does not let in; all of them are signed in.

    Staff come here right after signing in on the page for everybody, and go on to where they
    wanted to be.
    """
    if request.user.is_staff:
        wanted = request.GET.get("next", "")
        ours = url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )
        return redirect(wanted if ours else "admin:index")
    raise PermissionDenied


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What cannot be answered, with the reason if the browser used an address not allowed."""
    host = ""
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")[:200]
        log.warning("a browser asked for the host %r, which FACEWEB_ALLOWED_HOSTS lacks", host)
    return render(request, "400.html", {"host": host}, status=400)
