"""dlib's face recognition network, which face_recognition uses: 150x150 pixels to 128 dimensions.

A ResNet of 29 convolutions by Davis King (CC0), described in his "High Quality Face Recognition
with Deep Metric Learning", 2017. The weights are read from dlib's own file and run in PyTorch
terms, many times as fast on a processor as dlib itself. Batch norms (dlib's "affine" layers) are
folded into the convolutions before them.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceweb.recognition.embedders.base import EmbedderSpec, Float32
from faceweb.recognition.embedders.dlib_file import Convolution, read
from faceweb.recognition.embedders.network import NetworkEmbedder
from faceweb.recognition.engine import Device

SIZE = 150
# What dlib subtracts from red, green and blue, and what it divides the rest by.
_MEANS, _RANGE = (122.782, 117.001, 104.298), 256.0
# The blocks that halve the picture, among the fourteen.
_HALVING = {3, 7, 10, 13}
_BLOCKS = 14


class DlibResnet(nn.Module):
    """uint8 RGB (n, 150, 150, 3) to dlib's own output (n, 128), whose length is about 1.4."""

    means: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()
        convolutions, matrix = read(weights)
        self.register_buffer("means", torch.tensor(_MEANS).reshape(1, 3, 1, 1))
        self.first = _layer(convolutions[0], stride=2, padding=0)
        self.pool = nn.MaxPool2d(3, stride=2)
        side = (_after(SIZE, kernel=7) - 3) // 2 + 1
        blocks = []
        for number in range(_BLOCKS):
            pair = convolutions[1 + 2 * number], convolutions[2 + 2 * number]
            blocks.append(_Block(*pair, side=side, halving=number in _HALVING))
            side = blocks[-1].side
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(matrix.shape[0], matrix.shape[1], bias=False)
        _assign(self.head.weight, matrix.T)

    def forward(self, pixels: Tensor) -> Tensor:
        scaled = (pixels.permute(0, 3, 1, 2).float() - self.means) / _RANGE
        features = self.blocks(self.pool(torch.relu(self.first(scaled))))
        output: Tensor = self.head(features.mean(dim=(2, 3)))
        return output


class _Block(nn.Module):
    """Two convolutions and a shortcut, both zero-padded at their ends to the larger of the two."""

    def __init__(self, one: Convolution, two: Convolution, *, side: int, halving: bool) -> None:
        super().__init__()
        self.one = _layer(one, stride=2 if halving else 1, padding=0 if halving else 1)
        self.two = _layer(two, stride=1, padding=1)
        self.halve = nn.AvgPool2d(2) if halving else nn.Identity()
        straight = _after(side, kernel=3) if halving else side
        short = side // 2 if halving else side
        self.side = max(straight, short)
        inputs, outputs = one.kernel.shape[1], two.kernel.shape[0]
        self.straight_padding = _padding(self.side - straight, max(inputs - outputs, 0))
        self.short_padding = _padding(self.side - short, max(outputs - inputs, 0))

    def forward(self, features: Tensor) -> Tensor:
        straight = self.two(torch.relu(self.one(features)))
        short = self.halve(features)
        return torch.relu(
            functional.pad(straight, self.straight_padding)
            + functional.pad(short, self.short_padding)
        )


def load(spec: EmbedderSpec, device: Device) -> NetworkEmbedder:
    return NetworkEmbedder(DlibResnet(spec.weights.locate()), spec, device)


def _after(side: int, *, kernel: int) -> int:
    """The side of a picture after a convolution of stride 2 without padding."""
    return (side - kernel) // 2 + 1


def _padding(places: int, channels: int) -> tuple[int, ...]:
    """Zeros at the right, at the bottom and after the last channel, as torch's pad wants them."""
    return (0, places, 0, places, 0, channels)


def _layer(weights: Convolution, *, stride: int, padding: int) -> nn.Conv2d:
    """A convolution with its affine layer folded in."""
    outputs, inputs, size, _ = weights.kernel.shape
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding)
    _assign(layer.weight, weights.kernel * weights.gain[:, None, None, None])
    _assign(layer.bias, weights.bias * weights.gain + weights.offset)
    return layer


def _assign(parameter: Tensor | None, values: Float32) -> None:
    assert parameter is not None
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
