"""What the commands about labelled pairs share: options, loading, progress, refusals."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from tqdm import tqdm

from faceweb.recognition import embedders, labelled
from faceweb.recognition.embedders import EmbedderSpec
from faceweb.recognition.labelled import EmbeddedPhotos, Pair, PairsError


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "pairs", type=Path, metavar="PAIRS.csv",
        help="Columns a and b: two photos below FOLDER; same: 1 if they show one person, else 0; "
        "and perhaps split: train or test.",
    )  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--embedder", default=settings.FACEWEB_EMBEDDER, metavar="SLUG",
        help="The embedder; if not said, the one in use.",
    )  # fmt: skip


def read_pairs(path: Path) -> list[Pair]:
    try:
        return labelled.read_pairs(path)
    except PairsError as error:
        raise CommandError(f"{error}.") from None


def spec_of(slug: str) -> EmbedderSpec:
    try:
        return embedders.get_spec(slug)
    except KeyError as error:
        raise CommandError(f"{error.args[0]}.") from None


def embed(
    spec: EmbedderSpec, folder: Path, pairs: Sequence[Pair], *, quiet: bool
) -> EmbeddedPhotos:
    """Embed the photos of the pairs in this process, with the settings that the worker has."""
    from faceweb.recognition import pipeline
    from faceweb.recognition.detection import DetectorSettings
    from faceweb.recognition.engine import DeviceUnavailable
    from faceweb.recognition.errors import WeightsError

    names = labelled.photos_of(pairs)
    try:
        loaded = pipeline.load(
            embedder=spec.slug,
            detector=settings.FACEWEB_DETECTOR,
            settings=DetectorSettings(**settings.FACEWEB_DETECTION),
            device=settings.FACEWEB_DEVICE,
        )
        with tqdm(
            total=len(names), desc="Looking at photos", unit="photo",
            disable=quiet or not sys.stderr.isatty(),
        ) as bar:  # fmt: skip
            return labelled.embed(
                loaded, folder, names, threads=settings.FACEWEB_WORKER_THREADS, progress=bar.update
            )
    except (PairsError, WeightsError, DeviceUnavailable) as error:
        raise CommandError(str(error)) from None


def lines(figures: dict[str, Any], indent: str = "") -> list[str]:
    """Figures as lines for people, parts indented below their names."""
    written: list[str] = []
    for key, value in figures.items():
        label = key.replace("_", " ")
        if isinstance(value, dict):
            written += [f"{indent}{label}:", *lines(value, indent + "  ")]
        else:
            shown = "not measurable" if value is None else value
            shown = f"{shown:.6g}" if isinstance(shown, float) else shown
            written.append(f"{indent}{label}: {shown}")
    return written
