"""Running a network on the device at hand: OpenVINO on a processor, PyTorch on a GPU.

A network is a PyTorch module from pixels, uint8 (n, height, width, 3), to one or more float32
outputs. It is defined once; what runs it is decided here. On processors OpenVINO's compiled form
of the same module is 1.2 to 1.8 times as fast as PyTorch (docs/adr/0006), with the same answers.
"""

import os
import threading
import warnings
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Device = Literal["cpu", "cuda"]


class DeviceUnavailable(Exception):
    """The device that was asked for is not here; the message says what to do."""


class Network(Protocol):
    """A network that is ready to run. Safe to call from several threads."""

    def __call__(self, pixels: Pixels) -> list[Float32]:
        """uint8 (n, height, width, 3), n at least 1, to the network's outputs."""
        ...


def choose_device(wanted: str) -> Device:
    """`auto` takes a GPU where there is one. Raises DeviceUnavailable."""
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise DeviceUnavailable(
            "FACEWEB_DEVICE is cuda, but PyTorch finds no GPU here. Install a CUDA build of torch "
            "and the driver, or set FACEWEB_DEVICE to auto or cpu."
        )
    return "cpu"


def compiled(
    module: nn.Module,
    *,
    device: Device,
    example: tuple[int, ...],
    fixed_size: bool = True,
    half: bool = False,
) -> Network:
    """Make a module ready to run on a device.

    `example` is the shape of a typical input. The number of pictures may differ from call to
    call; their height and width only without `fixed_size`. With `half` a GPU computes in 16 bits;
    processors always compute in 32.
    """
    module = module.eval().requires_grad_(False)
    if device == "cuda":
        return _OnGpu(module, half=half)
    return _OnProcessor(module, example, fixed_size)


class _OnProcessor:
    """OpenVINO, one core for each thread that calls."""

    def __init__(self, module: nn.Module, example: tuple[int, ...], fixed_size: bool) -> None:
        import openvino

        shape = [-1, *example[1:]] if fixed_size else [-1, -1, -1, 3]
        with torch.inference_mode(), warnings.catch_warnings():
            # OpenVINO reads modules by tracing, which PyTorch calls deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            model = openvino.convert_model(
                module,
                example_input=torch.zeros(example, dtype=torch.uint8),
                input=[openvino.PartialShape(shape)],
            )
        # Requests are tied to streams as they come, so there are more streams than cores: with just
        # as many, two threads may share one while another idles.
        streams = 2 * (os.cpu_count() or 1)
        self._model = openvino.Core().compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": streams,
                "NUM_STREAMS": streams,
                "ENABLE_CPU_PINNING": False,
            },
        )
        self._outputs = len(self._model.outputs)
        self._local = threading.local()

    def __call__(self, pixels: Pixels) -> list[Float32]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._model.create_infer_request()
        results = request.infer([np.ascontiguousarray(pixels)], share_inputs=True)
        return [results[number] for number in range(self._outputs)]


class _OnGpu:
    """PyTorch, in channels_last order."""

    def __init__(self, module: nn.Module, *, half: bool) -> None:
        # PyTorch's own type of to() leaves memory_format out.
        self._module = module.to("cuda", memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._half = half

    def __call__(self, pixels: Pixels) -> list[Float32]:
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=self._half):
            outputs = self._module(torch.from_numpy(np.ascontiguousarray(pixels)).to("cuda"))
            outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
            return [output.float().cpu().numpy() for output in outputs]
