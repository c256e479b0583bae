"""What a picture's file says about the picture, read without decoding a pixel."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from PIL import Image

from faceweb.recognition import exif
from faceweb.recognition.headers import DEFAULT_MAX_PIXELS, opened

# Descriptions are a few kilobytes; with every step of an editor's history, some hundred.
MAX_PACKET = 4 * 1024 * 1024

_PNG_SIGNATURE_LENGTH = 8
_PNG_XMP = b"XML:com.adobe.xmp\0"
# Formats whose decoders give the size that the picture has when it stands upright.
_SIZED_UPRIGHT = ("HEIF", "TIFF")


@dataclass(frozen=True)
class Metadata:
    """What a file says.

    `width` and `height` are the picture's pixels as stored; `orientation` (EXIF's, 1 to 8) says
    how to bring it upright. `taken_at` is as in DecodedImage. `packet` is its XMP packet, empty
    if there is none or it is larger than MAX_PACKET.
    """

    width: int
    height: int
    orientation: int
    taken_at: datetime | None
    packet: bytes

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height when it stands upright."""
        if self.orientation >= 5:
            return self.height, self.width
        return self.width, self.height


def read_metadata(file: BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Metadata:
    """Read what a picture's file says. Raises ImageError as read_header does."""
    with opened(file, max_pixels) as image:
        if image.format == "PNG":
            # Pillow would decode the picture to find what stands behind its pixels.
            image.info.update(_png_fields(file))
            if "exif" not in image.info:
                image.info["exif"] = b""
        width, height = image.size
        # The decoder for HEIF turns pictures and then says that nothing is left to turn.
        orientation = image.info.get("original_orientation") or exif.orientation(image)
        if image.format in _SIZED_UPRIGHT and orientation >= 5:
            width, height = height, width
        return Metadata(width, height, orientation, exif.taken_at(image), _packet(image))


def _packet(image: Image.Image) -> bytes:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode()
    return packet if isinstance(packet, bytes) and len(packet) <= MAX_PACKET else b""


def _png_fields(file: BinaryIO) -> dict[str, bytes]:
    """EXIF data and XMP packet of a PNG, wherever in the file they are."""
    fields = {}
    for kind, length in _png_chunks(file):
        if length > MAX_PACKET or kind not in (b"eXIf", b"iTXt"):
            continue
        content = file.read(length)
        if kind == b"eXIf":
            fields["exif"] = b"Exif\0\0" + content
        elif content.startswith(_PNG_XMP + b"\0"):  # not compressed
            # language and translated keyword, each with an end mark
            text = content[len(_PNG_XMP) + 2 :].split(b"\0", 2)
            fields["xmp"] = text[-1]
    return fields


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The kind and length of every chunk, with the file at its content."""
    position = _PNG_SIGNATURE_LENGTH
    with contextlib.suppress(struct.error):  # the end, of a file that may be cut off
        while True:
            file.seek(position)
            length, kind = struct.unpack(">I4s", file.read(8))
            yield kind, length
            position += length + 12
