"""Taking the picture alone out of a JPEG file, without decoding it.

A JPEG is made of segments: a marker, two bytes of length, content (ITU-T T.81, annex B).
"""

import re

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_FRAMES = {b"\xff\xc0", b"\xff\xc1", b"\xff\xc2"}  # browsers show pictures in no other
_HUFFMAN, _RESTARTS = b"\xff\xc4", b"\xff\xdd"
_PICTURE = {*_FRAMES, _SCAN, _HUFFMAN, _RESTARTS, b"\xff\xdb"}
# Applications' segments and comments. Two of them say what the colours are, and have no room for
# anything else at these lengths.
_OTHERS = {*(bytes((0xFF, number)) for number in range(0xE0, 0xF0)), b"\xff\xfe"}
_COLOURS = {(b"\xff\xe0", b"JFIF\0"): 16, (b"\xff\xee", b"Adobe"): 14}
_ALL = _PICTURE | _OTHERS
# Within a scan, FF is followed by 00 or a restart's marker; what else follows begins a segment.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_MOST_SEGMENTS = 1000  # cameras and editors write a few dozen


def bare(file: bytes) -> bytes | None:
    """The same picture without metadata; None if this is no ordinary, whole JPEG.

    Ordinary ones have 8 bits, one or three colours, and one frame that all browsers show. What
    shows it is copied as it is. Metadata, colour profile, thumbnails, what stands after the end:
    nothing of it is left.
    """
    if not file.startswith(_START):
        return None
    parts, at = [_START], len(_START)
    last, seen = b"", set[bytes]()
    for _ in range(_MOST_SEGMENTS):
        marker, length = file[at : at + 2], int.from_bytes(file[at + 2 : at + 4])
        if marker == _END:
            return b"".join([*parts, _END]) if last == _SCAN and _HUFFMAN in seen else None
        end = at + 2 + length
        content = file[at + 4 : end]
        usual = _length_about_colours(marker, content)
        if marker not in _ALL or length < 2 or usual not in (None, length):
            return None
        if not _is_ordinary(marker, content, seen):
            return None
        if marker == _SCAN:
            after = _AFTER_SCAN.search(file, end)
            end = after.start() if after else len(file)
        if marker in _PICTURE or usual is not None:
            parts.append(file[at:end])
            last = marker
        seen.add(marker)
        at = end
    return None


def _is_ordinary(marker: bytes, content: bytes, seen: set[bytes]) -> bool:
    """Whether a segment is as usual, given the markers before it."""
    if marker in _FRAMES:
        is_usual = content[:1] == b"\x08" and content[5:6] in (b"\x01", b"\x03")
        return is_usual and not seen & _FRAMES
    if marker == _SCAN:
        return bool(seen & _FRAMES)
    return marker != _RESTARTS or len(content) == 2


def _length_about_colours(marker: bytes, content: bytes) -> int | None:
    """The usual length of a segment that says what the colours are; None of any other."""
    lengths = (
        usual
        for (kind, start), usual in _COLOURS.items()
        if marker == kind and content.startswith(start)
    )
    return next(lengths, None)
