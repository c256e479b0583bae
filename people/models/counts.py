"""Counting faces in subqueries."""

from django.apps import apps
from django.db import models
from django.db.models import Count
from django.db.models.functions import Coalesce


def count_of_faces(owner: str) -> Coalesce:
    """How many faces the row of the outer query has, which Face knows as `owner`."""
    faces = (
        apps.get_model("people", "Face")
        .objects.active()
        .filter(**{owner: models.OuterRef("pk")})
        .order_by()
    )
    counts = faces.values(owner).annotate(n=Count("pk")).values("n")
    return Coalesce(models.Subquery(counts), models.Value(0))
