"""Where faces are in a photo."""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def prominence(boxes: Float32, *, width: int, height: int) -> Float32:
    """How much each of the boxes (n, 4) looks like the subject of its photo, as weights (n,).

    The area of the box in pixels, less the further its middle is from the photo's: a face
    half-way to a corner counts about a third.
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    off_centre = np.hypot(*((middle - np.array([width, height]) / 2).T / max(width, height) * 2))
    area = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    weights: Float32 = area * np.exp(-((off_centre / 0.5) ** 2))
    return weights
