"""Numbers as people say them."""

import math


def percent(share: float | None) -> str:
    """98.7 %; with more places where it comes close to all or nothing, but never a rounded 100 or
    0 for what is neither."""
    if share is None:
        return "not known"
    rest = min(share, 1 - share)
    if rest <= 0:
        return "100 %" if share >= 1 else "0 %"
    if rest < 0.00001:
        return "over 99.999 %" if share > 0.5 else "below 0.001 %"
    places = min(max(1, math.ceil(-math.log10(rest)) - 1), 3)
    return f"{share * 100:.{places}f} %"


def points(share: float) -> str:
    """A difference of two shares: 0.4 percentage points."""
    return f"{share * 100:.1f} percentage points"


def one_in(rate: float) -> str:
    """1 in 10,000, to two figures."""
    if rate <= 0:
        return "none"
    number = 1 / rate
    digits = max(math.floor(math.log10(number)) - 1, 0)
    return f"1 in {round(number, -digits):,.0f}"
