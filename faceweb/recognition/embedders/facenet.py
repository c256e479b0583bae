"""FaceNet as facenet-pytorch publishes it: 160x160 pixels to 512 dimensions.

An Inception-ResNet v1 (Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", 2016), trained by David Sandberg on VGGFace2 and ported to PyTorch by
Timothy Esler. Layers have the names that they have in the published file of weights.
"""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from faceweb.recognition.embedders.base import EmbedderSpec
from faceweb.recognition.embedders.network import NetworkEmbedder
from faceweb.recognition.engine import Device
from faceweb.recognition.errors import WeightsError

SIZE, DIMENSION = 160, 512
_EPSILON = 1e-3
# Layers of the classifier that the network was trained with; the embedding is what precedes it.
_CLASSIFIER = "logits."

_Pair = tuple[int, int]


class InceptionResnet(nn.Module):
    """uint8 RGB (n, 160, 160, 3) to output (n, 512), not brought to unit length yet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_1a = _unit(3, 32, 3, stride=2)
        self.conv2d_2a = _unit(32, 32, 3)
        self.conv2d_2b = _unit(32, 64, 3, padding=1)
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = _unit(64, 80, 1)
        self.conv2d_4a = _unit(80, 192, 3)
        self.conv2d_4b = _unit(192, 256, 3, stride=2)
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = _mixed_6a()
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = _mixed_7a()
        self.repeat_3 = nn.Sequential(*(_block8(scale=0.2) for _ in range(5)))
        self.block8 = _block8(scale=1.0, last=True)
        self.last_linear = nn.Linear(1792, DIMENSION, bias=False)
        self.last_bn = nn.BatchNorm1d(DIMENSION, eps=_EPSILON)

    def forward(self, pixels: Tensor) -> Tensor:
        features = (pixels.permute(0, 3, 1, 2).float() - 127.5) / 128.0
        features = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(features)))
        features = self.conv2d_3b(self.maxpool_3a(features))
        features = self.conv2d_4b(self.conv2d_4a(features))
        features = self.mixed_6a(self.repeat_1(features))
        features = self.mixed_7a(self.repeat_2(features))
        features = self.block8(self.repeat_3(features))
        output: Tensor = self.last_bn(self.last_linear(features.mean(dim=(2, 3))))
        return output


class _Branches(nn.Module):
    """Several ways through, side by side; their channels are put together."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self._names = [f"branch{number}" for number in range(len(branches))]
        for name, branch in zip(self._names, branches, strict=True):
            self.add_module(name, branch)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(name)(features) for name in self._names], dim=1)


class _Residual(_Branches):
    """Branches whose result is scaled and added to what came in."""

    def __init__(
        self, *branches: nn.Module, channels: _Pair, scale: float, last: bool = False
    ) -> None:
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(channels[0], channels[1], 1)
        self._scale = scale
        self._last = last

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.conv2d(super().forward(features)) * self._scale + features
        return result if self._last else torch.relu(result)


def load(spec: EmbedderSpec, device: Device) -> NetworkEmbedder:
    return NetworkEmbedder(load_network(spec.weights.locate()), spec, device)


def load_network(weights: Path) -> InceptionResnet:
    """The network with its weights. Nothing in the file is run. Raises WeightsError."""
    network = InceptionResnet()
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        if not isinstance(state, Mapping):
            raise TypeError("it holds no layers")
        network.load_state_dict(
            {name: value for name, value in state.items() if not name.startswith(_CLASSIFIER)}
        )
    except (OSError, EOFError, pickle.UnpicklingError, RuntimeError, AttributeError, TypeError,
            KeyError, ValueError) as error:  # fmt: skip
        raise WeightsError(
            f"{weights} is not the file of weights that facenet-pytorch publishes "
            f"({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})."
        ) from error
    return network


def _unit(
    inputs: int,
    outputs: int,
    kernel: int | _Pair,
    *,
    stride: int = 1,
    padding: int | _Pair = 0,
) -> nn.Sequential:
    """A convolution with its batch norm and ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
            bn=nn.BatchNorm2d(outputs, eps=_EPSILON),
            relu=nn.ReLU(),
        )
    )


def _block35() -> _Residual:
    return _Residual(
        _unit(256, 32, 1),
        nn.Sequential(_unit(256, 32, 1), _unit(32, 32, 3, padding=1)),
        nn.Sequential(_unit(256, 32, 1), _unit(32, 32, 3, padding=1), _unit(32, 32, 3, padding=1)),
        channels=(96, 256),
        scale=0.17,
    )


def _mixed_6a() -> _Branches:
    return _Branches(
        _unit(256, 384, 3, stride=2),
        nn.Sequential(
            _unit(256, 192, 1), _unit(192, 192, 3, padding=1), _unit(192, 256, 3, stride=2)
        ),
        nn.MaxPool2d(3, stride=2),
    )


def _block17() -> _Residual:
    return _Residual(
        _unit(896, 128, 1),
        nn.Sequential(
            _unit(896, 128, 1),
            _unit(128, 128, (1, 7), padding=(0, 3)),
            _unit(128, 128, (7, 1), padding=(3, 0)),
        ),
        channels=(256, 896),
        scale=0.1,
    )


def _mixed_7a() -> _Branches:
    return _Branches(
        nn.Sequential(_unit(896, 256, 1), _unit(256, 384, 3, stride=2)),
        nn.Sequential(_unit(896, 256, 1), _unit(256, 256, 3, stride=2)),
        nn.Sequential(
            _unit(896, 256, 1), _unit(256, 256, 3, padding=1), _unit(256, 256, 3, stride=2)
        ),
        nn.MaxPool2d(3, stride=2),
    )


def _block8(*, scale: float, last: bool = False) -> _Residual:
    return _Residual(
        _unit(1792, 192, 1),
        nn.Sequential(
            _unit(1792, 192, 1),
            _unit(192, 192, (1, 3), padding=(0, 1)),
            _unit(192, 192, (3, 1), padding=(1, 0)),
        ),
        channels=(384, 1792),
        scale=scale,
        last=last,
    )
