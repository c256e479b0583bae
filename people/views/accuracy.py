from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from faceweb.recognition import calibration
from faceweb.recognition.embedders import get_spec
from people import tasks
from people.forms import RatesForm
from people.jobs import Status
from people.models import Calibration, Evaluation
from people.problems import Refused
from people.services import calibrating, evaluating, rates, scoring
from people.views.charts import distributions

View = Callable[..., HttpResponse]

# Fewer than these say little.
FEW_SAME, FEW_PEOPLE, FEW_DIFFERENT = 300, 30, 100_000
EARLIER = 8


def staff_only(view: View) -> View:
    """What changes how everybody's answers are judged is for staff."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *arguments, **named)

    return guarded


@require_safe
def accuracy(request: HttpRequest) -> HttpResponse:
    """How well faces are told apart here, and which calibration says what scores mean."""
    return render(request, "people/accuracy.html", _context())


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """The part of the page that is fetched again while a check is under way."""
    return render(request, "people/_accuracy_body.html", _context())


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """Start a check on the archive's own named faces."""
    try:
        job = evaluating.request_evaluation(user=request.user)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        tasks.enqueue_evaluation(job.pk)
    return redirect("accuracy")


@require_POST
@staff_only
def use(request: HttpRequest, pk: int) -> HttpResponse:
    """Use the calibration that a check has made."""
    try:
        calibrating.adopt(check=get_object_or_404(Evaluation, pk=pk), user=request.user)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        tasks.enqueue_guesses()
        messages.success(request, "Scores are now judged by this archive’s own faces.")
    return redirect("accuracy")


@require_POST
@staff_only
def go_back(request: HttpRequest) -> HttpResponse:
    """Use the calibration that comes with faceweb again, if one does."""
    scale = scoring.scale()
    calibrating.deactivate(embedder=scale.embedder, version=scale.version)
    tasks.enqueue_guesses()
    if scoring.scale().calibration is None:
        messages.success(request, "No calibration is in use any more.")
    else:
        messages.success(request, "The calibration that comes with faceweb is in use again.")
    return redirect("accuracy")


@require_http_methods(["GET", "POST"])
def thresholds(request: HttpRequest) -> HttpResponse:
    """Choose the rates by which verdicts are given, and see what that would change."""
    if request.method == "POST" and not request.user.is_staff:
        raise PermissionDenied
    form = RatesForm(request.POST if request.method == "POST" else request.GET or None)
    if request.method == "POST" and form.is_valid():
        rates.choose(**form.rates(), user=request.user)
        tasks.enqueue_guesses()
        messages.success(request, "Saved. New answers are judged by these rates.")
        return redirect("thresholds")
    return render(request, "people/accuracy_thresholds.html", _thresholds_context(form))


@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """The part of the page that says what would change."""
    context = _thresholds_context(RatesForm(request.GET))
    return render(request, "people/_accuracy_preview.html", context)


@require_POST
@staff_only
def reset(request: HttpRequest) -> HttpResponse:
    """Go back to the rates of the settings."""
    rates.reset(user=request.user)
    tasks.enqueue_guesses()
    messages.success(request, "The rates of the settings are in force again.")
    return redirect("thresholds")


def _context() -> dict[str, Any]:
    scale = scoring.scale()
    spec = get_spec(scale.embedder)
    done = Evaluation.objects.filter(status=Status.DONE)
    latest: Evaluation | None = done.first()
    results = latest.results if latest else None
    own = Calibration.objects.filter(
        embedder=scale.embedder, version=scale.version, is_active=True
    ).select_related("created_by")
    context: dict[str, Any] = {
        "scale": scale,
        "own_calibration": own.first(),
        "shipped": scoring.shipped_calibration(spec),
        "is_general": spec.purpose == "general",
        "pending": Evaluation.objects.pending().first(),
        "failed": Evaluation.objects.filter(status=Status.FAILED, pk__gt=latest.pk if latest else 0)
        .first(),
        "latest": latest,
        "results": results,
        "earlier": done.only("finished_at", "results")[1 : EARLIER + 1],
    }  # fmt: skip
    if latest is not None and results:
        verdicts = (results["in_use"] or {}).get("verdicts", [])
        context |= {
            "can_use": _can_use(latest, scale),
            "chart": distributions(results["bars"], verdicts),
            "is_few": results["same"] < FEW_SAME
            or results["people_with_several"] < FEW_PEOPLE
            or results["different"] < FEW_DIFFERENT,
            "look_alikes": evaluating.look_alikes_of(results),
            "outdated": _is_outdated(latest, scale),
        }
    return context


def _is_outdated(check: Evaluation, scale: scoring.Scale) -> bool:
    return (check.embedder, check.version) != (scale.embedder, scale.version)


def _can_use(check: Evaluation, scale: scoring.Scale) -> bool:
    """Whether a check has made a calibration that is not in use yet."""
    data = (check.results or {}).get("proposed")
    if data is None or _is_outdated(check, scale):
        return False
    return calibration.from_data(data) != scale.calibration


def _thresholds_context(form: RatesForm) -> dict[str, Any]:
    """The page's facts; the form shows what is in force unless others were chosen."""
    scale = scoring.scale()
    chosen = {"match_fmr": scale.rates.match_fmr, "possible_fmr": scale.rates.possible_fmr}
    if form.is_bound and form.is_valid():
        chosen = form.rates()
    return {
        "form": form if form.is_bound else RatesForm.of(scale.rates),
        "scale": scale,
        "is_general": get_spec(scale.embedder).purpose == "general",
        "preview": rates.preview(**chosen),
        "row": rates.chosen(),
        "default": scoring.default_rates(),
        "match_strangers": scoring.MATCH_STRANGERS,
    }
