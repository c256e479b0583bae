"""Small forms, one for each action."""

from typing import Any, Self

from django import forms

from people.models import Person
from people.problems import sentence
from people.services import scoring
from people.words import one_in


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


class RatesForm(forms.Form):
    """How many strangers may be called a match, and how many a possible one."""

    match_fmr = forms.TypedChoiceField(coerce=float, label="A match is reached by")
    possible_fmr = forms.TypedChoiceField(coerce=float, label="A possible match is reached by")

    _CHOICES = {
        "match_fmr": (1e-3, 1e-4, 1e-5, 1e-6),
        "possible_fmr": (1e-1, 1e-2, 1e-3, 1e-4),
    }

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # What is in force can be kept, and what the settings say can be chosen again.
        known = (scoring.active_rates(), scoring.default_rates())
        for name, rates in self._CHOICES.items():
            offered = {*rates, *(getattr(one, name) for one in known)}
            self.fields[name].choices = [  # type: ignore[attr-defined]
                (f"{rate:g}", f"{one_in(rate)} strangers") for rate in sorted(offered, reverse=True)
            ]

    @classmethod
    def of(cls, rates: scoring.ActiveRates) -> Self:
        return cls(
            initial={"match_fmr": f"{rates.match_fmr:g}", "possible_fmr": f"{rates.possible_fmr:g}"}
        )

    def clean(self) -> dict[str, Any]:
        chosen = super().clean() or {}
        if {"match_fmr", "possible_fmr"} <= set(chosen) and (
            chosen["possible_fmr"] < chosen["match_fmr"]
        ):
            self.add_error("possible_fmr", sentence("rates_order"))
        return chosen

    def rates(self) -> dict[str, float]:
        return {name: self.cleaned_data[name] for name in self._CHOICES}
