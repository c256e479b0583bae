"""Write who is where in which photo, for other programs."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from people.models import Photo
from people.problems import Refused
from people.services import export

_OUR_MARK = b'x:xmptk="faceweb"'


class Command(BaseCommand):
    help = (
        "Write an XMP sidecar (photo.jpg.xmp, as digiKam names them) for every photo that has "
        "named faces, with the names and places as MWG regions. Of photos with one name, each "
        "sidecar lies in a folder that is called by the beginning of the photo's SHA-256."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="Where to put the sidecars.")
        parser.add_argument("--csv", type=Path, help="Also write a table of all named faces.")
        parser.add_argument(
            "--hidden",
            action="store_true",
            help="Also people who are hidden from search or wait for their deletion.",
        )

    def handle(self, *, folder: Path, csv: Path | None, hidden: bool, **options: Any) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            written, passed_over = self._write_sidecars(folder, hidden)
            if csv is not None:
                with csv.open("w", encoding="utf-8", newline="") as file:
                    file.writelines(export.csv_lines(with_hidden=hidden))
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from None
        self.stdout.write(f"{written} sidecars written to {folder}, {passed_over} passed over.")

    def _write_sidecars(self, folder: Path, hidden: bool) -> tuple[int, int]:
        named = export.named_faces(with_hidden=hidden).order_by().values("photo").distinct()
        names = Photo.objects.filter(pk__in=named).values_list("original_name", flat=True)
        often = Counter(name.casefold() for name in names.iterator())
        written = passed_over = 0
        for photo, faces in export.by_photo(with_hidden=hidden):
            name = photo.original_name
            place = folder / photo.sha256[:12] if often[name.casefold()] > 1 else folder
            problem = ""
            try:
                problem = _write(place / f"{name}.xmp", export.xmp(photo=photo, faces=faces))
            except Refused as refusal:
                problem = refusal.sentence
            except OSError as error:
                problem = f"{error.strerror}."
            written, passed_over = written + (not problem), passed_over + bool(problem)
            if problem:
                self.stderr.write(f"{name}: passed over. {problem}")
        return written, passed_over


def _write(path: Path, text: str) -> str:
    """Write a sidecar in one step; return why not, if it would destroy someone else's."""
    if path.exists() and _OUR_MARK not in path.read_bytes()[:1000]:
        return "There is a sidecar of another program already; faceweb does not write over it."
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
    return ""
