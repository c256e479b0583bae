"""List the embedders, and fetch weights for those who ask for it."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from faceweb.recognition import downloads, embedders
from faceweb.recognition.embedders import EmbedderSpec
from faceweb.recognition.errors import WeightsError
from people.services import scoring

_PURPOSES = {
    "identity": "identity: tells people apart",
    "general": "general pictures: similarity only, not who it is",
    "unknown": "nobody knows what it is for, as its files are not here",
}


class Command(BaseCommand):
    help = (
        "List the embedders: what each is for, whether its weights are here, which one is active."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.add_argument(
            "--download",
            metavar="SLUG",
            help="Fetch an embedder's weights from where they are published. Nothing else in "
            "faceweb uses the network for weights.",
        )

    def handle(self, **options: Any) -> None:
        if options["download"]:
            self._download(options["download"])
            return
        found = [_figures(spec) for spec in _listed()]
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
            return
        for one in found:
            self._print(one)

    def _print(self, one: dict[str, Any]) -> None:
        marks = ["active"] if one["active"] else []
        marks.append("ready" if one["ready"] else "not ready")
        marks.append("calibrated" if one["calibrated"] else "not calibrated: similarity only")
        self.stdout.write(f"{one['slug']} ({'; '.join(marks)})")
        self.stdout.write(f"  {one['title']}")
        self.stdout.write(f"  {_PURPOSES[one['purpose']]}")
        if one["dimension"]:
            self.stdout.write(f"  {one['dimension']} numbers a face; version {one['version']}")
        self.stdout.write(f"  weights: {one['licence']}")
        if one["missing"]:
            self.stdout.write(f"  {one['missing']}")

    def _download(self, slug: str) -> None:
        try:
            spec = embedders.get_spec(slug)
        except KeyError as error:
            raise CommandError(str(error.args[0])) from None
        wanted = spec.weights.downloads()
        if not wanted:
            raise CommandError(
                f"The weights of {slug} are not fetched by this command. "
                f"{embedders.missing(spec) or 'They are here.'}"
            )
        for download in wanted:
            with tqdm(
                desc=download.target.name, unit="B", unit_scale=True,
                disable=not sys.stderr.isatty(),
            ) as bar:  # fmt: skip

                def progress(done: int, length: int, bar: Any = bar) -> None:
                    bar.total = length or None
                    bar.update(done - bar.n)

                try:
                    downloads.fetch(download, progress=progress)
                except WeightsError as error:
                    raise CommandError(str(error)) from None
            self.stdout.write(f"{download.target} is here.")


def _listed() -> list[EmbedderSpec]:
    found = list(embedders.specs())
    if settings.FACEWEB_EMBEDDER not in {spec.slug for spec in found}:
        found.append(embedders.get_spec(settings.FACEWEB_EMBEDDER))
    return found


def _figures(spec: EmbedderSpec) -> dict[str, Any]:
    missing = embedders.missing(spec)
    return {
        "slug": spec.slug,
        "title": spec.title,
        "purpose": spec.purpose,
        "version": spec.version,
        "dimension": spec.dimension,
        "licence": spec.licence,
        "ready": not missing,
        "missing": missing,
        "calibrated": scoring.known_calibration(spec) is not None,
        "active": spec.slug == settings.FACEWEB_EMBEDDER,
    }
