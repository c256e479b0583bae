"""1x1 convolutions in 8 bits, without photos to find their ranges on.

A batch norm says how its outputs lie, channel by channel: about its offset, spread by its gain.
The range of what a convolution behind it takes in follows from that (Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", 2019). Channels whose range is small
beside their weights are enlarged first and these weights made smaller, so that one step of 8 bits
is fine enough for all (Xiao et al., "SmoothQuant", 2023, with equal shares for both).
"""

import numpy as np
import torch
from torch import Tensor, nn

from faceweb.recognition.embedders.base import Float32

_DEVIATIONS = 7  # from the mean, to either side; what lies beyond is cut off


class Int8Convolution(nn.Module):
    """A 1x1 convolution, (n, channels, h, w) to (n, outputs, h, w), rounded to 8 bits.

    Inputs, which lie between `low` and `high`, and weights are. OpenVINO makes of this arithmetic
    with 8-bit integers.
    """

    steps: Tensor
    zeros: Tensor

    def __init__(self, convolution: nn.Conv2d, low: float, high: float) -> None:
        super().__init__()
        self._convolution = convolution
        self._step = (high - low) / 255
        self._zero = round(-low / self._step)
        steps = _positive(convolution.weight.detach().abs().amax(dim=(1, 2, 3))) / 127
        self.register_buffer("steps", steps)
        self.register_buffer("zeros", torch.zeros(len(steps), dtype=torch.int32))

    def forward(self, inputs: Tensor) -> Tensor:
        rounded = torch.fake_quantize_per_tensor_affine(inputs, self._step, self._zero, 0, 255)
        weight = torch.fake_quantize_per_channel_affine(
            self._convolution.weight, self.steps, self.zeros, 0, -127, 127
        )
        return nn.functional.conv2d(rounded, weight, self._convolution.bias)


def in_int8(
    before: nn.Conv2d, activation: nn.PReLU, convolution: nn.Conv2d, mean: Float32, spread: Float32
) -> Int8Convolution:
    """A 1x1 convolution in 8 bits, for the place behind `before` and `activation`.

    `mean` and `spread` (channels,) say how the outputs of `before` lie. The weights of `before` and
    `convolution` are changed; together they still compute the same.
    """
    reach = _DEVIATIONS * np.abs(spread)
    with torch.no_grad():
        ends = activation(torch.from_numpy(np.stack([mean - reach, mean + reach])))
        low, high = ends.amin(dim=0).clamp(max=0), ends.amax(dim=0).clamp(min=0)
        largest = _positive(torch.maximum(high, -low))
        scale = (largest / _positive(convolution.weight.abs().amax(dim=(0, 2, 3)))).sqrt()
        # To scale before a PReLU is as good as behind it.
        _multiply(before.weight, 1 / scale[:, None, None, None])
        _multiply(before.bias, 1 / scale)
        _multiply(convolution.weight, scale[None, :, None, None])
    return Int8Convolution(convolution, float((low / scale).min()), float((high / scale).max()))


def _positive(numbers: Tensor) -> Tensor:
    """Without zeros, for channels that say nothing."""
    return numbers.clamp(min=1e-6 * float(numbers.max()))


def _multiply(parameter: Tensor | None, factor: Tensor) -> None:
    assert parameter is not None
    parameter.mul_(factor)
