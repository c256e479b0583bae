"""What EXIF data says of a picture. It is often missing and sometimes nonsense."""

import contextlib
import re
import struct
from datetime import datetime, timedelta, timezone

from PIL import Image

ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_OFFSET_TIME_ORIGINAL = 0x9011

# The oldest photograph that is left is of about 1826. Clocks that are wrong by centuries say
# nothing, and no date at the end of all calendars fits every time zone.
_FIRST_YEAR, _LAST_YEAR = 1826, 2200
_DATE = re.compile(r"(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")

# What Pillow raises on malformed EXIF data.
MALFORMED = (OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, AttributeError,
             EOFError, OverflowError, AssertionError, struct.error, RuntimeError)  # fmt: skip


def taken_at(image: Image.Image) -> datetime | None:
    """When the picture was taken; None where the EXIF data does not say or is malformed.

    It has a time zone where the camera wrote its offset, else it is in the time of the place.
    """
    try:
        fields = image.getexif().get_ifd(_EXIF_IFD)
    except MALFORMED:
        return None
    return parsed_date(fields.get(_DATE_TIME_ORIGINAL), fields.get(_OFFSET_TIME_ORIGINAL))


def parsed_date(date: object, offset: object = None) -> datetime | None:
    """A date and an offset as EXIF writes them, such as "2019:07:03 14:05:59" and "+02:00"."""
    found = _DATE.match(_text(date))
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        return None
    try:
        moment = datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:  # cameras without a clock write 0000:00:00 00:00:00
        return None
    shift = _OFFSET.match(_text(offset))
    if shift:
        difference = timedelta(hours=int(shift[2]), minutes=int(shift[3]))
        with contextlib.suppress(ValueError):  # no place is a day away from another
            zone = timezone(-difference if shift[1] == "-" else difference)
            return moment.replace(tzinfo=zone)
    return moment


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the EXIF data is missing or malformed."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except MALFORMED:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else ""
