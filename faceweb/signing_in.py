"""Signing in, with a limit on how often a password can be guessed.

Ten attempts with one name from one address in each quarter of an hour; one that succeeds clears
the count. Others who sign in with that name from elsewhere are not held up, so that guessing does
not lock an account for everybody. The count is kept in the cache, which all web processes share.

That needs addresses which differ. Behind a proxy without FACEWEB_BEHIND_HTTPS, all browsers have
the proxy's address: ten guesses at a name then keep everybody out of that name until the quarter of
an hour is over. X-Forwarded-For is not believed there, since without a proxy a browser could write
a new address into it for each guess.
"""

import hashlib
import logging
import time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

log = logging.getLogger("faceweb.web")

MOST_ATTEMPTS = 10
WINDOW = 15 * 60  # seconds

_TOO_MANY = (
    "There were too many attempts to sign in with this name from here. Wait {minutes}, then try "
    "again."
)


class SignInForm(AuthenticationForm):
    """Name and password; refuses to try a password when too many were tried."""

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password"):
            return super().clean()
        address = address_of(self.request) if self.request else ""
        # Counted before it is tried: many attempts at once get no further than one by one.
        if seconds := count_attempt(name=name, address=address):
            log.warning("too many attempts to sign in as %r from %s", name[:150], address)
            raise forms.ValidationError(_TOO_MANY.format(minutes=_minutes(seconds)), "too_many")
        cleaned = super().clean()
        forget_attempts(name=name, address=address)
        return cleaned


def count_attempt(*, name: str, address: str) -> int:
    """Count an attempt; return for how many seconds no more are allowed, 0 if this one is.

    If the cache does not answer nobody is kept out: without it faceweb can do little, and whoever
    runs it must be able to see that.
    """
    key = _key(name, address)
    try:
        cache.add(key, 0, WINDOW)
        count = cache.incr(key)
    except (RedisError, ValueError) as error:  # ValueError: the count was dropped just now
        log.warning("attempts to sign in cannot be counted: %s", error)
        return 0
    return 0 if count <= MOST_ATTEMPTS else WINDOW - int(time.time()) % WINDOW


def forget_attempts(*, name: str, address: str) -> None:
    """Begin to count anew, after an attempt that succeeded."""
    try:
        cache.delete(_key(name, address))
    except RedisError as error:
        log.warning("attempts to sign in cannot be counted: %s", error)


def address_of(request: HttpRequest) -> str:
    """Where a request came from: what the proxy says, if the settings say that there is one.

    Each proxy adds the address it saw at the end; what stands before that a browser can invent.
    """
    if settings.BEHIND_PROXY:
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if told:
            return told
    return str(request.META.get("REMOTE_ADDR", ""))


def _key(name: str, address: str) -> str:
    """Another one in each quarter of an hour, so that no count outlives its own."""
    # Hashed, since names may hold anything; capitals make no further attempts.
    told = hashlib.sha256(f"{name.strip().casefold()}\n{address}".encode()).hexdigest()
    return f"sign-in:{int(time.time()) // WINDOW}:{told}"


def _minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
