"""What commands that load models make sure of first."""

from django.conf import settings
from django.core.management import CommandError

from faceweb.recognition import embedders


def check_weights() -> None:
    """Raises CommandError with what to do if the active embedder's weights are not here."""
    if sentence := embedders.missing(embedders.get_spec(settings.FACEWEB_EMBEDDER)):
        raise CommandError(sentence)
