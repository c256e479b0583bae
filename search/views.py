from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people.problems import Refused
from people.services.coverage import coverage
from people.tasks import enqueue_removals
from people.views.media import stored_file
from search import files, tasks
from search.forms import SearchForm
from search.models import Search
from search.services import answers, searches


def _own(request: HttpRequest) -> QuerySet[Search]:
    """A search is shown to the one who asked only."""
    return Search.objects.filter(created_by=request.user)  # type: ignore[misc]


def _seen(request: HttpRequest) -> QuerySet[Search]:
    """Searches whose pictures may be looked at: those who run the admin panel see all there."""
    if request.user.has_perm("search.view_search"):
        return Search.objects.all()
    return _own(request)


@require_http_methods(["GET", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Ask who is in a photo."""
    form = SearchForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            search = searches.create_search(
                upload=form.cleaned_data["photo"],
                name=form.cleaned_data["photo"].name,
                top=form.cleaned_data["top"],
                user=request.user,
            )
        except Refused as refusal:
            form.add_error("photo", refusal.sentence)
        else:
            tasks.enqueue_search(search.pk)
            return redirect("search-result", pk=search.pk)
    context = {
        "form": form,
        "recent": _own(request)[:8],
        "coverage": coverage(),
        "has_faces": searches.live_faces().exists(),
        "retention_hours": settings.FACEWEB_SEARCH_RETENTION.total_seconds() / 3600,
        "max_megabytes": settings.FACEWEB_MAX_UPLOAD_MB,
    }
    return render(request, "search/index.html", context)


@require_safe
def result(request: HttpRequest, pk: str) -> HttpResponse:
    """The answer, which fills in by itself."""
    search = get_object_or_404(_own(request), pk=pk)
    return render(request, "search/result.html", _context(search))


@require_safe
def body(request: HttpRequest, pk: str) -> HttpResponse:
    """The part of the answer that is fetched again until it is there."""
    search = get_object_or_404(_own(request), pk=pk)
    return render(request, "search/_result_body.html", _context(search))


@require_safe
def image(request: HttpRequest, pk: str) -> HttpResponseBase:
    search = get_object_or_404(_seen(request), pk=pk)
    return stored_file(request, files.picture(search.pk))


@require_safe
def crop(request: HttpRequest, pk: str, number: int) -> HttpResponseBase:
    search = get_object_or_404(_seen(request), pk=pk)
    return stored_file(request, files.crop(search.pk, number))


@require_POST
def delete(request: HttpRequest, pk: str) -> HttpResponse:
    """Forget a search now instead of when its time is up."""
    search = get_object_or_404(_own(request), pk=pk)
    searches.delete_searches(searches=_own(request).filter(pk=search.pk))
    enqueue_removals()
    messages.success(request, "The search and its photo are deleted.")
    return redirect("search")


def _context(search: Search) -> dict[str, object]:
    faces = answers.shown_faces(search)
    return {
        "search": search,
        "faces": faces,
        "sentence": searches.faces_sentence(search, len(faces)),
        "calibration": answers.calibration_of(search),
        "no_verdict": answers.no_verdict(search),
    }
