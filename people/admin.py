"""The admin panel for photos, faces and people.

Lists are made for 100,000 rows: no select box holds every person, counts come from subqueries
for the rows shown, and deleting goes through the services so that nothing is left behind.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from people import tasks
from people.jobs import Status
from people.models import Face, Import, Person, Photo
from people.names import search_key
from people.problems import Refused
from people.services import assigning, deletion, people_edits, photos

admin.site.site_header = admin.site.site_title = "faceweb"
admin.site.index_title = "Everything that is stored"
admin.site.enable_nav_sidebar = False


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


class FaceInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Face
    fields = readonly_fields = ("picture", "number", "person", "state", "score")
    show_change_link = True
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="detection score")
    def score(self, face: Face) -> str:
        return f"{face.detection_score:.3f}"

    @admin.display(description="picture")
    def picture(self, face: Face) -> SafeString:
        return thumbnail(reverse("face-crop", args=[face.pk]))


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


@admin.register(Person)
class PersonAdmin(LargeTableAdmin):
    list_display = ("picture", "name", "face_count", "is_searchable", "retain_until", "created_at")
    list_display_links = ("picture", "name")
    list_filter = ("is_searchable", HasFacesFilter, "retain_until")
    search_fields = ("search_key",)
    readonly_fields = ("picture", "face_count", "created_at", "page")
    fields = ("picture", "name", "is_searchable", "notes", "lawful_basis", "consent_on",
              "retain_until", "face_count", "created_at", "page")  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("people.add_person"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        return Person.objects.with_face_count()

    @admin.display(description="picture")
    def picture(self, person: Person) -> SafeString | str:
        return thumbnail(reverse("face-crop", args=[person.cover_id])) if person.cover_id else ""

    @admin.display(description="faces", ordering="face_count")
    def face_count(self, person: Person) -> int:
        return person.face_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="page")
    def page(self, person: Person) -> SafeString:
        return format_html('<a href="{}">All faces</a>', reverse("person", args=[person.pk]))

    def delete_model(self, request: HttpRequest, obj: Person) -> None:
        people_edits.delete_now(person=obj, user=request.user)
        tasks.enqueue_removals()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> None:
        for person in queryset:
            people_edits.delete_now(person=person, user=request.user)
        tasks.enqueue_removals()


@admin.register(Photo)
class PhotoAdmin(LargeTableAdmin):
    list_display = ("picture", "original_name", "state", "naming", "face_count", "source",
                    "created_at")  # fmt: skip
    list_display_links = ("picture", "original_name")
    list_filter = ("status", "naming", "error_code", "media_type", "created_at")
    search_fields = ("search_key", "source", "sha256")
    actions = ("retry",)
    inlines = (FaceInline,)
    readonly_fields = ("picture", "original_name", "status", "reason", "error_detail", "naming",
                       "name_hint", "batch", "media_type", "size", "width", "height", "sha256",
                       "crashes", "took", "created_at", "finished_at", "page")  # fmt: skip
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
        return format_html('<a href="{}">With its faces</a>', reverse("photo", args=[photo.pk]))

    @admin.action(description="Look at failed photos again", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        ids = list(queryset.filter(status=Status.FAILED).values_list("pk", flat=True))
        count = photos.retry(photo_ids=ids)
        tasks.enqueue_photos(ids)
        if not count:
            self.message_user(request, "None of these photos had failed.", messages.WARNING)
            return
        words = "1 photo is" if count == 1 else f"{count} photos are"
        self.message_user(request, f"{words} looked at again.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Photo) -> None:
        self.delete_queryset(request, Photo.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        deletion.delete_photos(
            photos=Photo.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        )
        tasks.enqueue_removals()


@admin.register(Face)
class FaceAdmin(LargeTableAdmin):
    list_display = ("picture", "photo_name", "number", "person", "assigned_by", "state", "score")
    list_filter = ("state", "assigned_by", ("person", admin.EmptyFieldListFilter))
    list_select_related = ("photo", "person")
    search_fields = ("person__search_key", "photo__search_key")
    ordering = ("-pk",)  # by photo and number, the database would have to sort every face
    autocomplete_fields = ("person",)
    readonly_fields = ("picture", "photo_name", "number", "assigned_by", "score", "box",
                       "created_at")  # fmt: skip
    fields = ("picture", "photo_name", "person", "state", "assigned_by", "number", "score", "box",
              "created_at")  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a face goes with its photo or its person

    @admin.display(description="picture")
    def picture(self, face: Face) -> SafeString:
        return thumbnail(reverse("face-crop", args=[face.pk]))

    @admin.display(description="photo")
    def photo_name(self, face: Face) -> SafeString:
        link = reverse("photo", args=[face.photo_id])
        return format_html('<a href="{}">{}</a>', link, face.photo.original_name)

    @admin.display(description="detection score", ordering="detection_score")
    def score(self, face: Face) -> str:
        return f"{face.detection_score:.3f}"

    @admin.display(description="box")
    def box(self, face: Face) -> str:
        return pixels(face)

    def save_model(self, request: HttpRequest, obj: Face, form: Any, change: bool) -> None:
        """Through the services, so that it stands in the history and can be undone there."""
        before = form.initial.get("person")
        try:
            if "state" in form.changed_data:
                hidden = obj.state == Face.State.NOT_A_FACE
                state = assigning.mark_not_a_face if hidden else assigning.restore
                tasks.enqueue_after_edit(state(face_ids=[obj.pk], user=request.user))
            if "person" in form.changed_data and obj.state == Face.State.ACTIVE:
                expected = {obj.pk: before}
                edit = (
                    assigning.assign(
                        face_ids=[obj.pk], person=obj.person, user=request.user, expected=expected
                    )
                    if obj.person
                    else assigning.unassign(face_ids=[obj.pk], user=request.user, expected=expected)
                )
                tasks.enqueue_after_edit(edit)
        except Refused as refusal:
            self.message_user(request, refusal.sentence, messages.ERROR)


@admin.register(Import)
class ImportAdmin(LargeTableAdmin):
    list_display = ("__str__", "kind", "names", "known", "created_by", "created_at")
    list_filter = ("kind", "names")
    list_select_related = ("created_by",)
    search_fields = ("source",)
    readonly_fields = ("kind", "names", "known", "refused", "created_by", "created_at",
                       "settled_at")  # fmt: skip
