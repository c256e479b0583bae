"""Fetching weights from where they are published. Only for people who ask for it."""

import hashlib
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from faceweb.recognition.errors import WeightsError
from faceweb.recognition.weights import Download

_CHUNK = 1024 * 1024
_TIMEOUT = 30


def fetch(
    download: Download, *, progress: Callable[[int, int], None] = lambda done, length: None
) -> None:
    """Fetch one file into place, whole or not at all. Raises WeightsError.

    `progress` is told how many bytes are here, and how many there will be (0 if not known).
    """
    target = download.target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.part")
        try:
            digest = _copy(download.address, draft, progress)
            if download.sha256 and digest != download.sha256:
                raise WeightsError(
                    f"What {download.address} gives is not the expected file (SHA-256 "
                    f"{digest[:12]}… instead of {download.sha256[:12]}…), so it was not kept."
                )
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        reason = getattr(reason, "strerror", None) or reason
        raise WeightsError(
            f"{download.address} cannot be fetched ({reason}). Fetch it where there is a network, "
            f"and put it here: {target}"
        ) from error


def _copy(address: str, target: Path, progress: Callable[[int, int], None]) -> str:
    """Copy what an address gives into a file; return its SHA-256."""
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(address, timeout=_TIMEOUT) as answer,  # noqa: S310
        target.open("wb") as file,
    ):
        length = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            progress(file.tell() + file.write(chunk), length)
        if length and file.tell() != length:
            raise HTTPException(f"it ended after {file.tell()} of {length} bytes")
    return digest.hexdigest()
