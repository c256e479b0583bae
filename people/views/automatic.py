"""Accepting suggestions without asking: turning it on and off, and taking all of it back."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import AutomaticForm
from people.models import Rates
from people.services import automatic, rates, scoring
from people.views.edits import attempt
from people.words import one_in


@require_http_methods(["GET", "POST"])
def naming(request: HttpRequest) -> HttpResponse:
    """Choose whether, and how certain, suggestions are accepted; see first what would be named."""
    if request.method == "POST" and not request.user.is_staff:
        raise PermissionDenied
    form = AutomaticForm(request.POST if request.method == "POST" else request.GET or None)
    if request.method == "POST" and form.is_valid():
        rate = form.cleaned_data["rate"]
        rates.choose_automatic(rate=rate, user=request.user)
        tasks.enqueue_guesses()
        if rate is None:
            said = "Automatic naming is off. Names that were given stay until somebody decides."
        else:
            said = f"Automatic naming is on, for at most {one_in(rate)} strangers."
        messages.success(request, said)
        return redirect("automatic")
    return render(request, "people/accuracy_automatic.html", _context(form))


@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """The part of the page that says what would be named."""
    return render(request, "people/_automatic_preview.html", _context(AutomaticForm(request.GET)))


@require_POST
def take_all_back(request: HttpRequest) -> HttpResponse:
    """Take every unconfirmed automatic name away at once; staff can turn it off before."""
    if request.POST.get("off") and request.user.is_staff:
        rates.choose_automatic(rate=None, user=request.user)
    attempt(request, automatic.take_all_back, reason=request.POST.get("reason", ""))
    return redirect("review-automatic")


def _context(form: AutomaticForm) -> dict[str, Any]:
    """The page's facts; the form shows what is in force unless something else was chosen."""
    scale = scoring.scale()
    now = scale.rates.automatic_fmr
    rate = form.cleaned_data["rate"] if form.is_bound and form.is_valid() else now
    return {
        "form": form if form.is_bound else AutomaticForm.of(now),
        "scale": scale,
        "now": now,
        "preview": automatic.preview(rate=rate, scale=scale),
        "unconfirmed": automatic.faces().count(),
        "row": Rates.objects.select_related("changed_by").exclude(automatic_fmr=None).first(),
    }
