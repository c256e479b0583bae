"""Pictures for people to look at."""

import io

from PIL import Image

from faceweb.recognition.reducing import Pixels, fitted


def encode_jpeg(pixels: Pixels, *, longest_side: int, quality: int = 85) -> bytes:
    """Return `pixels` (height, width, 3; RGB) as a JPEG that fits a square, without metadata."""
    buffer = io.BytesIO()
    picture = Image.fromarray(fitted(pixels, longest_side))
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
