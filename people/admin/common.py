"""What the lists and pages of the admin panel have in common."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from people.models import Face
from people.names import search_key
from people.problems import Refused

# How many pictures a page shows of what belongs to a person or photo.
FEW = 24


def thumbnail(url: str, *, link: str = "", side: int = 56) -> SafeString:
    picture = format_html('<img src="{}" height="{}" alt="" loading="lazy">', url, side)
    return format_html('<a href="{}">{}</a>', link, picture) if link else picture


def pixels(row: Any) -> str:
    """Where a face is in its photo, in words."""
    return f"{row.width:.0f} × {row.height:.0f} pixels, at {row.x1:.0f}, {row.y1:.0f}"


def state_in_words(job: Any) -> str:
    """How far a photo or a search is, with the code of what went wrong."""
    words = str(job.get_status_display())
    return f"{words}: {job.error_code}" if job.error_code else words


class LargeTableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists that do not count the whole table twice, found without regard to accents."""

    show_full_result_count = False
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, twice = super().get_search_results(request, queryset, search_term)
        if (plain := search_key(search_term)) != search_term:
            also, also_twice = super().get_search_results(request, queryset, plain)
            return found | also, twice or also_twice
        return found, twice

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say what goes without walking every row that goes with it: the services do that."""
        count = len(objs) if isinstance(objs, list) else objs.count()
        return [str(one) for one in objs[:50]], {self.opts.verbose_name_plural: count}, set(), []

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form; if a service refuses, all of it is rolled back and the page says why."""
        return refused_in_words(
            self, request, lambda: super(LargeTableAdmin, self).changeform_view(
                request, object_id, form_url, extra_context
            )
        )  # fmt: skip


def refused_in_words(
    panel: LargeTableAdmin, request: HttpRequest, view: Callable[[], HttpResponse]
) -> HttpResponse:
    """What a view answers, or the same page again with the reason why nothing was done."""
    try:
        return view()
    except Refused as refusal:
        panel.message_user(request, refusal.sentence, messages.ERROR)
        return redirect(request.get_full_path())


class FewRows(BaseInlineFormSet):  # type: ignore[type-arg]
    """The first rows only: a person may have thousands of faces."""

    def get_queryset(self) -> Any:
        if not hasattr(self, "_few"):
            self._few = super().get_queryset()[:FEW]
        return self._few


class FacesInline(admin.TabularInline):  # type: ignore[type-arg]
    """Faces with their pictures, to look at; each leads to its own page."""

    model = Face
    formset = FewRows
    show_change_link = True
    extra = 0
    can_delete = False
    verbose_name_plural = f"faces (the first {FEW})"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Face]:
        return super().get_queryset(request).select_related("person", "photo")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="detection score")
    def score(self, face: Face) -> str:
        return f"{face.detection_score:.3f}"

    @admin.display(description="picture")
    def picture(self, face: Face) -> SafeString:
        link = reverse("admin:people_face_change", args=[face.pk])
        return thumbnail(reverse("face-crop", args=[face.pk]), link=link)

    @admin.display(description="photo")
    def photo_name(self, face: Face) -> SafeString:
        link = reverse("photo", args=[face.photo_id])
        return format_html('<a href="{}">{}</a>', link, face.photo.original_name)
