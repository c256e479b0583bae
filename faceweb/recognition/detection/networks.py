"""The three networks of MTCNN, with the pretrained weights that facenet-pytorch carries.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016. Inputs are RGB pixels less mid-gray, float32 (n, height, width, 3), -127.5..127.5:
16 bits hold these more precisely than 0..255. The division by 128 that the networks were trained
with is part of their first layer. They were trained on transposed pictures, which shows only in
the order in which the dense layers read their input. Each ends in one layer that gives everything;
a face's score is given as its log-odds.
"""

import math
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceweb.recognition.weights import WeightsFile

_PACKAGE = "facenet_pytorch"
PNET = WeightsFile(_PACKAGE, "data/pnet.pt",
                   "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f")  # fmt: skip
RNET = WeightsFile(_PACKAGE, "data/rnet.pt",
                   "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86")  # fmt: skip
ONET = WeightsFile(_PACKAGE, "data/onet.pt",
                   "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d")  # fmt: skip

_SPREAD = 128.0

Indices = NDArray[np.int64]
Network = TypeVar("Network", "PNet", "RNet", "ONet")


class _Convolutions(nn.Sequential):
    """Convolution, PReLU and pooling in turn, under the names of the weights file.

    The first convolution has its channels filled up to a multiple of 8, as many numbers as a
    processor works on at once, and they are cut off behind its pooling: 6 % of the networks' time.
    """

    def __init__(self, *layers: tuple[int, int, int, int | None]) -> None:
        super().__init__()
        for number, (inputs, outputs, kernel, pool) in enumerate(layers, start=1):
            wide = _filled_up(outputs) if number == 1 else outputs
            self.add_module(f"conv{number}", nn.Conv2d(inputs, wide, kernel))
            self.add_module(f"prelu{number}", nn.PReLU(wide))
            if pool:
                self.add_module(f"pool{number}", nn.MaxPool2d(pool, 2, ceil_mode=True))
            if wide > outputs:
                self.add_module("cut", _Cut(outputs))


class _Cut(nn.Module):
    """The first channels only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, features: Tensor) -> Tensor:
        return features[:, : self.channels]


class PNet(nn.Module):
    """Proposals: a face's score and box offsets for every 12x12 window, at a stride of 2."""

    heads = ("conv4_1", "conv4_2")

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _Convolutions((3, 10, 3, 2), (10, 16, 3, None), (16, 32, 3, None))
        self.head = nn.Conv2d(32, 1 + 4, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, h, w, 3) to (n, 5, h', w'): log-odds and four offsets."""
        output: Tensor = self.head(self.trunk(pixels.permute(0, 3, 1, 2)))
        return output


class RNet(nn.Module):
    """Refinement of 24x24 windows."""

    heads = ("dense5_1", "dense5_2")

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _Convolutions((3, 28, 3, 3), (28, 48, 3, 3), (48, 64, 2, None))
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.head = nn.Linear(128, 1 + 4)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 24, 24, 3) to (n, 5): log-odds and four offsets."""
        features = self.trunk(pixels.permute(0, 3, 1, 2)).permute(0, 3, 2, 1).flatten(1)
        output: Tensor = self.head(self.prelu4(self.dense4(features)))
        return output


class ONet(nn.Module):
    """Output: the final score, box offsets and five landmarks of 48x48 windows."""

    heads = ("dense6_1", "dense6_2", "dense6_3")

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _Convolutions(
            (3, 32, 3, 3), (32, 64, 3, 3), (64, 64, 3, 2), (64, 128, 2, None)
        )
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.head = nn.Linear(256, 1 + 4 + 10)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 48, 48, 3) to (n, 15): log-odds, four offsets, the landmarks' five x and five y."""
        features = self.trunk(pixels.permute(0, 3, 1, 2)).permute(0, 3, 2, 1).flatten(1)
        output: Tensor = self.head(self.prelu5(self.dense5(features)))
        return output


def load(network: Network, weights: WeightsFile) -> Network:
    """Fill a network with its verified weights. Raises WeightsError."""
    state = torch.load(weights.locate(), map_location="cpu", weights_only=True)
    for part in ("weight", "bias"):
        # The first head gives "no face" and "face"; their difference is the log-odds.
        scores, *others = (state.pop(f"{head}.{part}") for head in network.heads)
        state[f"head.{part}"] = torch.cat([scores[1:] - scores[:1], *others])
    state["conv1.weight"] = state["conv1.weight"] / _SPREAD
    wanted = network.state_dict()
    trunk = set(network.trunk.state_dict())
    renamed = {f"trunk.{n}" if n in trunk else n: value for n, value in state.items()}
    network.load_state_dict({n: _with_zeros(value, wanted[n]) for n, value in renamed.items()})
    return network.eval().requires_grad_(False)


def log_odds(share: float) -> float:
    """A probability as the networks give it."""
    if not 0 < share < 1:
        return math.inf if share >= 1 else -math.inf
    return math.log(share / (1 - share))


def with_repeats(indices: Indices, step: int) -> Indices:
    """Indices and repeats of them, a multiple of `step`, so that networks see few numbers."""
    return np.resize(indices, -(-len(indices) // step) * step)


def _filled_up(channels: int) -> int:
    return -(-channels // 8) * 8


def _with_zeros(value: Tensor, like: Tensor) -> Tensor:
    """A tensor with as many outputs as another, zero where it has none."""
    return torch.cat([value, value.new_zeros((len(like) - len(value), *value.shape[1:]))])
