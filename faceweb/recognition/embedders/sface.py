"""SFace: a MobileFaceNet-like network for identity, 112x112 pixels to 128 dimensions.

Weights: OpenCV Zoo's block-quantized ONNX file (Apache-2.0), dequantized once at load.
Architecture: Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face
Recognition", 2021. Every batch norm is folded into the layer before it, or for the last
convolution's into the layer behind it, so that what runs is convolutions and PReLUs only.
On processors with AVX2 the widest 1x1 convolutions, which take most of the time, compute in 8 bits.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from faceweb.recognition import engine
from faceweb.recognition.embedders.base import EmbedderSpec, Float32
from faceweb.recognition.embedders.int8 import in_int8
from faceweb.recognition.embedders.network import NetworkEmbedder

_STRIDES = {3: 2, 5: 2, 7: 2, 13: 2}  # depthwise convolutions that halve the picture
_LAST_CONVOLUTION = 14
_INPUTS_IN_INT8 = 256  # and more: nine of thirteen 1x1 convolutions (docs/adr/0006)
_CONVOLUTION_EPSILON = 1e-3
_HEAD_EPSILON = 2e-5

_Tensors = Mapping[str, Float32]


class SFaceNetwork(nn.Module):
    """uint8 RGB (n, 112, 112, 3) to raw output (n, 128)."""

    def __init__(self, weights: Path, *, int8: bool = False) -> None:
        super().__init__()
        self.layers = _build(_dequantized(onnx.load(weights)), int8=int8)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scaled = (pixels.permute(0, 3, 1, 2).float() - 127.5) * 0.0078125
        output: torch.Tensor = self.layers(scaled)
        return output


def load(spec: EmbedderSpec, device: engine.Device) -> NetworkEmbedder:
    network = SFaceNetwork(spec.weights.locate(), int8=device == "cpu" and engine.has_int8())
    return NetworkEmbedder(network, spec, device, half=True)


def _dequantized(model: onnx.ModelProto) -> dict[str, Float32]:
    """All weights of the ONNX file as float32, undoing its int8 blocks."""
    raw = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    tensors = {name: array for name, array in raw.items() if array.dtype == np.float32}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear":
            continue
        options = {a.name: a.i for a in node.attribute}
        values, scales, zeros = (raw[name] for name in node.input)
        axis, size = options["axis"], values.shape[options["axis"]]

        def spread(blocks: NDArray[np.generic], axis: int = axis, size: int = size,
                   block: int = options["block_size"]) -> Float32:  # fmt: skip
            repeated = np.repeat(blocks.astype(np.float32), block, axis=axis)
            return repeated.take(range(size), axis=axis)

        if values.ndim == 1:
            axis = 0
        name = node.input[0].removesuffix("_quantized")
        dense = (values.astype(np.float32) - spread(zeros)) * spread(scales)
        shape = raw.get(f"{name}_shape")
        tensors[name] = dense.reshape(shape) if shape is not None else dense
    return tensors


def _build(tensors: _Tensors, *, int8: bool) -> nn.Sequential:
    layers: list[nn.Module] = [*_convolution(tensors, "conv_1", stride=1, depthwise=False)]
    for number in range(2, _LAST_CONVOLUTION + 1):
        name, stride = f"conv_{number}_dw", _STRIDES.get(number, 1)
        before, activation = _convolution(tensors, name, stride=stride, depthwise=True)
        pointwise, last = _convolution(tensors, f"conv_{number}", stride=1, depthwise=False)
        mixing: nn.Module = pointwise
        if int8 and pointwise.in_channels >= _INPUTS_IN_INT8:
            mean, spread = (tensors[f"{name}_batchnorm_{what}"] for what in ("beta", "gamma"))
            mixing = in_int8(before, activation, pointwise, mean, spread)
        layers += [before, activation, mixing, last]
    return nn.Sequential(*layers, nn.Flatten(), _head(tensors))


def _convolution(
    tensors: _Tensors, name: str, *, stride: int, depthwise: bool
) -> tuple[nn.Conv2d, nn.PReLU]:
    """A convolution with its batch norm folded in, and its PReLU."""
    kernel = tensors[f"{name}_conv2d_weight"]
    gain, offset = _batch_norm(tensors, f"{name}_batchnorm", _CONVOLUTION_EPSILON)
    channels, _, size, _ = kernel.shape
    layer = nn.Conv2d(
        channels if depthwise else kernel.shape[1],
        channels,
        size,
        stride=stride,
        padding=size // 2,
        groups=channels if depthwise else 1,
    )
    _assign(layer.weight, kernel * gain[:, None, None, None])
    _assign(layer.bias, offset)
    activation = nn.PReLU(channels)
    _assign(activation.weight, tensors[f"{name}_relu_gamma"].ravel())
    return layer, activation


def _head(tensors: _Tensors) -> nn.Linear:
    """batch norm, flatten, linear, batch norm: all of it one linear layer."""
    gain_in, offset_in = _batch_norm(tensors, "bn1", _HEAD_EPSILON)
    gain_out, offset_out = _batch_norm(tensors, "fc1", _HEAD_EPSILON)
    weight, bias = tensors["pre_fc1_weight"], tensors["pre_fc1_bias"]
    positions = weight.shape[1] // len(gain_in)  # flattening is channel-major
    weight_in = weight * np.repeat(gain_in, positions)
    bias_in = bias + weight @ np.repeat(offset_in, positions)
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    _assign(layer.weight, weight_in * gain_out[:, None])
    _assign(layer.bias, bias_in * gain_out + offset_out)
    return layer


def _batch_norm(tensors: _Tensors, name: str, epsilon: float) -> tuple[Float32, Float32]:
    """A batch norm as y = gain * x + offset."""
    variance = tensors[f"{name}_moving_var"]
    gain: Float32 = tensors[f"{name}_gamma"] / np.sqrt(variance + epsilon)
    offset: Float32 = tensors[f"{name}_beta"] - tensors[f"{name}_moving_mean"] * gain
    return gain, offset


def _assign(parameter: torch.Tensor | None, values: Float32) -> None:
    assert parameter is not None
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
