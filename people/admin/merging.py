"""Merging people from the list of the admin panel."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from people.admin import acts
from people.admin.acts import Ask
from people.forms import MergeSeveralForm
from people.models import Person
from people.models.person import PersonQuerySet
from people.problems import Refused, sentence
from people.services import comparing, people_edits

# How many people one merge takes: each is shown with a dozen faces.
MOST = 12


def merge(panel: Any, request: HttpRequest, people: PersonQuerySet) -> HttpResponseBase | None:
    """Show everybody side by side and what will move; then make one person of them."""
    if acts.too_many(panel, request, people.count(), MOST):
        return None
    chosen = list(people)
    if len(chosen) < 2 or any(one.deleted_at or one.merged_into_id for one in chosen):
        code = "changed_meanwhile" if acts.is_sure(request) else "too_few_chosen"
        panel.message_user(request, sentence(code), messages.ERROR)
        return None
    form = MergeSeveralForm(request.POST if acts.is_sure(request) else None)
    if form.is_bound and form.is_valid():
        target = _merge(panel, request, chosen, form.cleaned_data)
        if target is not None:
            return redirect("admin:people_person_change", target.pk)
    return _page(panel, request, chosen, form)


def _merge(
    panel: Any, request: HttpRequest, chosen: list[Person], values: dict[str, Any]
) -> Person | None:
    """Merge, and say what was done or why not."""
    target = next((person for person in chosen if person.pk == values["into"]), None)
    shown = {pk: value for pk, value in acts.shown_in(request).items() if value is not None}
    try:
        if target is None or set(shown) != {person.pk for person in chosen}:
            # Somebody went since the page was shown.
            raise Refused("changed_meanwhile")
        edit = people_edits.merge(
            into=target,
            others=[person for person in chosen if person != target],
            name=values["name"] or None,
            cover_id=values["cover"],
            keep_names=values["keep_names"],
            revisions=shown,
            user=request.user,
            reason=values["reason"],
        )
    except Refused as refusal:
        panel.message_user(request, refusal.sentence, messages.ERROR)
        return None
    acts.tell(panel, request, acts.Done([edit], {}))
    return target


def _page(
    panel: Any, request: HttpRequest, chosen: list[Person], form: MergeSeveralForm
) -> HttpResponseBase:
    # As they are now, also after a refusal.
    people = list(Person.objects.filter(pk__in=[person.pk for person in chosen]))
    comparison = comparing.compare(people=people)
    most = max(comparison.sides, key=lambda side: side.face_count, default=None)
    into = next((one for one in people if str(one.pk) == form["into"].value()), None)
    question = Ask(f"Are these {len(people)} one person?", (), "Merge into one person")
    return acts.ask(
        panel, request, action="merge", question=question, tiles=(),
        shown={person.pk: person.revision for person in people},
        template="admin/people/person/merge.html",
        comparison=comparison, form=form, into=into or (most and most.person),
    )  # fmt: skip
