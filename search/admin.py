"""The admin panel for searches: who asked what, and when it will be forgotten."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from people.admin import LargeTableAdmin, pixels, state_in_words, thumbnail
from people.models import Edit
from people.tasks import enqueue_removals
from search.models import ProbeFace, Search
from search.services import searches


class ProbeFaceInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ProbeFace
    fields = readonly_fields = ("picture", "number", "verdict", "margin", "quality",
                                "quality_reasons", "box")  # fmt: skip
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="picture")
    def picture(self, face: ProbeFace) -> SafeString:
        return thumbnail(reverse("search-crop", args=[face.search_id, face.number]))

    @admin.display(description="box")
    def box(self, face: ProbeFace) -> str:
        return pixels(face)


@admin.register(Search)
class SearchAdmin(LargeTableAdmin):
    list_display = ("picture", "original_name", "created_by", "state", "face_count", "took",
                    "created_at", "expires_at")  # fmt: skip
    list_display_links = ("picture", "original_name")
    list_filter = ("status", "error_code", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("original_name", "created_by__username")
    inlines = (ProbeFaceInline,)
    fields = ("picture", "original_name", "created_by", "status", "reason", "error_detail", "top",
              "embedder", "gallery_size", "width", "height", "took", "created_at", "finished_at",
              "expires_at")  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a search is looked at or deleted

    def get_queryset(self, request: HttpRequest) -> QuerySet[Search]:
        return Search.objects.annotate(face_count=Count("faces"))

    @admin.display(description="first face")
    def picture(self, search: Search) -> SafeString | str:
        if not self.face_count(search):
            return ""
        return thumbnail(reverse("search-crop", args=[search.pk, 1]))

    @admin.display(description="faces")
    def face_count(self, search: Search) -> int:
        return search.face_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="status", ordering="status")
    def state(self, search: Search) -> str:
        return state_in_words(search)

    @admin.display(description="problem")
    def reason(self, search: Search) -> str:
        return search.problem or "-"

    @admin.display(description="answered in")
    def took(self, search: Search) -> str:
        return f"{search.seconds:.2f} s" if search.seconds is not None else "-"

    def delete_model(self, request: HttpRequest, obj: Search) -> None:
        self.delete_queryset(request, Search.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Search]) -> None:
        searches.delete_searches(
            searches=Search.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        )
        enqueue_removals()


admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]
    """Accounts. With one go its searches, and with those their photos and crops.

    Whoever stands in the history stays: an entry says who did it, for ever.
    """

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        gone, counts, lacking, protected = super().get_deleted_objects(objs, request)
        users = [one.pk for one in objs]
        entries = Edit.objects.filter(user__in=users).values_list("user__username").order_by()
        for name, count in entries.annotate(n=Count("pk")):
            protected.append(
                f"{count:,} entries of the history by {name}. Take “Active” away from the account "
                "instead: then nobody can sign in with it."
            )
        return gone, counts, lacking, protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        searches.delete_searches(searches=Search.objects.filter(created_by__in=queryset))
        queryset.delete()
        enqueue_removals()
