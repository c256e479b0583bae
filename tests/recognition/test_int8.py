"""8 bits: ranges from batch norms, and how little is lost."""

import numpy as np
import pytest
import torch
from torch import nn

from faceweb.recognition.embedders import int8


def layers(seed: int = 0) -> tuple[nn.Conv2d, nn.PReLU, nn.Conv2d, np.ndarray, np.ndarray]:
    """Three layers whose channels differ a thousandfold, and how the first's outputs lie."""
    torch.manual_seed(seed)
    before = nn.Conv2d(8, 8, 1, groups=8).requires_grad_(False)
    spread = torch.logspace(-2, 1, 8)
    mean = spread * torch.randn(8)
    before.weight[:, 0, 0, 0] = spread
    before.bias[:] = mean
    activation = nn.PReLU(8).requires_grad_(False)
    activation.weight[:] = torch.tensor([-0.5, 0, 0.1, 0.25, 0.25, 0.5, 1, 2])
    convolution = nn.Conv2d(8, 16, 1).requires_grad_(False)
    convolution.weight /= spread[None, :, None, None]
    return before, activation, convolution, mean.numpy(), spread.numpy()


def test_8_bits_say_nearly_the_same():
    before, activation, convolution, mean, spread = layers()
    inputs = torch.randn(4, 8, 9, 9)
    expected = convolution(activation(before(inputs)))
    small = int8.in_int8(before, activation, convolution, mean, spread)
    result = small(activation(before(inputs)))
    assert not torch.equal(result, expected)
    assert float((result - expected).abs().mean() / expected.abs().mean()) < 0.02


def test_scaling_alone_changes_nothing():
    before, activation, convolution, mean, spread = layers()
    inputs = torch.randn(4, 8, 9, 9)
    expected = convolution(activation(before(inputs)))
    int8.in_int8(before, activation, convolution, mean, spread)
    torch.testing.assert_close(convolution(activation(before(inputs))), expected)


def test_what_lies_far_out_is_cut_off():
    before, activation, convolution, mean, spread = layers()
    inputs = torch.randn(1, 8, 3, 3)
    small = int8.in_int8(before, activation, convolution, mean, spread)
    far, farther = (small(activation(before(inputs.sign() * size))) for size in (1e3, 1e6))
    torch.testing.assert_close(far, farther)


@pytest.mark.parametrize("what", ["spread", "weight", "output"])
def test_channels_that_say_nothing_do_no_harm(what):
    before, activation, convolution, mean, spread = layers()
    before.weight[3], before.bias[3], mean[3] = 0, 0, 0
    if what == "spread":
        spread[3] = 0
    elif what == "output":
        convolution.weight[5] = 0
    else:
        convolution.weight[:, 3] = 0
    expected = convolution(activation(before(torch.ones(1, 8, 3, 3))))
    small = int8.in_int8(before, activation, convolution, mean, spread)
    result = small(activation(before(torch.ones(1, 8, 3, 3))))
    torch.testing.assert_close(result, expected, rtol=0.1, atol=0.05)
