"""Photos and imports in the admin panel."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from people import tasks
from people.admin import acts
from people.admin.common import FacesInline, LargeTableAdmin, state_in_words, thumbnail
from people.downloads import download
from people.jobs import Status
from people.models import Import, Photo
from people.problems import sentence
from people.services import coverage, deletion, export, photos, rescans

# How many refused files of an import a page names.
_NAMED = 100
_TOLD = 5


class SearchesFilter(admin.SimpleListFilter):
    """Where pages lead that tell of faces which searches do not find."""

    title = "searches"
    parameter_name = "searches"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Do not find its faces")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "no":
            return queryset
        return queryset.filter(pk__in=coverage.photos_set_aside().values("pk"))


class PhotoFacesInline(FacesInline):
    fields = readonly_fields = ("picture", "number", "person", "state", "score")


@admin.register(Photo)
class PhotoAdmin(LargeTableAdmin):
    list_display = ("picture", "original_name", "state", "naming", "face_count", "source",
                    "created_at")  # fmt: skip
    list_display_links = ("picture", "original_name")
    list_filter = ("status", SearchesFilter, "naming", "error_code", "media_type", "created_at")
    search_fields = ("search_key", "source", "sha256")
    actions = ("retry", "look_again", "export_table", "export_sidecars")
    inlines = (PhotoFacesInline,)
    readonly_fields = ("picture", "original_name", "status", "reason", "error_detail", "naming",
                       "name_hint", "batch", "media_type", "size", "width", "height", "sha256",
                       "crashes", "took", "taken_at", "created_at", "finished_at",
                       "page")  # fmt: skip
    fields = (*readonly_fields, "source")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Photo]:
        return Photo.objects.with_face_count().select_related("batch")

    @admin.display(description="picture")
    def picture(self, photo: Photo) -> SafeString | str:
        if photo.status != Status.DONE:
            return ""
        return thumbnail(reverse("photo-image", args=[photo.pk, "thumb"]))

    @admin.display(description="faces")
    def face_count(self, photo: Photo) -> int:
        return photo.face_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="status", ordering="status")
    def state(self, photo: Photo) -> str:
        return state_in_words(photo)

    @admin.display(description="problem")
    def reason(self, photo: Photo) -> str:
        return photo.problem or "-"

    @admin.display(description="looked at for")
    def took(self, photo: Photo) -> str:
        return f"{photo.seconds:.2f} s" if photo.seconds is not None else "-"

    @admin.display(description="page")
    def page(self, photo: Photo) -> SafeString:
        return format_html(
            '<a href="{}">With its faces</a> · <a href="{}">History</a>',
            reverse("photo", args=[photo.pk]), reverse("photo-history", args=[photo.pk]),
        )  # fmt: skip

    @admin.action(description="Look at failed photos again", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        failed = queryset.filter(status=Status.FAILED).order_by()
        retry(self, request, failed, "None of these photos had failed.")

    @admin.action(description="Look again (names and boxes stay)", permissions=["change"])
    def look_again(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True))
        queued = rescans.again(photo_ids=ids)
        tasks.enqueue_again(queued)
        if queued:
            said = f"{_photos_are(len(queued))} looked at again. Names and drawn boxes stay."
            self.message_user(request, said, messages.SUCCESS)
        if busy := len(ids) - len(queued):
            said = "1 photo" if busy == 1 else f"{busy:,} photos"
            self.message_user(request, f"{said}: {sentence('photo_busy')}", messages.WARNING)

    @admin.action(description="Export names and places as a table (CSV)", permissions=["view"])
    def export_table(self, request: HttpRequest, queryset: QuerySet[Photo]) -> HttpResponseBase:
        lines = export.csv_lines(photos=queryset.order_by().values_list("pk", flat=True))
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        return download(response, "names.csv")

    @admin.action(description="Export names and places as XMP files (ZIP)", permissions=["view"])
    def export_sidecars(
        self, request: HttpRequest, queryset: QuerySet[Photo]
    ) -> HttpResponseBase | None:
        if acts.too_many(self, request, queryset.count()):
            return None
        ids = list(queryset.order_by("pk").values_list("pk", flat=True))
        found = export.bundle(photo_ids=ids)
        for name, reason in found.refused[:_TOLD]:
            self.message_user(request, f"Left out: {name}. {reason}", messages.WARNING)
        if (rest := len(found.refused) - _TOLD) > 0:
            self.message_user(request, f"Left out: {rest:,} more photos.", messages.WARNING)
        if not found.written:
            found.file.close()
            if not found.refused:
                said = "None of these photos has a named face that may be exported."
                self.message_user(request, said, messages.WARNING)
            return None
        response = FileResponse(found.file, content_type="application/zip")
        return download(response, "names.zip")

    def delete_model(self, request: HttpRequest, obj: Photo) -> None:
        self.delete_queryset(request, Photo.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        deletion.delete_photos(
            photos=Photo.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        )
        tasks.enqueue_removals()


@admin.register(Import)
class ImportAdmin(LargeTableAdmin):
    list_display = ("__str__", "kind", "names", "photo_count", "failed_count", "known",
                    "refused_count", "created_by", "created_at")  # fmt: skip
    list_filter = ("kind", "names", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("source",)
    actions = ("retry",)
    readonly_fields = ("kind", "names", "photo_count", "failed_count", "known", "refused_files",
                       "created_by", "created_at", "settled_at", "page")  # fmt: skip
    fields = ("source", *readonly_fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        own = Photo.objects.filter(batch=OuterRef("pk")).order_by().values("batch")
        failed = own.annotate(n=Count("pk", filter=Q(status=Status.FAILED))).values("n")
        return Import.objects.annotate(
            photo_count=Coalesce(Subquery(own.annotate(n=Count("pk")).values("n")), 0),
            failed_count=Coalesce(Subquery(failed), 0),
        )

    @admin.display(description="photos")
    def photo_count(self, batch: Import) -> int:
        return batch.photo_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="failed")
    def failed_count(self, batch: Import) -> int:
        return batch.failed_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="not taken")
    def refused_count(self, batch: Import) -> int:
        return len(batch.refused)

    @admin.display(description="not taken")
    def refused_files(self, batch: Import) -> SafeString | str:
        if not batch.refused:
            return "-"
        named = [f"{one['name']}: {sentence(one['code'])}" for one in batch.refused[:_NAMED]]
        if (rest := len(batch.refused) - _NAMED) > 0:
            named.append(f"And {rest:,} more.")
        return format_html_join("", "{}<br>", ((line,) for line in named))

    @admin.display(description="page")
    def page(self, batch: Import) -> SafeString:
        link = reverse("import", args=[batch.pk])
        return format_html('<a href="{}">With its photos</a>', link)

    @admin.action(description="Look at their failed photos again", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Import]) -> None:
        failed = Photo.objects.filter(batch__in=queryset.order_by().values("pk"))
        failed = failed.filter(status=Status.FAILED).order_by()
        retry(self, request, failed, "No photo of these imports had failed.")


def retry(panel: LargeTableAdmin, request: HttpRequest, failed: QuerySet[Photo], none: str) -> None:
    """Queue failed photos again, and say how many."""
    ids = list(failed.values_list("pk", flat=True))
    count = photos.retry(photo_ids=ids)
    tasks.enqueue_photos(ids)
    if count:
        said = f"{_photos_are(count)} looked at again."
        panel.message_user(request, said, messages.SUCCESS)
    else:
        panel.message_user(request, none, messages.WARNING)


def _photos_are(count: int) -> str:
    return "1 photo is" if count == 1 else f"{count:,} photos are"
