"""Make the index anew from the database, without a model."""

import time
from typing import Any

from django.core.management import BaseCommand, CommandError

from faceweb import instance


class Command(BaseCommand):
    help = "Make the search index anew from the database. faceweb must not be running."

    def handle(self, **options: Any) -> None:
        from people.services import indexing

        start = time.monotonic()
        try:
            with instance.exclusive():
                points = indexing.rebuild()
        except instance.DataFolderInUse as error:
            raise CommandError(f"{error} Stop it first.") from None
        self.stdout.write(f"{points} points in {time.monotonic() - start:.1f} s.")
