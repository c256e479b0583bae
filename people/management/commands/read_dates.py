"""Read when photos were taken, for photos that came in before faceweb did so."""

from typing import Any

from django.core.management import BaseCommand

from people.services import dates


class Command(BaseCommand):
    help = "Read from the stored files when photos were taken, where that is not known yet."

    def handle(self, **options: Any) -> None:
        looked_at, found = dates.read_missing()
        self.stdout.write(f"{looked_at} photos without a date looked at, {found} have one now.")
