"""Take over an archive that was made with face_recognition."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from faceweb import queues
from people import tasks
from people.models import Import
from people.services import photos

_SHOWN = 50


class Command(BaseCommand):
    help = (
        "Take over photos with the faces, names and embeddings that face_recognition made. FILE "
        "has one JSON object a line; docs/face_recognition.md says how to write it. Running it "
        "again is harmless: photos are known by their content."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="The text file with a face on each line.")
        parser.add_argument("folder", type=Path, help="The folder that its photos are below.")
        parser.add_argument(
            "--upright",
            action="store_true",
            help="The boxes are of photos turned upright, as OpenCV reads them, not of the pixels "
            "as they are stored, as face_recognition reads them.",
        )
        parser.add_argument("--source", default="", help="Where the photos are from, in words.")
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(
        self, *, file: Path, folder: Path, upright: bool, source: str, **options: Any
    ) -> None:
        from people.services import archives

        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        outcome = archives.Outcome()
        try:
            with file.open(encoding="utf-8-sig") as lines:
                found = archives.read_archive(file=lines, folder=folder, outcome=outcome)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError(f"{file} is not a text file in UTF-8.") from None
        if found:
            batch = photos.start_import(
                kind=Import.Kind.FOLDER, source=source or str(folder)[-200:]
            )
            quiet = options["json"] or not sys.stderr.isatty()
            for faces in tqdm(found.values(), desc="Taking over", unit=" photos", disable=quiet):
                archives.take_photo(
                    batch=batch, folder=folder, faces=faces, upright=upright, outcome=outcome
                )
            tasks.enqueue_settling(batch.pk)
            if queues.waiting("maintenance") is not None:
                tasks.enqueue_removals()
                tasks.enqueue_embedding()
        if options["json"]:
            self.stdout.write(json.dumps(asdict(outcome), ensure_ascii=False, indent=2))
        else:
            self._report(outcome, archives.EMBEDDER)

    def _report(self, outcome: Any, embedder: str) -> None:
        self.stdout.write(
            f"{outcome.photos} new photos with {outcome.faces} faces, {outcome.named} of them "
            f"with a name; {outcome.known} photos known already, left as they are."
        )
        for problem in outcome.problems[:_SHOWN]:
            self.stdout.write(f"  {problem}")
        if len(outcome.problems) > _SHOWN:
            self.stdout.write(f"  and {len(outcome.problems) - _SHOWN} more like these.")
        if outcome.faces and embedder != settings.FACEWEB_EMBEDDER:
            self.stdout.write(
                f"Searches use the embedder {settings.FACEWEB_EMBEDDER}, so the worker now embeds "
                f"these faces with it. With FACEWEB_EMBEDDER={embedder} it need not."
            )
