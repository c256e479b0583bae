"""Which calibration is in use: taking a new one, and going back."""

from typing import Any

from django.conf import settings
from django.db import transaction

from faceweb.recognition import calibration
from faceweb.recognition.calibration import Calibration as Made
from faceweb.recognition.embedders import get_spec
from people.models import Calibration, Evaluation
from people.problems import Refused


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


def adopt(*, check: Evaluation, user: Any = None) -> Calibration:
    """Use the calibration that a check of accuracy here has made. Raises Refused."""
    data = (check.results or {}).get("proposed")
    if data is None:
        raise Refused("no_such_calibration")
    spec = get_spec(settings.FACEWEB_EMBEDDER)
    if (check.embedder, check.version) != (spec.slug, spec.version):
        raise Refused("outdated_check")
    if spec.purpose == "general":
        raise Refused("general_embedder")
    return activate(made=calibration.from_data(data), user=user)
