"""The admin panel for photos, faces and people.

Lists are made for 100,000 rows: no select box holds every person, counts come from subqueries
for the rows shown, and deleting goes through the services so that nothing is left behind.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from people import tasks
from people.jobs import Status
from people.models import Face, Import, Person, Photo
from people.services import deletion, photos

admin.site.site_header = admin.site.site_title = "faceweb"
admin.site.index_title = "Everything that is stored"


def thumbnail(url: str, *, link: str = "", side: int = 56) -> SafeString:
    picture = format_html('<img src="{}" height="{}" alt="" loading="lazy">', url, side)
    return format_html('<a href="{}">{}</a>', link, picture) if link else picture


class LargeTableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists that do not count the whole table twice."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say what goes without walking every row that goes with it: the services do that."""
        count = len(objs) if isinstance(objs, list) else objs.count()
        return [str(one) for one in objs[:50]], {self.opts.verbose_name_plural: count}, set(), []


class FaceInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Face
    fields = ("picture", "number", "person", "state", "detection_score")
    readonly_fields = ("picture", "number", "detection_score")
    autocomplete_fields = ("person",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="")
    def picture(self, face: Face) -> SafeString:
        return thumbnail(reverse("face-crop", args=[face.pk]))


class NameSourceFilter(admin.SimpleListFilter):
    title = "faces"
    parameter_name = "has_faces"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "With faces"), ("no", "Without faces")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.filter(faces__isnull=False).distinct()
        if self.value() == "no":
            return queryset.filter(faces__isnull=True)
        return queryset


@admin.register(Person)
class PersonAdmin(LargeTableAdmin):
    list_display = ("picture", "name", "face_count", "is_searchable", "retain_until", "created_at")
    list_display_links = ("picture", "name")
    list_filter = ("is_searchable", NameSourceFilter, "retain_until")
    search_fields = ("name", "name_key")
    readonly_fields = ("picture", "face_count", "created_at", "page")
    fields = ("picture", "name", "is_searchable", "notes", "lawful_basis", "consent_on",
              "retain_until", "face_count", "created_at", "page")  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("people.add_person"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        return Person.objects.with_face_count()

    @admin.display(description="")
    def picture(self, person: Person) -> SafeString | str:
        return thumbnail(reverse("face-crop", args=[person.cover_id])) if person.cover_id else ""

    @admin.display(description="faces", ordering="face_count")
    def face_count(self, person: Person) -> int:
        return person.face_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="page")
    def page(self, person: Person) -> SafeString:
        return format_html('<a href="{}">All faces</a>', reverse("person", args=[person.pk]))

    def delete_model(self, request: HttpRequest, obj: Person) -> None:
        deletion.delete_person(person=obj, with_photos=False)
        tasks.enqueue_removals()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> None:
        for person in queryset:
            deletion.delete_person(person=person, with_photos=False)
        tasks.enqueue_removals()


@admin.register(Photo)
class PhotoAdmin(LargeTableAdmin):
    list_display = ("picture", "original_name", "status", "error_code", "naming", "face_count",
                    "source", "created_at")  # fmt: skip
    list_display_links = ("picture", "original_name")
    list_filter = ("status", "naming", "error_code", "media_type")
    search_fields = ("original_name", "source", "sha256")
    date_hierarchy = "created_at"
    actions = ("retry",)
    inlines = (FaceInline,)
    readonly_fields = ("picture", "original_name", "status", "problem", "error_detail", "naming",
                       "name_hint", "batch", "media_type", "size", "width", "height", "sha256",
                       "crashes", "seconds", "created_at", "finished_at", "page")  # fmt: skip
    fields = (*readonly_fields, "source")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Photo]:
        return Photo.objects.with_face_count().select_related("batch")

    @admin.display(description="")
    def picture(self, photo: Photo) -> SafeString | str:
        if photo.status != Status.DONE:
            return ""
        return thumbnail(reverse("photo-image", args=[photo.pk, "thumb"]))

    @admin.display(description="faces")
    def face_count(self, photo: Photo) -> int:
        return photo.face_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="page")
    def page(self, photo: Photo) -> SafeString:
        return format_html('<a href="{}">With its faces</a>', reverse("photo", args=[photo.pk]))

    @admin.action(description="Look at failed photos again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        ids = list(queryset.filter(status=Status.FAILED).values_list("pk", flat=True))
        count = photos.retry(photo_ids=ids)
        tasks.enqueue_photos(ids)
        self.message_user(request, f"{count} photos are looked at again.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Photo) -> None:
        self.delete_queryset(request, Photo.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        deletion.delete_photos(
            photos=Photo.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        )
        tasks.enqueue_removals()


@admin.register(Face)
class FaceAdmin(LargeTableAdmin):
    list_display = ("picture", "photo_name", "number", "person", "assigned_by", "state",
                    "detection_score")  # fmt: skip
    list_filter = ("state", "assigned_by", ("person", admin.EmptyFieldListFilter))
    list_select_related = ("photo", "person")
    search_fields = ("person__name", "person__name_key", "photo__original_name")
    autocomplete_fields = ("person",)
    readonly_fields = ("picture", "photo_name", "number", "assigned_by", "detection_score",
                       "x1", "y1", "x2", "y2", "landmarks", "created_at")  # fmt: skip
    fields = ("picture", "photo_name", "person", "state", "assigned_by", "number",
              "detection_score", ("x1", "y1", "x2", "y2"), "landmarks", "created_at")  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a face goes with its photo or its person

    @admin.display(description="")
    def picture(self, face: Face) -> SafeString:
        return thumbnail(reverse("face-crop", args=[face.pk]))

    @admin.display(description="photo")
    def photo_name(self, face: Face) -> SafeString:
        link = reverse("photo", args=[face.photo_id])
        return format_html('<a href="{}">{}</a>', link, face.photo.original_name)

    def save_model(self, request: HttpRequest, obj: Face, form: Any, change: bool) -> None:
        if "person" in form.changed_data:
            obj.assigned_by = Face.AssignedBy.HAND if obj.person_id else ""
            obj.is_anchor = False
        super().save_model(request, obj, form, change)


@admin.register(Import)
class ImportAdmin(LargeTableAdmin):
    list_display = ("__str__", "kind", "names", "known", "created_by", "created_at")
    list_filter = ("kind", "names")
    list_select_related = ("created_by",)
    search_fields = ("source",)
    readonly_fields = ("kind", "names", "known", "refused", "created_by", "created_at",
                       "settled_at")  # fmt: skip
