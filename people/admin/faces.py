"""Faces in the admin panel."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from people import tasks
from people.admin import acts
from people.admin.acts import Ask, Done, Tile
from people.admin.common import LargeTableAdmin, pixels, thumbnail
from people.models import Edit, Face, Person
from people.problems import Refused
from people.services import assigning


class FaceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who a face is; `shown` is who it was when the page was shown."""

    shown = forms.IntegerField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False, max_length=400, label="Why",
        help_text="If you want to say so; it stands in the history.",
    )  # fmt: skip

    class Meta:
        model = Face
        fields = ("person", "state")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if "shown" in self.fields:
            self.initial["shown"] = self.instance.person_id


_ASKED: dict[str, tuple[str, str, str]] = {
    "unassign": (
        "Take the name from {}?",
        "They stay, unnamed, and may be suggested to be the same person again.",
        "Take the names away",
    ),
    "reject": (
        "Mark {} as wrongly named?",
        "The names are taken away, and faceweb remembers for ever that these faces are not these "
        "people.",
        "Wrongly named",
    ),
    "not_a_face": (
        "Mark {} as not a face?",
        "They disappear from everywhere and belong to nobody, but can be restored.",
        "Not a face",
    ),
    "restore": (
        "Restore {}?",
        "What was marked as not a face is a face again, without a name.",
        "Restore",
    ),
}


@admin.register(Face)
class FaceAdmin(LargeTableAdmin):
    form = FaceForm
    list_display = ("picture", "photo_name", "number", "person", "assigned_by", "state", "score")
    list_filter = ("state", "assigned_by", "origin", ("person", admin.EmptyFieldListFilter))
    list_select_related = ("photo", "person")
    search_fields = ("person__search_key", "photo__search_key")
    ordering = ("-pk",)  # by photo and number, the database would have to sort every face
    actions = ("unassign", "reject", "not_a_face", "restore")
    autocomplete_fields = ("person",)
    readonly_fields = ("picture", "photo_name", "number", "assigned_by", "origin", "score", "box",
                       "created_at", "page")  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Face | None = None) -> Any:
        asked = ("reason", "shown") if self.has_change_permission(request, obj) else ()
        return ("picture", "photo_name", "person", "state", "assigned_by", "origin", "number",
                "score", "box", "created_at", "page", *asked)  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **named: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **named)
        if "person" in form.base_fields:
            # A face is no place to delete a person for good.
            form.base_fields["person"].widget.can_delete_related = False
        return form

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

    @admin.display(description="page")
    def page(self, face: Face) -> SafeString:
        return format_html(
            '<a href="{}">History</a>', reverse("face-history", args=[face.pk])
        )  # fmt: skip

    @admin.action(description="Take the names away…", permissions=["change"])
    def unassign(self, request: HttpRequest, queryset: QuerySet[Face]) -> HttpResponseBase | None:
        return self._act(request, queryset, "unassign")

    @admin.action(description="Not the people they are called…", permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Face]) -> HttpResponseBase | None:
        return self._act(request, queryset, "reject")

    @admin.action(description="Mark as not a face…", permissions=["change"])
    def not_a_face(self, request: HttpRequest, queryset: QuerySet[Face]) -> HttpResponseBase | None:
        return self._act(request, queryset, "not_a_face")

    @admin.action(description="Restore what is marked as not a face…", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Face]) -> HttpResponseBase | None:
        return self._act(request, queryset, "restore")

    def save_model(self, request: HttpRequest, obj: Face, form: Any, change: bool) -> None:
        """Through the services, so that it stands in the history and can be undone there."""
        said = {"user": request.user, "reason": form.cleaned_data["reason"]}
        expected = {obj.pk: form.cleaned_data["shown"]}
        if "state" in form.changed_data:
            if obj.state == Face.State.NOT_A_FACE:
                edit = assigning.mark_not_a_face(face_ids=[obj.pk], expected=expected, **said)
            else:
                edit = assigning.restore(face_ids=[obj.pk], **said)
            tasks.enqueue_after_edit(edit)
        if "person" in form.changed_data and obj.state == Face.State.ACTIVE:
            values = {"face_ids": [obj.pk], "expected": expected, **said}
            edit = (
                assigning.assign(person=obj.person, **values)
                if obj.person
                else assigning.unassign(**values)
            )
            tasks.enqueue_after_edit(edit)

    def _act(
        self, request: HttpRequest, queryset: QuerySet[Face], action: str
    ) -> HttpResponseBase | None:
        """Ask, then do one edit for all of the faces."""
        if acts.too_many(self, request, queryset.count()):
            return None
        if not acts.is_sure(request):
            return self._ask(request, list(queryset.select_related("photo", "person")), action)
        expected = acts.shown_in(request)
        said = {"user": request.user, "reason": request.POST.get("reason", "")}
        if action == "reject":
            done = _reject(expected, said)
        else:
            done = acts.each(["these faces"], lambda _: _edit(action, expected, said))
        acts.tell(self, request, done)
        return None

    def _ask(self, request: HttpRequest, faces: list[Face], action: str) -> HttpResponseBase:
        title, text, button = _ASKED[action]
        happens = [text]
        who = "1 face" if len(faces) == 1 else f"{len(faces):,} faces"
        unnamed = sum(face.person_id is None for face in faces)
        if action == "reject" and unnamed:
            what = "has no name and stays" if unnamed == 1 else "have no name and stay"
            happens.append(f"{unnamed:,} of them {what} without one.")
        return acts.ask(
            self, request, action=action, question=Ask(title.format(who), happens, button),
            tiles=[_tile(face) for face in faces],
            shown={face.pk: face.person_id for face in faces},
        )  # fmt: skip


def _edit(action: str, expected: dict[int, int | None], said: dict[str, Any]) -> Edit:
    match action:
        case "unassign":
            return assigning.unassign(face_ids=expected, expected=expected, **said)
        case "not_a_face":
            return assigning.mark_not_a_face(face_ids=expected, expected=expected, **said)
        case _:
            return assigning.restore(face_ids=expected, **said)


def _reject(expected: dict[int, int | None], said: dict[str, Any]) -> Done:
    """One edit for each of the people whom the page showed; who went since is refused by name."""
    owners = sorted({owner for owner in expected.values() if owner is not None})
    known = Person.everyone.in_bulk(owners)

    def edit(row: Person | str) -> Edit:
        if not owners:
            raise Refused("nothing_to_do")
        if isinstance(row, str) or row.deleted_at or row.merged_into_id:
            raise Refused("changed_meanwhile")
        theirs = {face: owner for face, owner in expected.items() if owner == row.pk}
        return assigning.reject(face_ids=theirs, person=row, expected=theirs, **said)

    rows = [known.get(owner, "somebody who is deleted") for owner in owners]
    return acts.each(rows or ["these faces"], edit)


def _tile(face: Face) -> Tile:
    return Tile(
        text=face.person.name if face.person else "No name",
        link=reverse("admin:people_face_change", args=[face.pk]),
        picture=reverse("face-crop", args=[face.pk]),
        note=face.photo.original_name,
    )
