"""Make a calibration from labelled pairs of photos."""

import dataclasses
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from faceweb.recognition import calibration, comparisons
from faceweb.recognition.calibration import Calibration, CalibrationError
from faceweb.recognition.comparisons import Comparisons
from faceweb.recognition.labelled import NO_FACE, EmbeddedPhotos, Pair, labels, names_agree
from people.management import labelled
from people.services import calibrating

GROUPS = 5
CHECKED_RATES = (1e-2, 1e-3, 1e-4)


class Command(BaseCommand):
    help = (
        "Make a calibration, which turns similarities into confidences and false-match rates, "
        "from labelled pairs of photos. Pairs of the split train make it, those of the split test "
        "check it; without splits all make it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        labelled.add_arguments(parser)
        parser.add_argument("--source", default="", help="What the photos are, in words.")
        parser.add_argument("--output", type=Path, help="Write it to this file.")
        parser.add_argument(
            "--activate", action="store_true", help="Use it in this faceweb from now on."
        )

    def handle(
        self, *, pairs: Path, folder: Path, embedder: str, source: str, **options: Any
    ) -> None:
        spec = labelled.spec_of(embedder)
        if spec.purpose == "general":
            raise CommandError(
                f"{spec.slug} is for pictures in general: how alike it finds two faces does not "
                "say whether they are one person, so there is nothing to calibrate."
            )
        listed = labelled.read_pairs(pairs)
        photos = labelled.embed(spec, folder, listed, quiet=False)
        test = [pair for pair in listed if pair.split == "test"]
        train = [pair for pair in listed if pair.split != "test"]
        groups, counted = _comparisons(photos, train)
        try:
            made = calibration.fit(
                embedder=spec.slug,
                version=spec.version,
                source=source or f"{pairs.name}, photos in {folder.name}",
                made_on=timezone.localdate().isoformat(),
                groups=groups,
                comparisons=counted,
            )
        except CalibrationError as error:
            raise CommandError(f"No calibration can be made: {error}.") from None
        if test:
            check = calibration.checked(
                made, source=f"{len(test)} test pairs", comparisons=photos.comparisons(test)
            )
            made = dataclasses.replace(made, check=check)
        self._report(made, _comparisons(photos, test)[1] if test else None)
        self._keep(made, options["output"], activate=options["activate"])

    def _report(self, made: Calibration, unseen: Comparisons | None) -> None:
        figures: dict[str, Any] = {
            "embedder": made.embedder,
            "version": made.version,
            "curve": type(made.curve).__name__.lower(),
            "comparisons_of_one_person": made.same,
            "comparisons_of_different_people": made.different,
            "smallest_counted_fmr": made.smallest_counted_fmr,
            "similarity_at_fmr": {f"{r:.0e}": round(made.similarity_at(r), 4)
                                  for r in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)},
        }  # fmt: skip
        if made.check is not None and unseen is not None and unseen.different_total:
            figures["check"] = {
                **dataclasses.asdict(made.check),
                "fmr_of_unseen_comparisons": {
                    f"{rate:.0e}": unseen.false_matches(made.similarity_at(rate))
                    / unseen.different_total
                    for rate in CHECKED_RATES
                },
            }
        self.stdout.write("\n".join(labelled.lines(figures)))

    def _keep(self, made: Calibration, output: Path | None, *, activate: bool) -> None:
        if output is not None:
            try:
                output.write_text(calibration.as_text(made), encoding="utf-8")
            except OSError as error:
                raise CommandError(f"{output} cannot be written ({error.strerror}).") from None
            self.stdout.write(f"Written to {output}.")
        if activate:
            calibrating.activate(made=made)
            self.stdout.write("It is in use from now on.")
        if output is None and not activate:
            self.stdout.write("It was not kept. Add --output FILE or --activate.")


def _comparisons(
    photos: EmbeddedPhotos, pairs: list[Pair]
) -> tuple[list[Comparisons], Comparisons]:
    """Every comparison of two photos, if their folders tell who is in them, else those listed;
    in groups without people in common, and all together."""
    if names_agree(pairs):
        vectors, identities = photos.of(pairs)
        return (
            comparisons.of_groups(vectors, identities, GROUPS),
            comparisons.of_all_pairs(vectors, identities),
        )
    similarities, same = photos.similarities(pairs), labels(pairs)
    compared = similarities > NO_FACE
    groups = comparisons.in_parts(similarities[compared], same[compared], GROUPS)
    return groups, photos.comparisons(pairs)
