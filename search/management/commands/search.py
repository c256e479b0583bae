"""Ask who is in a photo, from the command line."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from faceweb import instance, queues
from faceweb.management.checks import check_weights
from people.problems import Refused, sentence
from people.tasks import enqueue_removals
from search import tasks
from search.models import DEFAULT_TOP, MAX_TOP, Search
from search.services import searches, words
from search.services.answers import answer_as_data

# Enough to keep the worker busy, few enough to keep a running faceweb's own searches prompt.
_IN_FLIGHT = 4


class Command(BaseCommand):
    help = "Ask who is in one or more photos. The photos are not kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
        parser.add_argument(
            "--top", type=int, default=DEFAULT_TOP, help="How many people to show for each face."
        )
        parser.add_argument(
            "--inline",
            action="store_true",
            help="Do all the work in this process instead of the running worker.",
        )
        parser.add_argument("--json", action="store_true", help="Print the answers as JSON.")

    def handle(self, *, photos: list[Path], top: int, inline: bool, **options: Any) -> None:
        if not 1 <= top <= MAX_TOP:
            raise CommandError(f"--top must be from 1 to {MAX_TOP}.")
        if inline:
            check_weights()
            try:
                with instance.exclusive():
                    answers = self._ask(photos, top, inline=True)
            except instance.DataFolderInUse as error:
                raise CommandError(f"{error} Leave out --inline, or stop it first.") from None
        elif queues.waiting("search") is None:
            raise CommandError("faceweb is not running. Start it with `make run`, or add --inline.")
        else:
            answers = self._ask(photos, top, inline=False)
        if options["json"]:
            self.stdout.write(json.dumps(answers, ensure_ascii=False, indent=2))
        else:
            for answer in answers:
                self._print(answer)

    def _ask(self, photos: list[Path], top: int, *, inline: bool) -> list[dict[str, Any]]:
        answers: dict[int, dict[str, Any]] = {}
        asked: dict[int, Search] = {}
        quiet = len(photos) < 10 or not sys.stderr.isatty()
        for number, path in enumerate(tqdm(photos, desc="Searching", disable=quiet)):
            try:
                with path.open("rb") as file:
                    search = searches.create_search(upload=file, name=path.name, top=top)
            except Refused as refusal:
                answers[number] = _without_answer(path, refusal.code, refusal.sentence)
            except OSError as error:
                answers[number] = _without_answer(path, "unreadable", f"{error.strerror}.")
            else:
                asked[number] = search
                if inline:
                    _answer_inline(search)
                else:
                    tasks.enqueue_search(search.pk)
                while len(asked) >= (1 if inline else _IN_FLIGHT):
                    _collect(asked, answers, photos)
        while asked:
            _collect(asked, answers, photos)
        if inline:
            _remove_files_inline()
        else:
            enqueue_removals()
        return [answers[number] for number in range(len(photos))]

    def _print(self, answer: dict[str, Any]) -> None:
        said = answer["error"] or answer["sentence"]
        self.stdout.write(f"{answer['photo']}: {said.rstrip('.')}.")
        for number, face in enumerate(answer["faces"], start=1):
            self.stdout.write(f"  face {number}: {face['verdict'] or 'no verdict'}")
            if face["warning"]:
                self.stdout.write(f"    {face['warning']}")
            for one in face["candidates"]:
                self.stdout.write(f"    {_line(one)}")
        if answer["faces"] and not answer["calibration"]:
            self.stdout.write(f"  {answer['no_verdict']}")


def _line(one: dict[str, Any]) -> str:
    """A candidate in one line; confidence and strangers only where they are known."""
    columns = [
        f"{one['rank']:2}. {one['person'] or 'unnamed':30}",
        f"{one['similarity']:.3f}",
        f"{one['verdict'] or 'no verdict':10}",
    ]
    if one["confidence"] is not None:
        columns.append(f"confidence {words.sure(one['confidence']):>11}")
        columns.append(f"strangers {words.amount(one['strangers']):>11}")
        columns.append(f"pictures {one['support']}")
    return "  ".join([*columns, one["photo"]])


def _answer_inline(search: Search) -> None:
    from search.services import identification

    identification.run_search(search_id=search.pk, worker=f"inline@{os.getpid()}")


def _remove_files_inline() -> None:
    from people.services import indexing

    indexing.remove_files()


def _collect(
    asked: dict[int, Search], answers: dict[int, dict[str, Any]], photos: list[Path]
) -> None:
    """Move the answers that are there, and forget their searches at once."""
    for number, search in list(asked.items()):
        search.refresh_from_db()
        if not search.is_pending:
            answers[number] = answer_as_data(search=search, photo=str(photos[number]))
            searches.delete_searches(searches=Search.objects.filter(pk=search.pk))
            del asked[number]
            return
    time.sleep(0.01)


def _without_answer(path: Path, code: str, reason: str) -> dict[str, Any]:
    return {
        "photo": str(path),
        "error": reason or sentence(code),
        "gallery_size": None,
        "embedder": settings.FACEWEB_EMBEDDER,
        "calibration": None,
        "sentence": "",
        "seconds": None,
        "faces": [],
    }
