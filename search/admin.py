"""The admin panel for searches: who asked what, and when it will be forgotten."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from people.admin import LargeTableAdmin
from people.tasks import enqueue_removals
from search.models import ProbeFace, Search
from search.services import searches


class ProbeFaceInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ProbeFace
    fields = readonly_fields = ("number", "verdict", "margin", "quality", "quality_reasons",
                                "detection_score")  # fmt: skip
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Search)
class SearchAdmin(LargeTableAdmin):
    list_display = ("original_name", "created_by", "status", "error_code", "face_count",
                    "seconds", "created_at", "expires_at")  # fmt: skip
    list_filter = ("status", "error_code")
    list_select_related = ("created_by",)
    search_fields = ("original_name", "created_by__username")
    date_hierarchy = "created_at"
    inlines = (ProbeFaceInline,)
    readonly_fields = ("original_name", "created_by", "status", "problem", "error_detail", "top",
                       "embedder", "width", "height", "seconds", "created_at", "finished_at",
                       "expires_at")  # fmt: skip
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Search]:
        return Search.objects.annotate(face_count=Count("faces"))

    @admin.display(description="faces")
    def face_count(self, search: Search) -> int:
        return search.face_count  # type: ignore[attr-defined, no-any-return]

    def delete_model(self, request: HttpRequest, obj: Search) -> None:
        self.delete_queryset(request, Search.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Search]) -> None:
        searches.delete_searches(
            searches=Search.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        )
        enqueue_removals()
