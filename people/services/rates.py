"""The false-match rates that verdicts are chosen by: choosing them, and what that would change."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from faceweb.recognition.calibration import Thresholds
from faceweb.recognition.embedders import get_spec
from people.models import Face, Rates, Suggestion
from people.problems import Refused
from people.services import scoring
from people.services.scoring import ActiveRates

log = logging.getLogger("faceweb.people")

# Those of the settings are never stored here: they may be changed there later.
_NOT_CHOSEN = {"match_fmr": 0.0, "possible_fmr": 0.0}


@dataclass(frozen=True)
class Outcome:
    """What a pair of rates means here: similarities, and unnamed faces that would reach them.

    `alone`: the thresholds of the rates; `here`: those of a search among all faces, which the
    limit on strangers may have raised.
    """

    rates: ActiveRates
    alone: Thresholds
    here: Thresholds
    matches: int
    possible: int

    @property
    def match_is_raised(self) -> bool:
        return self.here.match > self.alone.match

    @property
    def possible_is_raised(self) -> bool:
        return self.here.possible > self.alone.possible


@dataclass(frozen=True)
class Preview:
    """What would change. `unnamed`: faces without a name; `suggested`: those of them for which
    the most similar person is known, which alone can be counted."""

    now: Outcome
    then: Outcome
    gallery_size: int
    unnamed: int
    suggested: int


def choose(*, match_fmr: float, possible_fmr: float, user: Any = None) -> Rates:
    """Choose verdicts by these rates from now on. Raises Refused."""
    if possible_fmr < match_fmr:
        raise Refused("rates_order")
    return _save({"match_fmr": match_fmr, "possible_fmr": possible_fmr}, user)


def choose_automatic(*, rate: float | None, user: Any = None) -> None:
    """Have suggestions accepted without asking from now on, at this rate; None: never.

    What was named automatically before stays as it is. Raises ValueError unless 0 < rate < 1.
    """
    if rate is not None and not 0 < rate < 1:
        raise ValueError(f"a rate is between 0 and 1, not {rate}")
    _save({"automatic_fmr": rate}, user)
    log.info("automatic naming: %s, chosen by %s", "off" if rate is None else f"{rate:g}", user)


def reset(*, user: Any = None) -> None:
    """Go back to the rates of the settings. Automatic assignment stays as it was chosen."""
    _save(_NOT_CHOSEN, user)


def chosen() -> Rates | None:
    """The row, if somebody chose the rates of verdicts; None if those of the settings count."""
    rows = Rates.objects.select_related("changed_by").order_by("pk")
    return rows.exclude(**_NOT_CHOSEN).first()


def _save(values: Mapping[str, float | None], user: Any) -> Rates:
    """Change some rates of the one row there is; the others stay as they are, or not chosen."""
    with transaction.atomic():
        row = Rates.objects.select_for_update().order_by("pk").first() or Rates(**_NOT_CHOSEN)
        for name, value in {**values, "changed_by": user}.items():
            setattr(row, name, value)
        row.save()
        # Goes when nothing is left that somebody chose.
        Rates.objects.filter(automatic_fmr=None, **_NOT_CHOSEN).delete()
    return row


def preview(*, match_fmr: float, possible_fmr: float) -> Preview:
    """What other rates would change, from similarities that are stored already."""
    scale = scoring.scale()
    size = scoring.gallery_size(get_spec(scale.embedder))
    other = replace(
        scale, rates=replace(scale.rates, match_fmr=match_fmr, possible_fmr=possible_fmr)
    )
    waiting = Suggestion.objects.filter(face__in=Face.objects.unassigned())
    thresholds = [scale.thresholds(size), other.thresholds(size)]
    counts = waiting.aggregate(
        suggested=Count("pk"),
        **{
            f"{name}_{number}": Count("pk", filter=Q(similarity__gte=similarity))
            for number, here in enumerate(thresholds)
            for name, similarity in (("match", here.match), ("possible", here.possible))
        },
    )
    now, then = (
        Outcome(
            rates=one.rates,
            alone=one.thresholds(),
            here=here,
            matches=counts[f"match_{number}"],
            possible=counts[f"possible_{number}"] - counts[f"match_{number}"],
        )
        for number, (one, here) in enumerate(zip((scale, other), thresholds, strict=True))
    )
    return Preview(now, then, size, Face.objects.unassigned().count(), counts["suggested"])
