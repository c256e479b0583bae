"""An embedder that is one network of ours."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from faceweb.recognition.embedders.base import EmbedderSpec, Float32, unit_length
from faceweb.recognition.engine import Device, at_once, compiled

_AT_ONCE = 4  # crops in one pass: more gain nothing or even lose, as caches are small


class NetworkEmbedder:
    """A network from crops, uint8 RGB (n, size, size, 3), to vectors (n, d), ready to run.

    `half`: whether it may compute in 16 bits, because it was measured that this does no harm.
    """

    def __init__(
        self, module: nn.Module, spec: EmbedderSpec, device: Device, *, half: bool = False
    ) -> None:
        self._dimension = spec.dimension
        self._at_once = at_once(_AT_ONCE, device)
        example = (2, spec.crop.size, spec.crop.size, 3)
        self._network = compiled(module, device=device, example=example, half=half, apart=True)

    def embed(self, crops: NDArray[np.uint8]) -> Float32:
        """See Embedder.embed."""
        starts = range(0, len(crops), self._at_once)
        outputs = [self._network(crops[at : at + self._at_once])[0] for at in starts]
        return unit_length(np.concatenate([*outputs, np.zeros((0, self._dimension), np.float32)]))
