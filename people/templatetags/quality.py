"""A filter that says what is wrong with a face."""

from django import template

from people.models import Face
from people.quality import stored_note

register = template.Library()


@register.filter
def quality_note(face: Face) -> str:
    return stored_note(face.quality, face.quality_reasons, face.width)
