"""Pictures for people to look at: reduced, and as JPEG."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def fitted(pixels: Pixels, longest_side: int) -> Pixels:
    """A picture (height, width, 3), made to fit a square of that side if it does not."""
    height, width = pixels.shape[:2]
    share = longest_side / max(height, width)
    if share >= 1:
        return pixels
    wanted = (max(1, round(width * share)), max(1, round(height * share)))
    small = np.ascontiguousarray(pixels)
    # By halves, so that interpolation misses no pixel: a fifth of the time that areas' means take.
    while max(height, width) > 2 * longest_side:
        height, width = (height + 1) // 2, (width + 1) // 2
        small = np.asarray(cv2.resize(small, (width, height)), np.uint8)
    return np.asarray(cv2.resize(small, wanted), np.uint8)


def encode_jpeg(pixels: Pixels, *, longest_side: int, quality: int = 85) -> bytes:
    """Return `pixels` (height, width, 3; RGB) as a JPEG that fits a square, without metadata."""
    buffer = io.BytesIO()
    picture = Image.fromarray(fitted(pixels, longest_side))
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
