"""What the active embedder's similarities mean here: its calibration, and the rates in force.

Imports no framework, so that pages can say what scores mean.
"""

import functools
import math
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from faceweb.recognition import calibration, embedders
from faceweb.recognition.calibration import Thresholds
from people import models

# In a large gallery a rate alone would call strangers a match. So many of them may be expected
# among all the faces that a search compares with, at most.
MATCH_STRANGERS, POSSIBLE_STRANGERS = 0.05, 1.0

# Without a calibration nothing is ever similar enough to be called anything.
_NEVER = Thresholds(match=math.inf, possible=math.inf)


@dataclass(frozen=True)
class ActiveRates:
    """The false-match rates that verdicts are chosen by.

    `automatic_fmr`: suggestions at least this certain are assigned without asking; None: never.
    """

    match_fmr: float
    possible_fmr: float
    automatic_fmr: float | None = None


@dataclass(frozen=True)
class Scale:
    """What similarities of one embedder mean. Without a calibration they mean only themselves:
    no confidence, no strangers, and thresholds that nothing reaches."""

    embedder: str
    version: str
    calibration: calibration.Calibration | None
    rates: ActiveRates

    def confidence(self, similarity: float) -> float | None:
        """The probability of one person at even odds, 0 to 1."""
        return None if self.calibration is None else self.calibration.confidence(similarity)

    def strangers(self, similarity: float, gallery_size: int) -> float | None:
        """How many strangers are expected to be this alike, among so many faces."""
        if self.calibration is None:
            return None
        return self.calibration.fmr(similarity) * gallery_size

    def thresholds(self, gallery_size: int = 1) -> Thresholds:
        """The thresholds for searches among so many faces; 1 stands for a single comparison."""
        size = max(gallery_size, 1)
        return self.thresholds_at(
            min(self.rates.match_fmr, MATCH_STRANGERS / size),
            min(self.rates.possible_fmr, POSSIBLE_STRANGERS / size),
        )

    def thresholds_at(self, match_fmr: float, possible_fmr: float) -> Thresholds:
        """The thresholds at these false-match rates, whatever rates are in force."""
        if self.calibration is None:
            return _NEVER
        return self.calibration.thresholds(match_fmr=match_fmr, possible_fmr=possible_fmr)


def scale(embedder: str | None = None) -> Scale:
    """The scale of an embedder, the active one if none is named; two small queries.

    Raises KeyError for an unknown embedder.
    """
    spec = embedders.get_spec(embedder or settings.FACEWEB_EMBEDDER)
    return Scale(spec.slug, spec.version, active_calibration(spec), active_rates())


def active_rates() -> ActiveRates:
    """The rates that someone chose on the page, or those of the settings."""
    row = models.Rates.objects.order_by("pk").first()
    default = default_rates()
    if row is None:
        return default
    return ActiveRates(
        row.match_fmr or default.match_fmr,
        row.possible_fmr or default.possible_fmr,
        row.automatic_fmr,
    )


def default_rates() -> ActiveRates:
    return ActiveRates(settings.FACEWEB_MATCH_FMR, settings.FACEWEB_POSSIBLE_FMR)


def active_calibration(spec: embedders.EmbedderSpec) -> calibration.Calibration | None:
    """The calibration made here that is in use, or the one that comes with faceweb, or none.

    An embedder for pictures in general has none: its similarities say nothing about identity.
    Nor has one whose files are gone.
    """
    if spec.purpose != "identity":
        return None
    rows = models.Calibration.objects.filter(
        embedder=spec.slug, version=spec.version, is_active=True
    )
    row = rows.values_list("pk", "created_at").first()
    return _read(*row) if row else shipped_calibration(spec)


def can_guess() -> bool:
    """Whether similarities of the active embedder say anything about who somebody is."""
    return active_calibration(embedders.get_spec(settings.FACEWEB_EMBEDDER)) is not None


def known_calibration(spec: embedders.EmbedderSpec) -> calibration.Calibration | None:
    """The active calibration, for commands that also run where no database was made yet."""
    stored = models.Calibration._meta.db_table in connection.introspection.table_names()
    return active_calibration(spec) if stored else shipped_calibration(spec)


def shipped_calibration(spec: embedders.EmbedderSpec) -> calibration.Calibration | None:
    """The calibration that comes with faceweb, whatever is in use."""
    return calibration.shipped(spec.slug, spec.version)


def gallery_size(spec: embedders.EmbedderSpec) -> int:
    """How many faces a search is compared with."""
    return models.FaceEmbedding.objects.filter(embedder=spec.slug, version=spec.version).count()


@functools.lru_cache(maxsize=8)
def _read(pk: int, created_at: datetime) -> calibration.Calibration:
    """A stored calibration. Rows never change; their ids and times tell them apart."""
    return calibration.from_data(models.Calibration.objects.get(pk=pk).data)
