"""Count what is there."""

import json
from typing import Any

from celery.exceptions import TimeoutError as NoAnswer
from django.conf import settings
from django.core.management import BaseCommand, CommandParser

from faceweb import instance, queues
from people import tasks
from people.services.stats import figures


class Command(BaseCommand):
    help = "Count photos, faces, people, embeddings, and what the index holds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, **options: Any) -> None:
        found = figures(points=_points())
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for key, value in found.items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {n}" for k, n in value.items()) or "none"
            elif value is None:
                value = "not known: the worker does not answer"
            self.stdout.write(f"{key.replace('_', ' ')}: {value}")


def _points() -> int | None:
    """What the index says it holds: asked of the worker, or looked up if none is running."""
    if not settings.QDRANT_URL and instance.is_held():
        if queues.waiting("search") is None:
            return None
        try:
            return int(tasks.index_points.delay().get(timeout=10))
        except NoAnswer:
            return None
    from people.services import indexing

    return indexing.points()
