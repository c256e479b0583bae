"""The history in the admin panel: to look at and to search, for nobody to change."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from people.admin.common import LargeTableAdmin
from people.models import Edit, Person
from people.names import search_key
from people.services import history, timeline


class KindFilter(admin.SimpleListFilter):
    title = "what was done"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = Edit.objects.order_by("kind").values_list("kind", flat=True).distinct()
        return [(kind, history.label(kind)) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class WhoFilter(admin.SimpleListFilter):
    title = "who did it"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = Edit.objects.exclude(user=None).order_by("user__username").distinct()
        users = people.values_list("user", "user__username")
        return [("none", "faceweb itself"), *((str(pk), name) for pk, name in users)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        who = self.value() or ""
        if who == "none":
            return queryset.filter(user=None)
        return queryset.filter(user=who) if who.isdecimal() else queryset


@admin.register(Edit)
class EditAdmin(LargeTableAdmin):
    """Every entry with what it changed. Nobody may add, change or delete one, whoever they are."""

    list_display = ("created_at", "label", "what", "who", "why", "undone")
    list_display_links = ("created_at", "label")
    list_filter = (KindFilter, WhoFilter, "created_at")
    search_fields = ("summary",)
    search_help_text = "A name, an alias, or words of an entry or its reason"
    ordering = ("-pk",)
    fields = readonly_fields = ("label", "what_with_links", "who", "created_at", "why", "turned",
                                "before_and_after")  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "History", **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The entry, named in words: its own text mentions people by number."""
        edit = self.get_object(request, object_id)
        said = history.words(edit.summary) if edit else None
        context = {"title": "Entry of the history", "subtitle": said, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Edit]:
        edits = history.entries().select_related("user", "undone_by")
        return edits.defer("changes", "undone_by__changes")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_key(search_term):
            return queryset, False
        found = history.search(text=search_term).order_by().values("pk")
        return queryset.filter(pk__in=found), False

    @admin.display(description="kind", ordering="kind")
    def label(self, edit: Edit) -> str:
        return history.label(edit.kind)

    @admin.display(description="what")
    def what(self, edit: Edit) -> str:
        return history.words(edit.summary)

    @admin.display(description="what")
    def what_with_links(self, edit: Edit) -> SafeString:
        mentioned = history.mentioned([edit.summary])
        there = Person.everyone.filter(pk__in=mentioned).values_list("pk", flat=True)
        return format_html_join(
            "", "{}", ((_linked(part),) for part in history.parts(edit.summary, there))
        )

    @admin.display(description="who", ordering="user")
    def who(self, edit: Edit) -> str:
        return edit.user.get_username() if edit.user else "faceweb itself"

    @admin.display(description="reason", ordering="reason")
    def why(self, edit: Edit) -> str:
        return edit.reason or "-"

    @admin.display(description="undone")
    def undone(self, edit: Edit) -> str:
        return "Undone" if _undone_by(edit) is not None else "-"

    @admin.display(description="undo")
    def turned(self, edit: Edit) -> SafeString:
        """Whether it is undone, or can be; that is done on the page of the entry."""
        later, page = _undone_by(edit), reverse("edit", args=[edit.pk])
        if later is not None:
            link = reverse("admin:people_edit_change", args=[later.pk])
            said = format_html('Undone: <a href="{}">{}</a>.', link, history.words(later.summary))
            return format_html('{} <a href="{}">Its page</a>', said, page)
        if problem := history.undo_problem(edit=edit):
            return format_html('{} <a href="{}">Its page</a>', problem, page)
        return format_html('<a href="{}">Can be undone on its page</a>', page)

    @admin.display(description="before and after")
    def before_and_after(self, edit: Edit) -> SafeString:
        rows, more = timeline.rows_of(edit)
        context = {"rows": rows, "more": more}
        return render_to_string("admin/people/edit/rows.html", context)


def _undone_by(edit: Edit) -> Edit | None:
    return getattr(edit, "undone_by", None)


def _linked(part: history.Part) -> SafeString | str:
    if part.person_id is None:
        return part.text
    return format_html('<a href="{}">{}</a>', reverse("person", args=[part.person_id]), part.text)
