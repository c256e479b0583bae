"""Pictures for people to look at."""

import re

import cv2
import numpy as np

from faceweb.recognition.reducing import Pixels, fitted

# A JPEG is made of segments: a marker, two bytes of length, content (ITU-T T.81, annex B).
_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_FRAMES = {b"\xff\xc0", b"\xff\xc1", b"\xff\xc2"}  # browsers show pictures in no other
_KEPT = {*_FRAMES, _SCAN, b"\xff\xc4", b"\xff\xdb", b"\xff\xdd"}  # and the tables for them
# Applications' segments and comments, but for three that say how colours are meant. Two of these
# have no room for anything else at the usual length.
_LEFT_OUT = {*(bytes((0xFF, number)) for number in range(0xE0, 0xF0)), b"\xff\xfe"}
_PROFILE = (b"\xff\xe2", b"ICC_PROFILE\0")
_USUAL_LENGTHS = {(b"\xff\xe0", b"JFIF\0"): 16, (b"\xff\xee", b"Adobe"): 14}
# Within a scan, FF is followed by 00 or a restart's marker; what else follows begins a segment.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)


def encode_jpeg(pixels: Pixels, *, longest_side: int, quality: int = 85) -> bytes:
    """Return `pixels` (height, width, 3; RGB) as a JPEG that fits a square, without metadata."""
    picture = np.ascontiguousarray(fitted(pixels, longest_side))
    # Unlike Pillow, which writes the same bytes, OpenCV lets other threads run meanwhile.
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return encoded.tobytes()


def bare_jpeg(file: bytes) -> bytes | None:
    """The same picture without metadata, or None if this is no JPEG that every browser shows.

    Nothing is decoded, so nothing is lost: what shows the (first) picture is copied as it is, its
    colour profile too. All else is left out, whatever it may be, and what follows the end as well.
    """
    if not file.startswith(_START):
        return None
    parts, at = [_START], len(_START)
    while file[at : at + 2] != _END:
        marker, length = file[at : at + 2], int.from_bytes(file[at + 2 : at + 4])
        if marker not in _KEPT | _LEFT_OUT or length < 2:
            return None
        end = at + 2 + length
        content = file[at + 4 : end]
        if marker in _FRAMES and not _is_for_browsers(content):
            return None
        if marker == _SCAN:
            after = _AFTER_SCAN.search(file, end)
            end = after.start() if after else len(file)
        kept = marker in _KEPT
        for kind, start in (_PROFILE, *_USUAL_LENGTHS):
            if marker == kind and content.startswith(start):
                kept = True
                if length != _USUAL_LENGTHS.get((kind, start), length):
                    return None
        if kept:
            parts.append(file[at:end])
        at = end
    return b"".join([*parts, _END])


def _is_for_browsers(frame: bytes) -> bool:
    """Whether a frame has 8 bits for each colour, and one or three colours."""
    return frame[:1] == b"\x08" and frame[5:6] in (b"\x01", b"\x03")
