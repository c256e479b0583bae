"""Running a network on the device at hand: OpenVINO on a processor, PyTorch on a GPU.

A network is a PyTorch module from pixels (n, height, width, 3), 0..255, uint8 or float32, to one
or more float32 outputs. It is defined once; what runs it is decided here. On processors OpenVINO's
compiled form of the same module is 1.3 to 2 times as fast as PyTorch (docs/adr/0006), with the same
answers. Networks that allow it compute in 16 bits where that is faster still.
"""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8] | NDArray[np.float32] | Tensor
Device = Literal["cpu", "cuda"]

# A GPU wants more at once than a processor, whose caches hold little.
_MORE_ON_GPU = 8


class DeviceUnavailable(Exception):
    """The device that was asked for is not here; the message says what to do."""


class Network(Protocol):
    """A network that is ready to run. Safe to call from several threads."""

    def __call__(self, pixels: Pixels) -> list[Float32]:
        """Pixels (n, height, width, 3), n at least 1, to the network's outputs.

        Only a network on a GPU takes tensors, which lie there already.
        """
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


def at_once(number: int, device: Device) -> int:
    """How many to give a device together where a processor's core is best given `number`."""
    return number if device == "cpu" else filled_up(number * _MORE_ON_GPU)


def compiled(
    module: nn.Module,
    *,
    device: Device,
    example: tuple[int, ...],
    dtype: torch.dtype = torch.uint8,
    fixed_size: bool = True,
    copies: bool = False,
    half: bool = False,
    apart: bool = False,
) -> Network:
    """Make a module ready to run on a device.

    `example` is the shape of a typical input, `dtype` its pixels' type. The number of pictures may
    differ from call to call; their height and width only without `fixed_size`. With `copies`, calls
    that overlap on a processor have a copy of the network each: right for small networks that are
    called often. With `half` a GPU computes in float16, and a processor in bfloat16 if it has
    instructions for it; else both compute in float32. With `apart` a processor with AVX-512
    computes PReLU behind convolutions, not in them: quicker where a pass's numbers fit its caches.
    """
    module = module.eval().requires_grad_(False)
    if device == "cuda":
        return _OnGpu(module, half=half)
    model = _converted(module, torch.zeros(example, dtype=dtype), fixed_size)
    if apart and _has_avx512():
        _set_prelu_apart(model)
    precision = "bf16" if half and has_bfloat16() else "f32"
    return _InCallers(model, precision) if copies else _InStreams(model, precision)


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 faster than in float32.

    OpenVINO says yes on every processor: where there are no instructions for it, it converts.
    """
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def has_int8() -> bool:
    """Whether this processor computes with 8-bit integers faster than in 32 or 16 bits.

    That is measured with AVX2 and newer instructions; on others nobody has looked.
    """
    return bool(torch.cpu.get_capabilities().get("avx2"))


def _has_avx512() -> bool:
    """Whether PReLU within convolutions is slow, as measured on an AMD Zen 4."""
    return bool(torch.cpu.get_capabilities().get("avx512_f"))


class _InStreams:
    """OpenVINO with one copy of the network, which works on one core for each thread that calls."""

    def __init__(self, model: Any, precision: str) -> None:
        # Requests are tied to streams as they come, so there are more streams than cores: with just
        # as many, two threads may share one while another idles.
        self._model = _on_processor(model, precision, streams=2 * (os.cpu_count() or 1))
        self._local = threading.local()

    def __call__(self, pixels: Pixels) -> list[Float32]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._model.create_infer_request()
        return _outputs(request, pixels)


class _InCallers:
    """OpenVINO in the thread that calls, with as many copies of the network as calls overlap.

    A single stream works in the calling thread, which spares the hand-over to another and back: an
    eighth of the time of a small network, more where cores are busy.
    """

    def __init__(self, model: Any, precision: str) -> None:
        self._model, self._precision = model, precision
        self._idle = [self._another()]

    def __call__(self, pixels: Pixels) -> list[Float32]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._another()
        try:
            return _outputs(request, pixels)
        finally:
            self._idle.append(request)

    def _another(self) -> Any:
        return _on_processor(self._model, self._precision, streams=1).create_infer_request()


def _converted(module: nn.Module, example: Tensor, fixed_size: bool) -> Any:
    """A module as an OpenVINO model."""
    import openvino

    shape = [-1, *example.shape[1:]] if fixed_size else [-1, -1, -1, 3]
    with torch.inference_mode(), warnings.catch_warnings():
        # OpenVINO reads modules by tracing, which PyTorch calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        model = openvino.convert_model(
            module, example_input=example, input=[openvino.PartialShape(shape)]
        )
    _pool_without_indices(model)
    return model


def _pool_without_indices(model: Any) -> None:
    """Let pooling say what the largest number is and not where, which nobody asks: 2 to 6 %."""
    from openvino import opset1

    for pool in model.get_ordered_ops():
        if pool.get_type_name() == "MaxPool" and pool.get_output_size() == 2:
            is_asked, options = pool.output(1).get_target_inputs(), pool.get_attributes()
            if not is_asked and not any(options["pads_begin"] + options["pads_end"]):
                # Without padding, PyTorch's way of rounding up is the ordinary one.
                rounding = options["rounding_type"].removesuffix("_torch")
                plain = opset1.max_pool(
                    pool.input_value(0),
                    options["strides"],
                    options["pads_begin"],
                    options["pads_end"],
                    options["kernel"],
                    rounding,
                    options["auto_pad"],
                )
                pool.output(0).replace(plain.output(0))
    model.validate_nodes_and_infer_types()


def _set_prelu_apart(model: Any) -> None:
    """Keep OpenVINO from computing PReLU within the convolution before it.

    It does so where the slopes are constant, and with AVX-512 that takes longer than all else of a
    small convolution. So they are multiplied by a one that is known only when the network runs.
    """
    from openvino import opset13

    shape = opset13.shape_of(model.input(0), "i32")
    count = opset13.gather(shape, np.int32(0), np.int32(0))
    one = opset13.convert(opset13.greater(count, np.int32(0)), "f32")
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "PRelu":
            slopes = opset13.multiply(operation.input_value(1), one)
            operation.input(1).replace_source_output(slopes.output(0))
    model.validate_nodes_and_infer_types()


def _on_processor(model: Any, precision: str, *, streams: int) -> Any:
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": streams,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.Core().compile_model(model, "CPU", options)


def _outputs(request: Any, pixels: Pixels) -> list[Float32]:
    import openvino

    # Handed over as a tensor, pixels are not copied, and not examined for a tenth of a millisecond.
    contiguous = np.ascontiguousarray(pixels)
    request.set_input_tensor(openvino.Tensor(contiguous, shared_memory=True))
    results = request.infer()
    return [results[number] for number in range(len(results))]


class _OnGpu:
    """PyTorch, in channels_last order, and all these networks in one thread.

    cuDNN prepares for every new shape, once in each thread, which takes far longer than to run it.
    So pictures are filled up to one of few numbers, and one thread does it for all.
    """

    device = "cuda"
    _thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")

    def __init__(self, module: nn.Module, *, half: bool) -> None:
        # PyTorch's own type of to() leaves memory_format out.
        self._module = module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._half = half

    def __call__(self, pixels: Pixels) -> list[Float32]:
        try:
            running = self._thread.submit(self._run, pixels)
        except RuntimeError:  # the interpreter is ending; what it still does shall not fail
            return self._run(pixels)
        return running.result()

    def _run(self, pixels: Pixels) -> list[Float32]:
        count = len(pixels)
        if not isinstance(pixels, Tensor):  # of mirrored pictures PyTorch takes no views
            pixels = torch.from_numpy(np.ascontiguousarray(pixels))
        there = pixels.to(self.device)
        if more := filled_up(count) - count:
            there = torch.cat([there, there.new_zeros((more, *there.shape[1:]))])
        with torch.inference_mode(), torch.autocast(self.device, torch.float16, enabled=self._half):
            outputs = self._module(there)
            outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
            return [output[:count].float().cpu().numpy() for output in outputs]


def filled_up(count: int) -> int:
    """The next number of pictures of 1, 4, 16, 64 and so on, so that a GPU meets few sizes."""
    return 1 << ((count - 1).bit_length() + 1) // 2 * 2
