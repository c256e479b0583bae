from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from people import tasks
from people.forms import NameForm, PersonDeleteForm, PersonFilterForm
from people.models import Person
from people.services import deletion, naming

PER_PAGE = 60


@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    form = PersonFilterForm(request.GET)
    people = form.people().with_face_count().select_related("cover")
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "people/people.html", {"page": page, "form": form})


@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """Names that contain what was typed, as options of a datalist."""
    form = PersonFilterForm({"q": request.GET.get("name") or request.GET.get("who", "")})
    names = form.people().values_list("name", flat=True).distinct()[:12]
    return render(request, "people/_name_options.html", {"names": names})


@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person and all their faces."""
    person = get_object_or_404(Person, pk=pk)
    faces = person.faces.active().select_related("photo").order_by("-pk")
    page = Paginator(faces, PER_PAGE).get_page(request.GET.get("page"))
    form = NameForm(initial={"name": person.name})
    return render(request, "people/person.html", {"person": person, "page": page, "form": form})


@require_POST
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(Person, pk=pk)
    form = NameForm(request.POST)
    if form.is_valid():
        namesakes = naming.rename_person(person=person, name=form.cleaned_data["name"])
        messages.success(request, f"The name is now “{person.name}”.")
        if namesakes:
            messages.warning(request, f"Someone else is called “{person.name}” too.")
    else:
        messages.error(request, str(form.errors["name"][0]))
    return redirect("person", pk=pk)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then delete a person with their faces everywhere, and if wanted their photos."""
    person = get_object_or_404(Person, pk=pk)
    form = PersonDeleteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        receipt = deletion.delete_person(
            person=person, with_photos=form.cleaned_data["with_photos"]
        )
        tasks.enqueue_removals()
        messages.success(
            request,
            f"“{person.name}” is deleted: {receipt.faces} faces and {receipt.photos} photos.",
        )
        return redirect("people")
    context = {
        "person": person,
        "form": form,
        "face_count": person.faces.count(),
        "lonely_photos": deletion.photos_only_of(person=person).count(),
    }
    return render(request, "people/person_delete.html", context)
