"""The three networks of MTCNN, with the pretrained weights that facenet-pytorch carries.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016. Inputs are RGB, (x - 127.5) / 128; the networks were trained on transposed
pictures, which shows only in the order in which the dense layers read their input.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn

from faceweb.recognition.weights import WeightsFile

_PACKAGE = "facenet_pytorch"
PNET = WeightsFile(_PACKAGE, "data/pnet.pt",
                   "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f")  # fmt: skip
RNET = WeightsFile(_PACKAGE, "data/rnet.pt",
                   "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86")  # fmt: skip
ONET = WeightsFile(_PACKAGE, "data/onet.pt",
                   "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d")  # fmt: skip

Network = TypeVar("Network", "PNet", "RNet", "ONet")


class _Convolutions(nn.Sequential):
    """Convolution, PReLU and pooling in turn, under the names of the weights file."""

    def __init__(self, *layers: tuple[int, int, int, int | None]) -> None:
        super().__init__()
        for number, (inputs, outputs, kernel, pool) in enumerate(layers, start=1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, kernel))
            self.add_module(f"prelu{number}", nn.PReLU(outputs))
            if pool:
                self.add_module(f"pool{number}", nn.MaxPool2d(pool, 2, ceil_mode=True))


class PNet(nn.Module):
    """Proposals: a face score and box offsets for every 12x12 window, at a stride of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _Convolutions((3, 10, 3, 2), (10, 16, 3, None), (16, 32, 3, None))
        self.conv4_1 = nn.Conv2d(32, 2, 1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) to scores (n, h', w') and offsets (n, 4, h', w')."""
        features = self.trunk(pixels)
        return self.conv4_1(features).softmax(1)[:, 1], self.conv4_2(features)


class RNet(nn.Module):
    """Refinement of 24x24 windows."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _Convolutions((3, 28, 3, 3), (28, 48, 3, 3), (48, 64, 2, None))
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.dense5_2 = nn.Linear(128, 4)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, 24, 24) to scores (n,) and offsets (n, 4)."""
        features = self.trunk(pixels).permute(0, 3, 2, 1).flatten(1)
        features = self.prelu4(self.dense4(features))
        return self.dense5_1(features).softmax(1)[:, 1], self.dense5_2(features)


class ONet(nn.Module):
    """Output: the final score, box offsets and five landmarks of 48x48 windows."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _Convolutions(
            (3, 32, 3, 3), (32, 64, 3, 3), (64, 64, 3, 2), (64, 128, 2, None)
        )
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, 48, 48) to scores (n,), offsets (n, 4) and landmarks (n, 10: five x, five y)."""
        features = self.trunk(pixels).permute(0, 3, 2, 1).flatten(1)
        features = self.prelu5(self.dense5(features))
        scores = self.dense6_1(features).softmax(1)[:, 1]
        return scores, self.dense6_2(features), self.dense6_3(features)


def load(network: Network, weights: WeightsFile) -> Network:
    """Fill a network with its verified weights. Raises WeightsError."""
    state = torch.load(weights.locate(), map_location="cpu", weights_only=True)
    trunk = set(network.trunk.state_dict())
    renamed = {f"trunk.{n}" if n in trunk else n: value for n, value in state.items()}
    network.load_state_dict(renamed)
    # PyTorch's own type of to() leaves memory_format out.
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
