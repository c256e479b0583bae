"""Unknown people: groups of unnamed faces that look alike."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from people import tasks
from people.forms import FacesForm, NameForm
from people.models import Cluster, Edit, Face, Person
from people.problems import Refused
from people.services import assigning, clusters, history, reviewing
from people.views.edits import attempt

PER_PAGE = 60
FACES_PER_PAGE = 240


@require_safe
def cluster_list(request: HttpRequest) -> HttpResponse:
    """Groups of unnamed faces, largest first; or those that were set aside."""
    aside = request.GET.get("show") == "aside"
    found = Cluster.objects.filter(size__gt=1).exclude(dismissed_at=None).order_by("-size", "pk")
    page = Paginator(found if aside else Cluster.objects.waiting(), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "page": page,
        "shown": clusters.shown(list(page)),
        "aside": aside,
        "any_aside": aside or found.exists(),
        "unassigned": bool(page.object_list) or Face.objects.unassigned().exists(),
        "counts": reviewing.counts(),
    }
    return render(request, "people/unknown.html", context)


@require_safe
def cluster(request: HttpRequest, pk: int) -> HttpResponse:
    """One group: name it, throw faces out, join it with another, set it aside."""
    return _cluster(request, pk)


@require_POST
def name(request: HttpRequest, pk: int) -> HttpResponse:
    """Name all faces that the page showed, and go on to the next group."""
    found = Cluster.objects.filter(pk=pk).first()
    if found is None:
        return _gone(request)
    form = NameForm(request.POST)
    wanted = request.POST.get("person", "")
    person = Person.objects.filter(pk=wanted).first() if wanted.isdecimal() else None
    if person is None and not form.is_valid():
        return _cluster(request, pk, form=form)
    try:
        named = clusters.name(
            cluster=found, face_ids=_ids(request.POST.get("seen", "")), person=person,
            name="" if person else form.cleaned_data["name"], user=request.user,
        )  # fmt: skip
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("unknown-cluster", pk=pk)
    _say(request, named)
    if Face.objects.unassigned().filter(cluster=found).count() > 1:
        return redirect("unknown-cluster", pk=pk)
    return _next(request)


@require_POST
def faces(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that the chosen faces are someone else, or no faces at all."""
    found = Cluster.objects.filter(pk=pk).first()
    if found is None:
        return _gone(request)
    form = FacesForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a face first.")
        return redirect("unknown-cluster", pk=pk)
    ids = form.cleaned_data["faces"]
    if request.POST.get("action") == "not-a-face":
        expected = dict.fromkeys(ids)
        attempt(request, assigning.mark_not_a_face, face_ids=ids, expected=expected)
    else:
        attempt(request, clusters.throw_out, cluster=found, face_ids=ids)
    return redirect("unknown-cluster", pk=pk)


@require_POST
def join(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that another group is the same person."""
    wanted = request.POST.get("other", "")
    found = Cluster.objects.in_bulk([pk, int(wanted) if wanted.isdecimal() else 0])
    if pk not in found or len(found) < 2:
        return _gone(request)
    other = next(one for key, one in found.items() if key != pk)
    attempt(request, clusters.join, cluster=found[pk], other=other)
    return redirect("unknown-cluster", pk=pk)


@require_POST
def set_aside(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a group off the page of unknown people, or show it there again."""
    found = Cluster.objects.filter(pk=pk).first()
    if found is None:
        return _gone(request)
    aside = request.POST.get("aside") != "no"
    done = attempt(request, clusters.set_aside, cluster=found, aside=aside)
    return _next(request) if done and aside else redirect("unknown-cluster", pk=pk)


def _cluster(request: HttpRequest, pk: int, form: NameForm | None = None) -> HttpResponse:
    found = Cluster.objects.filter(pk=pk).first()
    members = Face.objects.unassigned().filter(cluster=pk).select_related("photo")
    page = Paginator(members.best_first(), FACES_PER_PAGE).get_page(request.GET.get("page"))
    if found is None or not page.object_list:
        return _gone(request)
    context = {
        "cluster": found,
        "shown": clusters.shown([found])[0],
        "page": page,
        "size": page.paginator.count,
        "seen": ",".join(str(key) for key in members.values_list("pk", flat=True)),
        "similar": clusters.similar_to(cluster=found),
        "form": form or NameForm(),
    }
    return render(request, "people/unknown_cluster.html", context)


def _ids(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.isdecimal() and len(part) < 19]


def _say(request: HttpRequest, named: clusters.Named) -> None:
    edit: Edit = named.edit
    tasks.enqueue_after_edit(edit)
    said = f"{history.words(edit.summary)}."
    messages.success(request, said, extra_tags=f"undo:{edit.pk}")
    if named.left_out:
        count = named.left_out
        messages.warning(
            request,
            f"{count} face{'' if count == 1 else 's'} stayed unnamed: somebody said no to that "
            "name before, or another face in the photo has it.",
        )


def _next(request: HttpRequest) -> HttpResponse:
    """On to the largest group that is left."""
    following = Cluster.objects.waiting().first()
    if following is None:
        return redirect("unknown")
    return redirect("unknown-cluster", pk=following.pk)


def _gone(request: HttpRequest) -> HttpResponse:
    messages.warning(
        request, "That group is not there any more: its faces have names, or are in another group."
    )
    return redirect(reverse("unknown"))
