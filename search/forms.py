from django import forms

from search.models import DEFAULT_TOP, MAX_TOP


class SearchForm(forms.Form):
    photo = forms.FileField(error_messages={"required": "Choose a photo first."})
    top = forms.TypedChoiceField(
        label="How many people to show for each face",
        choices=[(n, str(n)) for n in (1, 3, DEFAULT_TOP, 10, 20, MAX_TOP)],
        coerce=int,
        initial=DEFAULT_TOP,
        empty_value=str(DEFAULT_TOP),
        required=False,
    )
