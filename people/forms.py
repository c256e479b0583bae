"""Small forms, one for each action."""

from typing import Any

from django import forms

from people.models import Person
from people.services.finding import PhotoFilter


class MultipleFileInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class MultipleFileField(forms.FileField):
    """Any number of files; each is judged on its own when it is stored."""

    widget = MultipleFileInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data]
        return [file for file in files if file]


class UploadForm(forms.Form):
    files = MultipleFileField(label="Photos", required=False)  # type: ignore[assignment]
    batch = forms.IntegerField(required=False, widget=forms.HiddenInput)
    names_from_files = forms.BooleanField(
        required=False,
        label="The file names are people’s names",
        help_text="“João_Baião_1.jpg” names the face in it João Baião.",
    )


class NameForm(forms.Form):
    """The name of a face or a person."""

    name = forms.CharField(
        max_length=200, error_messages={"required": "Write a name, or choose one from the list."}
    )

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name:
            raise forms.ValidationError("Write a name, or choose one from the list.")
        return name


class PersonDeleteForm(forms.Form):
    with_photos = forms.BooleanField(
        required=False, label="Also delete the photos in which nobody else appears"
    )


class PersonFilterForm(forms.Form):
    q = forms.CharField(required=False, max_length=200)

    def people(self) -> Any:
        people = Person.objects.all()
        if self.is_valid() and self.cleaned_data["q"]:
            people = people.matching(self.cleaned_data["q"])
        return people


class PhotoFilterForm(forms.Form):
    """What is asked of photos; every field may be empty, and nonsense asks nothing."""

    q = forms.CharField(label="Name", required=False, max_length=200)
    who = forms.CharField(label="Who is in it", required=False, max_length=200)
    person = forms.ModelMultipleChoiceField(Person.objects.all(), required=False)
    source = forms.CharField(required=False, max_length=200)
    taken_from = forms.DateField(label="Taken from", required=False)
    taken_to = forms.DateField(label="Taken until", required=False)
    quality = forms.ChoiceField(
        label="Faces",
        choices=[("", "Any"), ("good", "With a clear face"), ("poor", "With a poor face")],
        required=False,
    )
    sort = forms.ChoiceField(
        label="Newest first by",
        choices=[("added", "When they were added"), ("taken", "When they were taken")],
        required=False,
    )

    def asked(self) -> PhotoFilter:
        self.is_valid()
        given = self.cleaned_data
        return PhotoFilter(
            text=given.get("q", ""),
            people=[person.pk for person in given.get("person", [])],
            source=given.get("source", ""),
            taken_from=given.get("taken_from"),
            taken_to=given.get("taken_to"),
            quality=given.get("quality", ""),
            newest_first_by=given.get("sort") or "added",
        )
