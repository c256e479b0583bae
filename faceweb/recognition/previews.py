"""Pictures for people to look at."""

import cv2
import numpy as np

from faceweb.recognition.reducing import Pixels, fitted


def encode_jpeg(pixels: Pixels, *, longest_side: int, quality: int = 85) -> bytes:
    """Return `pixels` (height, width, 3; RGB) as a JPEG that fits a square, without metadata."""
    picture = np.ascontiguousarray(fitted(pixels, longest_side))
    # Unlike Pillow, which writes the same bytes, OpenCV lets other threads run meanwhile.
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return encoded.tobytes()
