"""Small forms, one for each action."""

from typing import Any, Self

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from people.models import Edit, Person
from people.problems import sentence
from people.services import history, people_edits, scoring
from people.services.finding import PhotoFilter
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
    regions = forms.BooleanField(
        required=False,
        label="Take the names that are written in the files",
        help_text="digiKam, Lightroom, Picasa and others can write into a photo who is where.",
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


class BoxForm(forms.Form):
    """A box in a photo, in its pixels, and the one that the page showed when it is corrected."""

    x1 = forms.FloatField(label="Left")
    y1 = forms.FloatField(label="Top")
    x2 = forms.FloatField(label="Right")
    y2 = forms.FloatField(label="Bottom")
    shown = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    @property
    def box(self) -> list[float]:
        return [self.cleaned_data[side] for side in ("x1", "y1", "x2", "y2")]

    def clean_shown(self) -> list[float]:
        try:
            return [float(value) for value in self.cleaned_data["shown"].split()]
        except ValueError:
            raise forms.ValidationError("Reload the page, and try again.") from None


class PersonDeleteForm(forms.Form):
    when = forms.ChoiceField(choices=[("later", "Later"), ("now", "Now")])
    with_photos = forms.BooleanField(
        required=False, label="Also delete the photos in which nobody else appears"
    )
    reason = forms.CharField(required=False, max_length=400)


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


class AutomaticForm(forms.Form):
    """Whether suggestions are accepted without asking, and at which rate."""

    rate = forms.TypedChoiceField(
        coerce=float, empty_value=None, required=False, label="Accept suggestions without asking"
    )

    _CHOICES = (1e-2, 1e-3, 1e-4)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        offered = {*self._CHOICES, scoring.active_rates().automatic_fmr} - {None}
        self.fields["rate"].choices = [  # type: ignore[attr-defined]
            ("", "Never: nothing is named without asking"),
            *(
                (f"{rate:g}", f"If at most {one_in(rate)} strangers would get the name")
                for rate in sorted(filter(None, offered), reverse=True)
            ),
        ]

    @classmethod
    def of(cls, rate: float | None) -> Self:
        return cls(initial={"rate": "" if rate is None else f"{rate:g}"})


class PersonRenameForm(NameForm):
    """A new name, for the person as the page showed them."""

    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    # Whether someone of that name may be there already.
    sure = forms.BooleanField(required=False)


class PersonDetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is noted about a person, besides the name."""

    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False,
        max_length=400,
        label="Why",
        help_text="If you want to say so; it stands in the history.",
    )

    class Meta:
        model = Person
        fields = people_edits.DETAILS
        labels = {
            "aliases": "Other names",
            "consent_on": "Consent given on",
            "retain_until": "Keep until",
        }
        help_texts = {
            "aliases": "One on each line. They are found like the name itself.",
            "birth_year": "Faces in photos taken before are marked.",
            "retain_until": "When this person’s faces shall be deleted.",
        }
        widgets = {
            "aliases": forms.Textarea(attrs={"rows": 3}),
            "notes": forms.Textarea(attrs={"rows": 4}),
            "consent_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "retain_until": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }

    def clean_birth_year(self) -> int | None:
        year: int | None = self.cleaned_data["birth_year"]
        if year is not None and not 1700 <= year <= timezone.now().year:
            raise forms.ValidationError("Write a year such as 1950.")
        return year

    def details(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in people_edits.DETAILS}


class IdsField(forms.Field):
    """Ids from checkboxes; whether there are such rows is for the services to say."""

    widget = forms.SelectMultiple

    def to_python(self, value: Any) -> list[int]:
        return [int(one) for one in value or () if one.isdecimal() and len(one) < 19]


class FacesForm(forms.Form):
    """Faces that were chosen in a grid, and what to do with them."""

    faces = IdsField(error_messages={"required": "Choose a face first."})
    name = forms.CharField(required=False, max_length=200)


class MergeForm(forms.Form):
    """How two people become one."""

    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    other_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(max_length=200)
    cover = forms.IntegerField(required=False)
    keep_names = forms.BooleanField(required=False)
    reason = forms.CharField(required=False, max_length=400)


class MergeSeveralForm(forms.Form):
    """How several people become one: who of them stays, with their own name and cover or others."""

    into = forms.IntegerField()
    name = forms.CharField(max_length=200, required=False)
    cover = forms.IntegerField(required=False)
    keep_names = forms.BooleanField(required=False)
    reason = forms.CharField(required=False, max_length=400)


class HistoryFilterForm(forms.Form):
    kind = forms.ChoiceField(required=False, label="What was done")
    user = forms.ChoiceField(required=False, label="Who did it")

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        kinds = Edit.objects.order_by("kind").values_list("kind", flat=True).distinct()
        people = Edit.objects.exclude(user=None).order_by("user__username").distinct()
        users = list(people.values_list("user", "user__username"))
        for name, choices in (
            ("kind", [("", "Everything"), *((kind, history.label(kind)) for kind in kinds)]),
            ("user", [("", "Everybody"), ("none", "faceweb itself"), *users]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def edits(self) -> QuerySet[Edit]:
        edits = history.entries()
        if not self.is_valid():
            return edits
        if kind := self.cleaned_data["kind"]:
            edits = edits.filter(kind=kind)
        if user := self.cleaned_data["user"]:
            edits = edits.filter(user=None if user == "none" else user)
        return edits


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
