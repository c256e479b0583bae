"""Which calibration is in use: taking a new one, and going back."""

from typing import Any

from django.db import transaction

from faceweb.recognition.calibration import Calibration as Made
from people.models import Calibration


def activate(*, made: Made, user: Any = None) -> Calibration:
    """Use this calibration for its embedder and version from now on; the earlier ones are kept."""
    with transaction.atomic():
        deactivate(embedder=made.embedder, version=made.version)
        return Calibration.objects.create(
            embedder=made.embedder,
            version=made.version,
            source=made.source[:400],
            data=made.to_data(),
            is_active=True,
            created_by=user,
        )


def deactivate(*, embedder: str, version: str) -> int:
    """Go back to the calibration that comes with faceweb; return how many were in use here."""
    return Calibration.objects.filter(embedder=embedder, version=version, is_active=True).update(
        is_active=False
    )
