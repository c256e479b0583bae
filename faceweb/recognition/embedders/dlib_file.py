"""Reading the weights out of dlib's file of its face recognition network.

dlib writes an integer as a control byte (how many bytes follow; its top bit is the sign) and that
many bytes, least first; a text as its length and its characters; a tensor as five integers
(version, samples, channels, rows, columns) and its numbers as float32. Layers with weights begin
with their name. Between them stand settings and empty buffers that do not matter here, so the
reader goes from name to name. The file is trusted by its hash before it is read.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceweb.recognition.embedders.base import Float32
from faceweb.recognition.errors import WeightsError

_CONVOLUTIONS = 29
# The filters of each convolution: how many, and of what side.
_FILTERS = [(32, 7), *[(32, 3)] * 6, *[(64, 3)] * 8, *[(128, 3)] * 6, *[(256, 3)] * 8]
_TENSOR_VERSION = 2


@dataclass(frozen=True, eq=False)
class Convolution:
    """The kernel (out, in, rows, columns) and bias of a convolution, and the affine behind it.

    The affine layer is gain * x + offset, each (out,).
    """

    kernel: Float32
    bias: Float32
    gain: Float32
    offset: Float32


def read(path: Path) -> tuple[list[Convolution], Float32]:
    """The 29 convolutions in the order in which they are applied, and the last layer's matrix.

    The matrix (256, 128) turns the features of a face into its embedding. Raises WeightsError if
    the file holds something else.
    """
    reader = _Reader(path)
    convolutions, inputs = [], 3
    for filters, side in _FILTERS:
        shape = (filters, inputs, side, side)
        numbers = reader.tensor_after("con_4", math.prod(shape) + filters)
        affine = reader.tensor_after("affine_", 2 * filters)
        convolutions.append(
            Convolution(
                kernel=numbers[:-filters].reshape(shape),
                bias=numbers[-filters:],
                gain=affine[:filters],
                offset=affine[filters:],
            )
        )
        inputs = filters
    return convolutions, reader.tensor_after("fc_2", 256 * 128, integers=2).reshape(256, 128)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = path.read_bytes()
        self._place = 0

    def tensor_after(self, name: str, count: int, *, integers: int = 0) -> Float32:
        """The tensor that follows the next layer of this name, after so many integers."""
        text = bytes([1, len(name)]) + name.encode()
        found = self._data.find(text, self._place)
        if found < 0:
            raise self._unexpected(f"no {name!r} layer is left")
        self._place = found + len(text)
        for _ in range(integers):
            self._integer()
        version, *shape = (self._integer() for _ in range(5))
        if version != _TENSOR_VERSION or math.prod(shape) != count:
            raise self._unexpected(f"a tensor of {shape} instead of {count} numbers")
        start, self._place = self._place, self._place + 4 * count
        if self._place > len(self._data):
            raise self._unexpected("its end is missing")
        return np.frombuffer(self._data, "<f4", count, start)

    def _integer(self) -> int:
        if self._place >= len(self._data):
            raise self._unexpected("its end is missing")
        control = self._data[self._place]
        start, self._place = self._place + 1, self._place + 1 + (control & 0x0F)
        value = int.from_bytes(self._data[start : self._place], "little")
        return -value if control & 0x80 else value

    def _unexpected(self, what: str) -> WeightsError:
        return WeightsError(f"{self._path} is not dlib's face recognition network: {what}.")
