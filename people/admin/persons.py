"""People in the admin panel."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from people import tasks
from people.admin import acts, merging
from people.admin.acts import Ask, Tile
from people.admin.common import FacesInline, LargeTableAdmin, thumbnail
from people.downloads import download
from people.forms import PersonDetailsForm
from people.models import Edit, Face, Person
from people.models.person import PersonQuerySet
from people.services import export, people_edits, restoring


class PersonForm(PersonDetailsForm):
    """A person with the name and what is noted; `shown` is the revision that the page showed."""

    revision = None  # type: ignore[assignment]
    shown = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta(PersonDetailsForm.Meta):
        fields = ("name", "is_searchable", *people_edits.DETAILS)  # type: ignore[assignment]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self.instance.pk and "shown" in self.fields:
            self.initial["shown"] = self.instance.revision


class HasFacesFilter(admin.SimpleListFilter):
    title = "faces"
    parameter_name = "has_faces"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "With faces"), ("no", "Without faces")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        faces = Exists(Face.objects.active().filter(person=OuterRef("pk")))
        if self.value() == "yes":
            return queryset.filter(faces)
        if self.value() == "no":
            return queryset.filter(~faces)
        return queryset


class ThereFilter(admin.SimpleListFilter):
    """Who is there; those who wait for their deletion, or were merged, only when asked for."""

    title = "who is there"
    parameter_name = "there"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("deleted", "Deleted, can be restored"), ("merged", "Merged into someone else")]

    def choices(self, changelist: Any) -> Any:
        for number, choice in enumerate(super().choices(changelist)):
            yield choice if number else {**choice, "display": "Who is there"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "deleted":
            return queryset.filter(merged_into=None).exclude(deleted_at=None)
        if self.value() == "merged":
            return queryset.exclude(merged_into=None)
        return queryset.filter(merged_into=None, deleted_at=None)


class PersonFacesInline(FacesInline):
    fk_name = "person"
    fields = readonly_fields = ("picture", "photo_name", "assigned_by", "state", "score")
    ordering = ("-pk",)


_ASKED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "hide": (
        "Hide {} from search results?",
        ("They keep their faces and pages, but no search shows them, and nobody is suggested to "
         "be them.",),
        "Hide from search",
    ),
    "show": (
        "Show {} in search results?",
        ("Searches find them again, and unnamed faces may be suggested to be them.",),
        "Show in search",
    ),
    "restore": (
        "Restore {}?",
        ("Their deletion is undone: they are there again with their faces.",),
        "Restore",
    ),
    "delete_later": (
        "Delete {}, so that it can be undone?",
        ("They are gone from everywhere at once, and deleted for good on {until}.",
         "Until then they can be restored, here or in the history. Their photos stay."),
        "Delete, can be undone",
    ),
}  # fmt: skip


@admin.register(Person)
class PersonAdmin(LargeTableAdmin):
    form = PersonForm
    list_display = ("picture", "name", "face_count", "is_searchable", "retain_until",
                    "created_at")  # fmt: skip
    list_display_links = ("picture", "name")
    list_filter = (ThereFilter, "is_searchable", HasFacesFilter, "retain_until")
    search_fields = ("search_key",)
    actions: Any = ("merge", "hide", "show", "restore", "delete_later", "export")
    inlines = (PersonFacesInline,)
    readonly_fields = ("picture", "there", "face_count", "created_at", "page")
    _own: ClassVar[tuple[str, ...]] = ("name", "is_searchable", *people_edits.DETAILS)

    def get_fields(self, request: HttpRequest, obj: Person | None = None) -> Any:
        if obj is None:
            return (*self._own, "reason")
        asked = ("reason", "shown") if self.has_change_permission(request, obj) else ()
        return ("picture", *self._own, "there", "face_count", "created_at", "page", *asked)

    def get_inlines(self, request: HttpRequest, obj: Person | None) -> Any:
        return self.inlines if obj else ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("people.add_person"))

    def has_change_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        there = obj is None or (obj.deleted_at is None and obj.merged_into_id is None)
        return there and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        # Who was merged goes with whom they became.
        merged = obj is not None and obj.merged_into_id is not None
        return not merged and super().has_delete_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> PersonQuerySet:
        return Person.everyone.with_face_count().order_by("name_key", "pk")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, twice = super().get_search_results(request, queryset, search_term)
        if request.path == reverse("admin:autocomplete"):  # nobody else can be given a face
            found = found.filter(merged_into=None, deleted_at=None)
        return found, twice

    def get_actions(self, request: HttpRequest) -> Any:
        found: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in found:
            function, name, _ = found["delete_selected"]
            found["delete_selected"] = (function, name, "Delete for good, with their faces…")
        return found

    @admin.display(description="picture")
    def picture(self, person: Person) -> SafeString | str:
        return thumbnail(reverse("face-crop", args=[person.cover_id])) if person.cover_id else ""

    @admin.display(description="faces", ordering="face_count")
    def face_count(self, person: Person) -> int:
        return person.face_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="is there")
    def there(self, person: Person) -> SafeString | str:
        if person.merged_into is not None:
            link = reverse("admin:people_person_change", args=[person.merged_into_id])
            return format_html('Merged into <a href="{}">{}</a>', link, person.merged_into)
        if person.deleted_at is not None:
            until = person.deleted_at + settings.FACEWEB_PERSON_GRACE
            return f"Deleted; can be restored until {_in_words(until)}"
        return "Yes"

    @admin.display(description="page")
    def page(self, person: Person) -> SafeString:
        return format_html(
            '<a href="{}">All faces</a> · <a href="{}">History</a>',
            reverse("person", args=[person.pk]), reverse("person-history", args=[person.pk]),
        )  # fmt: skip

    @admin.action(description="Merge into one person…", permissions=["change"])
    def merge(self, request: HttpRequest, queryset: PersonQuerySet) -> HttpResponseBase | None:
        return merging.merge(self, request, queryset)

    @admin.action(description="Hide from search…", permissions=["change"])
    def hide(self, request: HttpRequest, queryset: PersonQuerySet) -> HttpResponseBase | None:
        return self._act(request, queryset, "hide")

    @admin.action(description="Show in search…", permissions=["change"])
    def show(self, request: HttpRequest, queryset: PersonQuerySet) -> HttpResponseBase | None:
        return self._act(request, queryset, "show")

    @admin.action(description="Restore who is deleted…", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: PersonQuerySet) -> HttpResponseBase | None:
        return self._act(request, queryset, "restore")

    @admin.action(description="Delete, can be undone…", permissions=["delete"])
    def delete_later(
        self, request: HttpRequest, queryset: PersonQuerySet
    ) -> HttpResponseBase | None:
        return self._act(request, queryset, "delete_later")

    @admin.action(description="Export names and places as a table (CSV)", permissions=["view"])
    def export(self, request: HttpRequest, queryset: PersonQuerySet) -> HttpResponseBase:
        """Those who are hidden from search too: somebody chose them."""
        people = Person.objects.filter(pk__in=queryset.order_by().values("pk")).order_by()
        lines = export.csv_lines(with_hidden=True, people=people.values_list("pk", flat=True))
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        return download(response, "people.csv")

    def save_model(self, request: HttpRequest, obj: Person, form: Any, change: bool) -> None:
        """Through the services, so that it stands in the history and can be undone there."""
        said: dict[str, Any] = {"user": request.user, "reason": form.cleaned_data.get("reason", "")}
        if not change:
            person, edit = people_edits.add(
                name=obj.name, details=form.details(), searchable=obj.is_searchable, **said
            )
            obj.pk = person.pk
            tasks.enqueue_after_edit(edit)
            return
        person = Person.objects.get(pk=obj.pk)
        revision = form.cleaned_data["shown"]
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        edits: list[tuple[Callable[..., Edit], dict[str, Any]]] = []
        if "name" in changed:
            edits.append((people_edits.rename, {"name": changed["name"]}))
        if "is_searchable" in changed:
            edits.append((people_edits.set_searchable, {"searchable": changed["is_searchable"]}))
        if details := {k: v for k, v in changed.items() if k in people_edits.DETAILS}:
            edits.append((people_edits.set_details, {"details": details}))
        for service, values in edits:
            edit = service(person=person, revision=revision, **values, **said)
            tasks.enqueue_after_edit(edit)
            revision = None  # the page's own edits are not those of others

    def delete_model(self, request: HttpRequest, obj: Person) -> None:
        people_edits.delete_now(person=obj, user=request.user)
        tasks.enqueue_removals()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> None:
        for person in queryset.filter(merged_into=None):
            people_edits.delete_now(person=person, user=request.user)
        tasks.enqueue_removals()

    def _act(
        self, request: HttpRequest, people: PersonQuerySet, action: str
    ) -> HttpResponseBase | None:
        """Ask, then do one edit for each of the people."""
        if acts.too_many(self, request, people.count()):
            return None
        if not acts.is_sure(request):
            return self._ask(request, list(people), action)
        shown, reason = acts.shown_in(request), request.POST.get("reason", "")
        said: dict[str, Any] = {"user": request.user, "reason": reason}

        def edit(person: Person) -> Edit:
            if action == "restore":
                return restoring.restore(person=person, **said)
            values: dict[str, Any] = {"person": person, "revision": shown.get(person.pk), **said}
            if action == "delete_later":
                return people_edits.delete_later(**values)
            return people_edits.set_searchable(searchable=action == "show", **values)

        acts.tell(self, request, acts.each(people, edit))
        return None

    def _ask(self, request: HttpRequest, people: list[Person], action: str) -> HttpResponseBase:
        title, happens, button = _ASKED[action]
        who = people[0].name if len(people) == 1 else f"{len(people):,} people"
        until = _in_words(timezone.now() + settings.FACEWEB_PERSON_GRACE)
        question = Ask(title.format(who), [one.format(until=until) for one in happens], button)
        return acts.ask(
            self, request, action=action, question=question,
            tiles=[tile(person) for person in people],
            shown={person.pk: person.revision for person in people},
        )  # fmt: skip


def tile(person: Person) -> Tile:
    faces: int = person.face_count  # type: ignore[attr-defined]
    return Tile(
        text=person.name,
        link=reverse("admin:people_person_change", args=[person.pk]),
        picture=reverse("face-crop", args=[person.cover_id]) if person.cover_id else "",
        note="1 face" if faces == 1 else f"{faces:,} faces",
    )


def _in_words(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j F Y, H:i")
