"""Safe and correct decoding: any file in, an upright 8-bit RGB picture out, or a clear refusal.

The order matters. What the header says may be reason enough to refuse (headers.py). JPEGs are
then decoded at the smallest of their own scales that still serves, which saves time and memory.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceweb.recognition import exif, jpeg
from faceweb.recognition.headers import DEFAULT_MAX_PIXELS, MEDIA_TYPES, opened, orientation_of

Pixels = NDArray[np.uint8]

# Faces are found and aligned on a picture whose longer side has at most this many pixels.
WORKING_SIDE = 2560

# Above this many decoded pixels, photos take turns, so that two of them never add up.
_LARGE = 30_000_000
_large_turn = threading.Lock()

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An upright picture.

    `pixels` is uint8 of shape (height, width, 3), RGB. It may be smaller than the photo:
    one of its pixels covers `scale` pixels of the upright photo, whose size in pixels is
    `width` x `height`. `taken_at` is when the file says it was taken: with a time zone if the
    file gives one, else in the time of wherever that was. `jpeg` is the same picture as a JPEG
    without metadata, if it came as one that is upright and was not reduced.
    """

    pixels: Pixels
    width: int
    height: int
    scale: float
    media_type: str
    taken_at: datetime | None = None
    jpeg: bytes | None = None


def decode(
    file: BinaryIO | bytes,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    working_side: int = WORKING_SIDE,
    turns: int = 0,
) -> DecodedImage:
    """Decode the first frame of a picture, upright, as 8-bit RGB.

    `turns` are quarter turns to the left on top of what the file says is upright.

    `max_pixels` is the most pixels a picture may have; one with more raises
    ImageError(TOO_MANY_PIXELS) before it is decoded. Incomplete and damaged files raise
    TRUNCATED and DAMAGED, anything that is not a picture NOT_AN_IMAGE or EMPTY.
    """
    with opened(file, max_pixels) as image:
        stored_width, stored_height = image.size
        orientation = orientation_of(image)
        media_type = MEDIA_TYPES[image.format or ""]
        taken_at = exif.taken_at(image)
        is_upright = orientation not in _TRANSPOSE and not turns % 4
        bare = _bare(file, image) if is_upright and max(image.size) <= working_side else None
        pixels = _at_once(bare, image.size) if bare else None
        if pixels is None:
            bare = None
            pixels = _step_by_step(image, working_side, orientation, turns)
    rows, columns = pixels.shape[:2]
    width, height = stored_width, stored_height
    # Some decoders turn the picture themselves, so the turn is read off the result.
    if (columns > rows) != (width > height) and columns != rows:
        width, height = height, width
    scale = max(width, height) / max(rows, columns)
    return DecodedImage(pixels, width, height, scale, media_type, taken_at, bare)


def _bare(file: BinaryIO | bytes, image: Image.Image) -> bytes | None:
    if image.format not in ("JPEG", "MPO") or image.mode not in ("RGB", "L"):
        return None
    if not isinstance(file, bytes):
        file.seek(0)
        file = file.read()
    return jpeg.bare(file)


def _at_once(bare: bytes, size: tuple[int, int]) -> Pixels | None:
    """The pixels of a bare JPEG of this width and height, None if OpenCV does not decode it.

    It uses the same library as Pillow and comes to the same pixels, in two thirds of the time; but
    it would overlook some damage that a bare JPEG cannot have, and does not say what is wrong.
    """
    with contextlib.suppress(cv2.error):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(bare, np.uint8), flags)
        if pixels is not None and pixels.shape[1::-1] == size:
            return np.asarray(pixels, np.uint8)
    return None


def _step_by_step(image: Image.Image, working_side: int, orientation: int, turns: int) -> Pixels:
    with _decoding(image, working_side):
        picture = _to_rgb(image)
        picture.thumbnail((working_side, working_side), Image.Resampling.BOX)
    if orientation in _TRANSPOSE:
        picture = picture.transpose(_TRANSPOSE[orientation])
    if turns % 4:
        picture = picture.transpose(_QUARTER_TURNS[turns % 4])
    return np.asarray(picture)


@contextlib.contextmanager
def _decoding(image: Image.Image, working_side: int) -> Iterator[None]:
    """Load the pixels: JPEGs at their own reduced scale, huge pictures one at a time."""
    # draft() keeps both sides at or above what is asked for, so the right shape is asked for.
    share = min(1.0, working_side / max(image.size))
    wanted = (max(1, int(image.width * share)), max(1, int(image.height * share)))
    image.draft("RGB" if image.mode == "YCbCr" else image.mode, wanted)
    large = image.size[0] * image.size[1] > _LARGE
    with _large_turn if large else contextlib.nullcontext():
        image.load()
        yield


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: 16 bits are rescaled, transparency is laid on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _rescaled(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def _rescaled(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and floating-point grey to 8 bits; convert() would clip to white."""
    grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = float(grey.min()), float(grey.max())
    if high > 255 or low < 0:
        top = 65535.0 if image.mode.startswith("I") and low >= 0 and high <= 65535 else high
        bottom = min(low, 0.0)
        grey = (grey - bottom) * (255.0 / max(top - bottom, 1.0))
    elif image.mode == "F" and high <= 1.0:
        grey = grey * 255.0
    return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
