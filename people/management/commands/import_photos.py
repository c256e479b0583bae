"""Import a folder of photos."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from faceweb import instance, queues
from faceweb.management.checks import check_weights
from faceweb.recognition.metadata import MAX_PACKET
from people import tasks
from people.jobs import Status
from people.models import Import, Photo
from people.problems import Refused, sentence
from people.services import photos
from people.services.changes import in_chunks
from people.services.photos import Incoming
from people.services.stats import ImportProgress, import_progress, looked_at

# Files that are certainly no photos; anything else is judged by its content.
_PASSED_OVER = {".csv", ".txt", ".json", ".xml", ".xmp", ".db", ".ini", ".md", ".html", ".pdf",
                ".mp4", ".mov", ".avi", ".zip"}  # fmt: skip
_SECONDS_WITHOUT_PROGRESS = 60
_STORED_TOGETHER = 16


class Command(BaseCommand):
    help = (
        "Import all photos below a folder. Running it again is harmless: photos are known by "
        "their content."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--names",
            choices=Import.Names.values,
            default="none",
            help="Take people's names from file names, from folder names, or not. Photos that lie "
            "directly in FOLDER get no name from it.",
        )
        parser.add_argument(
            "--regions",
            action="store_true",
            help="Take names that the photos, or XMP files beside them, have for places in them.",
        )
        parser.add_argument("--source", default="", help="Where the photos are from, in words.")
        parser.add_argument(
            "--inline",
            action="store_true",
            help="Do all the work in this process instead of the running worker.",
        )
        parser.add_argument("--json", action="store_true", help="Print the outcome as JSON.")

    def handle(
        self,
        *,
        folder: Path,
        names: str,
        source: str,
        inline: bool,
        regions: bool = False,
        **options: Any,
    ) -> None:
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        self.with_regions = regions
        self.loose = 0
        self.bar_off = options["json"] or not sys.stderr.isatty()
        if inline:
            check_weights()
            try:
                # A server's index is shared; the embedded one has room for one process.
                with instance.exclusive():
                    outcome = self._import(folder, names, source, inline=True)
            except instance.DataFolderInUse as error:
                raise CommandError(f"{error} Leave out --inline, or stop it first.") from None
        else:
            if queues.waiting("ingest") is None:
                raise CommandError(
                    "faceweb is not running, so nobody would look at the photos. "
                    "Start it with `make run`, or add --inline."
                )
            outcome = self._import(folder, names, source, inline=False)
        self._report(outcome, as_json=options["json"])

    def _import(self, folder: Path, names: str, source: str, *, inline: bool) -> dict[str, Any]:
        start = time.monotonic()
        batch = photos.start_import(
            kind=Import.Kind.FOLDER, names=names, source=source or str(folder)[-200:]
        )
        self._store(batch, folder, inline=inline)
        stored = time.monotonic() - start
        if inline:
            self._look_inline(batch)
        else:
            self._wait(batch)
        return self._outcome(batch, folder, stored, time.monotonic() - start)

    def _store(self, batch: Import, folder: Path, *, inline: bool) -> None:
        """Copy every new photo in and queue it."""
        added: list[int] = []
        paths = list(_files(folder))
        with tqdm(total=len(paths), desc="Storing", unit=" files", disable=self.bar_off) as bar:
            for few in in_chunks(paths, size=_STORED_TOGETHER):
                if len(added) >= tasks.PHOTOS_PER_TASK and not inline:
                    tasks.enqueue_photos(added, more=True)
                    added = []
                added += self._store_few(batch, folder, few)
                bar.update(len(few))
        if not inline:
            tasks.enqueue_photos(added)
            tasks.enqueue_settling(batch.pk)

    def _store_few(self, batch: Import, folder: Path, paths: Sequence[Path]) -> list[int]:
        """Store some of the files together; return the ids of the photos to look at."""
        incoming: dict[Path, Incoming] = {}
        with contextlib.ExitStack() as opened:
            for path in paths:
                try:
                    file = opened.enter_context(path.open("rb"))
                    incoming[path] = Incoming(
                        file, path.name, path.stat().st_size, folder=_folder_of(folder, path),
                        sidecar=_sidecar(path) if self.with_regions else b"",
                    )  # fmt: skip
                except OSError as error:
                    self._pass_over(path, error)
            outcomes = photos.add_photos(
                batch=batch,
                incoming=list(incoming.values()),
                limit=False,
                with_regions=self.with_regions,
            )
        for path, outcome in zip(incoming, outcomes, strict=True):
            if isinstance(outcome, OSError):
                self._pass_over(path, outcome)
            elif isinstance(outcome, Refused):
                photos.note_refusal(batch=batch, name=_below(folder, path), code=outcome.code)
            elif batch.names == Import.Names.FOLDER and path.parent == folder:
                self.loose += 1
        return [photo.pk for photo in outcomes if isinstance(photo, Photo)]

    def _pass_over(self, path: Path, error: OSError) -> None:
        self.stderr.write(f"{path}: {error.strerror}; passed over")

    def _look_inline(self, batch: Import) -> None:
        from people.services import indexing, ingest, matching

        worker = f"inline@{os.getpid()}"
        queued = batch.photos.filter(status=Status.QUEUED).order_by("pk")
        ids = list(queued.values_list("pk", flat=True))
        with tqdm(total=len(ids), desc="Looking", unit=" photos", disable=self.bar_off) as bar:
            for start in range(0, len(ids), tasks.PHOTOS_PER_TASK):
                part = ids[start : start + tasks.PHOTOS_PER_TASK]
                ingest.process_photos(photo_ids=part, worker=worker)
                bar.update(len(part))
        matching.settle_import(batch=batch, embedder=settings.FACEWEB_EMBEDDER)
        indexing.drain()

    def _wait(self, batch: Import) -> None:
        """Show the worker's progress until it has looked at everything and settled the names."""
        done, pending = looked_at(batch)
        last, moved_at = -1, time.monotonic()
        with tqdm(
            total=done + pending, desc="Looking", unit=" photos", disable=self.bar_off
        ) as bar:
            while True:
                done, pending = looked_at(batch)
                bar.update(done - bar.n)
                batch.refresh_from_db()
                if not pending and batch.settled_at is not None:
                    return
                if done != last:
                    last, moved_at = done, time.monotonic()
                elif time.monotonic() - moved_at > _SECONDS_WITHOUT_PROGRESS:
                    self.stderr.write("The worker has not answered for a minute; still waiting. "
                                      "Ctrl-C ends this display, not the import.")  # fmt: skip
                    moved_at = time.monotonic()
                # Asking takes its share of the processor; near the end it shortens the wait.
                time.sleep(0.3 if pending > tasks.PHOTOS_PER_TASK else 0.1)

    def _outcome(
        self, batch: Import, folder: Path, stored: float, seconds: float
    ) -> dict[str, Any]:
        batch.refresh_from_db()
        progress: ImportProgress = import_progress(batch)
        failed = batch.photos.filter(status=Status.FAILED).order_by("pk")
        undecided = batch.photos.undecided().order_by("pk")
        return {
            "import": batch.pk,
            "folder": str(folder),
            "new": progress.total,
            "known": progress.known,
            "done": progress.done,
            "faces": progress.faces,
            "without_folder": self.loose,
            "failed": [
                {"photo": p.original_name, "photo_id": p.pk, "error": p.error_code,
                 "reason": p.problem} for p in failed
            ],
            "refused": [
                {"photo": r["name"], "error": r["code"], "reason": sentence(r["code"])}
                for r in batch.refused
            ],
            "undecided": [
                {"photo": p.original_name, "photo_id": p.pk, "name": p.name_hint}
                for p in undecided
            ],
            "seconds": round(seconds, 2),
            "seconds_storing": round(stored, 2),
        }  # fmt: skip

    def _report(self, outcome: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(outcome, ensure_ascii=False, indent=2))
            return
        new, known, seconds = outcome["new"], outcome["known"], outcome["seconds"]
        if new:
            self.stdout.write(
                f"{_count(new, 'new photo')}, {known} known already; {outcome['done']} done with "
                f"{_count(outcome['faces'], 'face')}, in {seconds:.0f} s "
                f"({new / max(seconds, 0.1):.1f} a second)."
            )
        elif known:
            self.stdout.write(f"Nothing new: {_count(known, 'photo')} known already.")
        else:
            self.stdout.write("There are no photos in this folder.")
        if loose := outcome["without_folder"]:
            lie = "lies" if loose == 1 else "lie"
            self.stdout.write(
                f"{_count(loose, 'photo')} {lie} directly in {outcome['folder']}, not in a folder "
                "with a person's name. No name was taken from there."
            )
        for title, key in (("could not be looked at", "failed"), ("not taken", "refused")):
            for item in outcome[key]:
                self.stdout.write(f"  {item['photo']}: {title}. {item['reason']}")
        if undecided := outcome["undecided"]:
            carry = "carries a name but has" if len(undecided) == 1 else "carry a name but have"
            self.stdout.write(
                f"{_count(len(undecided), 'photo')} {carry} several faces. Say whose it is on "
                "the page Photos, under “Needs your decision”:"
            )
            for item in undecided[:20]:
                self.stdout.write(f"  {item['photo']} ({item['name']})")
            if len(undecided) > 20:
                self.stdout.write(f"  and {len(undecided) - 20} more")


def _files(folder: Path) -> Iterator[Path]:
    """Every visible file below the folder that may be a photo, in a fixed order."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            if not name.startswith(".") and path.suffix.lower() not in _PASSED_OVER:
                yield path


def _folder_of(folder: Path, path: Path) -> str:
    """The name of the folder a photo lies in; none for one that lies loose among the folders.

    The folder that is imported is called "photos" or "scans", and never after a person.
    """
    return "" if path.parent == folder else path.parent.name


def _sidecar(path: Path) -> bytes:
    """The XMP file beside a photo: photo.jpg.xmp or photo.xmp. Empty if there is none."""
    for base in (path.name, path.stem):
        for extension in (".xmp", ".XMP"):
            beside = path.with_name(base + extension)
            if beside.is_file() and beside.stat().st_size <= MAX_PACKET:
                return beside.read_bytes()
    return b""


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _below(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder))
