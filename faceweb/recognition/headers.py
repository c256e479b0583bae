"""Opening pictures: what a file is, how large and which way up, with nothing decoded.

The header alone tells the format and the number of pixels, so a decompression bomb is refused
before a single pixel is decoded. The web side needs no more than this.
"""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pillow_heif
from PIL import Image, UnidentifiedImageError

from faceweb.recognition import exif
from faceweb.recognition.errors import ImageError, ImageProblem

pillow_heif.register_heif_opener()
Image.init()  # registers every decoder, without which Image.open(formats=...) knows only a few

# The formats people have photos in. Everything else Pillow can read (PSD, EPS, PDF, icons...)
# is left out: fewer decoders, fewer ways in.
# (MPO, the format of 3D cameras and some phones, is opened as a JPEG.)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "HEIF", "AVIF")

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "DIB": "image/bmp",
    "TIFF": "image/tiff",
    "PPM": "image/x-portable-anymap",
    "HEIF": "image/heif",
    "AVIF": "image/avif",
}

DEFAULT_MAX_PIXELS = 150_000_000

# What Pillow's decoders raise on damaged data.
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError,
                   EOFError, OverflowError, struct.error, RuntimeError, AssertionError)  # fmt: skip


@dataclass(frozen=True)
class ImageHeader:
    """What the header of a picture says: its format and its size in pixels as stored."""

    format: str
    width: int
    height: int

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.format]


def read_header(file: BinaryIO | bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ImageHeader:
    """Identify a picture by its content, decoding nothing.

    Raises ImageError: EMPTY, NOT_AN_IMAGE, DAMAGED or TOO_MANY_PIXELS.
    """
    with opened(file, max_pixels) as image:
        return ImageHeader(image.format or "", *image.size)


def stored_orientation(file: BinaryIO | bytes) -> int:
    """How the stored pixels of a picture have to be turned to be upright, as in EXIF: 1 to 8.

    1 too where whoever reads the file gets it upright. Raises ImageError as read_header does.
    """
    with opened(file, DEFAULT_MAX_PIXELS) as image:
        return orientation_of(image)


@contextlib.contextmanager
def opened(file: BinaryIO | bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture lazily, turning everything a decoder can raise into ImageError.

    Raises it inside the with statement too.
    """
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    stream.seek(0)
    if not stream.read(1):
        raise ImageError(ImageProblem.EMPTY)
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            # Our own pixel limit stands in for Pillow's, whose warning would only be noise.
            warnings.simplefilter("ignore")
            image = Image.open(stream, formats=FORMATS)
            with image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageError(ImageProblem.TOO_MANY_PIXELS, f"{width}x{height} pixels")
                yield image
    except UnidentifiedImageError as error:
        raise ImageError(ImageProblem.NOT_AN_IMAGE, str(error)) from error
    except Image.DecompressionBombError as error:
        raise ImageError(ImageProblem.TOO_MANY_PIXELS, str(error)) from error
    except MemoryError as error:
        raise ImageError(ImageProblem.TOO_MANY_PIXELS, "not enough memory") from error
    except _DECODER_ERRORS as error:
        text = str(error)
        cut = any(word in text.lower() for word in ("truncated", "unexpected end", "not enough"))
        raise ImageError(ImageProblem.TRUNCATED if cut else ImageProblem.DAMAGED, text) from error


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, that is left to apply."""
    if image.format in ("HEIF", "TIFF"):
        return 1  # these decoders turn the picture themselves
    return exif.orientation(image)
