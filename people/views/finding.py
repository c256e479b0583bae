from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from people.forms import PhotoFilterForm
from people.models import Person
from people.services import finding
from people.services.stats import photo_states

PER_PAGE = 60
_NAMESAKES = 24


@require_safe
def photo_list(request: HttpRequest) -> HttpResponse:
    """All photos, or those in one state, that fit what is asked. The address says it all."""
    form = PhotoFilterForm(request.GET)
    asked = form.asked()
    named = _named(form)
    if len(named) == 1:
        return redirect(f"{request.path}?{_with_person(request.GET, named[0]).urlencode()}")
    states = photo_states()
    wanted = request.GET.get("state", "all")
    state = next((s for s in states if s.slug == wanted), states[0])
    photos = finding.find_photos(photos=state.photos, asked=asked)
    context = {
        "page": Paginator(photos, PER_PAGE).get_page(request.GET.get("page")),
        "states": states,
        "state": state,
        "form": form,
        "asked": asked,
        "sources": finding.sources(),
        "chosen": [
            (person, _without_person(request.GET, person).urlencode())
            for person in form.cleaned_data.get("person", [])
        ],
        "namesakes": [(person, _with_person(request.GET, person).urlencode()) for person in named],
    }
    return render(request, "people/photos.html", context)


def _named(form: PhotoFilterForm) -> list[Person]:
    """The people that the name in `who` may mean: those called so, else those who contain it."""
    name = form.cleaned_data.get("who", "")
    if not name:
        return []
    exact = list(Person.objects.named(name)[:_NAMESAKES])
    return exact or list(Person.objects.matching(name).with_face_count()[:_NAMESAKES])


def _with_person(query: QueryDict, person: Person) -> QueryDict:
    changed = _without_person(query, person)
    changed.appendlist("person", str(person.pk))
    return changed


def _without_person(query: QueryDict, person: Person) -> QueryDict:
    """The query without this person, without the name that was typed, from its first page."""
    changed = query.copy()
    changed.pop("who", None)
    changed.pop("page", None)
    changed.setlist("person", [pk for pk in query.getlist("person") if pk != str(person.pk)])
    return changed
