"""Typed readers of environment variables.

Each refuses nonsense with a sentence that names the variable. What is read is remembered in
`READ`, so that a test can hold the documentation against it.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

READ: set[str] = set()

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 36_500 * 86_400
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    READ.add(name)
    value = os.environ.get(name, "").strip()
    return value or default


def secret(name: str, default: str = "") -> str:
    """A value from NAME, or from the file that NAME_FILE names."""
    READ.add(f"{name}_FILE")
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return text(name, default)
    if text(name):
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path} ({reason}).") from None


def integer(name: str, default: int, *, least: int, most: int) -> int:
    value = text(name)
    if not value:
        return default
    if not re.fullmatch(r"-?\d+", value) or not least <= int(value) <= most:
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {least} to {most}, not {value!r}."
        )
    return int(value)


def rate(name: str, default: float, *, least: float, most: float) -> float:
    """A share such as 0.0001 or 1e-4."""
    value = text(name)
    try:
        number = float(value) if value else default
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise ImproperlyConfigured(
            f"{name} must be a number from {least:g} to {most:g}, such as {default:g}, "
            f"not {value!r}."
        )
    return number


def boolean(name: str, default: bool) -> bool:
    value = text(name).lower()
    if value and value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")
    return value in _TRUE if value else default


def duration(name: str, default: timedelta) -> timedelta:
    """A number with a unit: 90s, 30m, 24h or 7d."""
    value = text(name)
    if not value:
        return default
    found = re.fullmatch(r"(\d+)\s*([smhd])", value.lower())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise ImproperlyConfigured(
            f"{name} must be a length of time such as 90s, 30m, 24h or 7d, at most 36500d, "
            f"not {value!r}."
        )
    return timedelta(seconds=seconds)


def folder(name: str, default: Path) -> Path:
    try:
        return Path(text(name, str(default))).expanduser().absolute()
    except RuntimeError:
        raise ImproperlyConfigured(f"{name}: there is no such home folder.") from None


def words(name: str) -> list[str]:
    """Values separated by commas."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def url(name: str, *, schemes: tuple[str, ...], default: str = "") -> str:
    """An address; may hold a password, so it can come from NAME_FILE too."""
    value = secret(name, default)
    try:
        scheme = urlsplit(value).scheme
    except ValueError:
        scheme = ""
    if value and scheme not in schemes:
        raise ImproperlyConfigured(
            f"{name} must be an address that begins with {' or '.join(f'{s}://' for s in schemes)}."
        )
    return value
