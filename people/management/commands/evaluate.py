"""Measure accuracy on labelled pairs of photos."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from faceweb.recognition import calibration, comparisons, evaluation
from faceweb.recognition.embedders import EmbedderSpec
from faceweb.recognition.labelled import NO_FACE, EmbeddedPhotos, Pair, labels, names_agree
from people.management import labelled
from people.services import scoring

PAIR_RATES = (1e-2, 1e-3)
CROSS_RATES = (1e-3, 1e-4, 1e-5)
# A rate is measured where so many comparisons of different people pass at least.
LEAST_COUNTED = 10


class Command(BaseCommand):
    help = (
        "Measure how well faces are told apart, on labelled pairs of photos. The most prominent "
        "face of each photo counts. Nothing is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        labelled.add_arguments(parser)
        parser.add_argument("--split", default="", help="Take only the pairs of this split.")
        parser.add_argument(
            "--identify", action="store_true",
            help="Also look every photo up among all others (leave one out).",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(
        self, *, pairs: Path, folder: Path, embedder: str, split: str, **options: Any
    ) -> None:
        start = time.perf_counter()
        spec = labelled.spec_of(embedder)
        listed = [one for one in labelled.read_pairs(pairs) if split in ("", one.split)]
        if not listed:
            raise CommandError(f"There are no pairs of the split {split!r}.")
        photos = labelled.embed(spec, folder, listed, quiet=options["json"])
        looked = time.perf_counter()
        figures: dict[str, Any] = {
            "embedder": spec.slug,
            "version": spec.version,
            "enrolment": _enrolment(photos),
            "pairs": _pairs(photos, listed),
        }
        if names_agree(listed):
            vectors, identities = photos.of(listed)
            figures["cross_pairs"] = _cross_pairs(comparisons.of_all_pairs(vectors, identities))
            if options["identify"]:
                figures["identification"] = asdict(
                    evaluation.identification(evaluation.leave_one_out(vectors, identities))
                )
        else:
            figures["cross_pairs"] = None
            self.stderr.write(
                "The folders do not tell who is in the photos (they contradict the pairs), so "
                "only the pairs are compared."
            )
        figures["calibration"] = _calibration(spec, photos, listed)
        figures["seconds"] = {
            "looking_at_photos": round(looked - start, 2),
            "all": round(time.perf_counter() - start, 2),
        }
        text = json.dumps(figures, indent=2) if options["json"] else "\n".join(
            labelled.lines(figures)
        )  # fmt: skip
        self.stdout.write(text)


def _enrolment(photos: EmbeddedPhotos) -> dict[str, Any]:
    """Photos in which no face was found, or that cannot be opened, are failures to enrol."""
    failed = len(photos.without_face) + len(photos.unreadable)
    total = len(photos.names) + failed
    return {
        "photos": total,
        "failures_to_enrol": failed,
        "failure_to_enrol_rate": failed / total,
        "without_face": photos.without_face,
        "unreadable": photos.unreadable,
    }


def _pairs(photos: EmbeddedPhotos, pairs: list[Pair]) -> dict[str, Any]:
    """Accuracy on the listed pairs. One with a photo that has no face counts as refused."""
    similarities, same = photos.similarities(pairs), labels(pairs)
    counted = comparisons.of_pairs(similarities, same)
    both = counted.same_total and counted.different_total
    enough = min(counted.same_total, counted.different_total) >= evaluation.FOLDS
    accuracy = evaluation.ten_fold_accuracy(similarities, same) if enough else None
    return {
        "of_one_person": counted.same_total,
        "of_different_people": counted.different_total,
        "not_comparable": int((similarities == NO_FACE).sum()),
        "accuracy_ten_fold": accuracy and accuracy.mean,
        "accuracy_deviation": accuracy and accuracy.deviation,
        **{f"tar_at_fmr_{rate:.0e}": _tmr(counted, rate, least=1) for rate in PAIR_RATES},
        "eer": evaluation.equal_error_rate(counted) if both else None,
        "auc": evaluation.area_under_curve(counted) if both else None,
    }


def _cross_pairs(counted: comparisons.Comparisons) -> dict[str, Any]:
    """Accuracy over every comparison of two of the photos."""
    return {
        "of_one_person": counted.same_total,
        "of_different_people": counted.different_total,
        **{f"tmr_at_fmr_{rate:.0e}": _tmr(counted, rate, least=LEAST_COUNTED)
           for rate in CROSS_RATES},
        **{f"similarity_at_fmr_{rate:.0e}": _similarity(counted, rate) for rate in CROSS_RATES},
    }  # fmt: skip


def _tmr(counted: comparisons.Comparisons, rate: float, *, least: int) -> float | None:
    if not counted.same_total or counted.different_total * rate < least:
        return None
    return counted.tmr_at(rate)


def _similarity(counted: comparisons.Comparisons, rate: float) -> float | None:
    if counted.different_total * rate < LEAST_COUNTED:
        return None
    return round(counted.similarity_at(rate), 4)


def _calibration(
    spec: EmbedderSpec, photos: EmbeddedPhotos, pairs: list[Pair]
) -> dict[str, Any] | None:
    """How well the calibration in use does: on the test pairs, if there are such, else on all."""
    known = scoring.known_calibration(spec)
    if known is None:
        return None
    test = [pair for pair in pairs if pair.split == "test"]
    check = calibration.checked(
        known,
        source="the test pairs" if test else "all pairs",
        comparisons=photos.comparisons(test or pairs),
    )
    return {
        "in_use": known.source,
        "made_on": known.made_on,
        "judged_on": check.source,
        "of_one_person": check.same,
        "of_different_people": check.different,
        "ece": check.ece,
        "brier": check.brier,
    }
