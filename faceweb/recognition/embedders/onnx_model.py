"""An ONNX network that people bring, run by ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from faceweb.recognition.embedders.base import EmbedderSpec, Float32, unit_length
from faceweb.recognition.embedders.onnx_sidecar import OnnxFile, Sidecar
from faceweb.recognition.engine import Device
from faceweb.recognition.errors import WeightsError

_BATCH = 16
_QUIET = 3


class OnnxEmbedder:
    """The loaded network. ONNX Runtime's sessions may be run by several threads at once."""

    def __init__(self, path: Path, sidecar: Sidecar, device: Device) -> None:
        self._path = path
        self._dimension, self._size = sidecar.dimension, sidecar.input_size
        self._order = [2, 1, 0] if sidecar.colour_order == "bgr" else [0, 1, 2]
        self._mean = np.array(sidecar.mean, np.float32)[self._order].reshape(1, 3, 1, 1)
        self._scale = np.array(sidecar.scale, np.float32)[self._order].reshape(1, 3, 1, 1)
        self._session = _session(path, device)
        self._input = self._only_input()
        # Some networks take a certain number of pictures at once, mostly one.
        self._fixed = self._input.shape[0] if isinstance(self._input.shape[0], int) else None
        self._check()

    def embed(self, crops: NDArray[np.uint8]) -> Float32:
        """See Embedder.embed: uint8 (n, size, size, 3) to unit vectors (n, dimension)."""
        step = self._fixed or _BATCH
        outputs = [self._run(crops[i : i + step]) for i in range(0, len(crops), step)]
        return unit_length(np.concatenate([*outputs, np.zeros((0, self._dimension), np.float32)]))

    def _run(self, crops: NDArray[np.uint8]) -> Float32:
        """The output for at most one batch of crops."""
        colours = crops.transpose(0, 3, 1, 2)[:, self._order].astype(np.float32)
        pixels = (colours - self._mean) * self._scale
        if self._fixed and len(crops) < self._fixed:
            rest = (self._fixed - len(crops), *pixels.shape[1:])
            pixels = np.concatenate([pixels, np.zeros(rest, np.float32)])
        outputs = self._session.run(None, {self._input.name: np.ascontiguousarray(pixels)})
        return np.asarray(outputs[0], np.float32)[: len(crops)]

    def _only_input(self) -> onnxruntime.NodeArg:
        """The input, which must take pictures of the size that the description says."""
        inputs = self._session.get_inputs()
        wanted = (3, self._size, self._size)
        shape = inputs[0].shape if len(inputs) == 1 else []
        fits = len(shape) == 4 and all(
            side == number or not isinstance(side, int)
            for side, number in zip(shape[1:], wanted, strict=True)
        )
        if not fits or inputs[0].type != "tensor(float)":
            given = ", ".join(f"{one.name} {one.shape} {one.type}" for one in inputs)
            raise WeightsError(
                f"{self._path} does not take pictures of {self._size} x {self._size} pixels as "
                f"3 x {self._size} x {self._size} numbers; it takes: {given}."
            )
        return inputs[0]

    def _check(self) -> None:
        """Refuse a network that cannot be run, or gives something else than it should."""
        try:
            output = self._run(np.zeros((1, self._size, self._size, 3), np.uint8))
        except Exception as error:  # ONNX Runtime's own classes have no other parent
            raise WeightsError(f"{self._path} cannot be run ({_first_line(error)}).") from error
        if output.shape != (1, self._dimension):
            raise WeightsError(
                f"{self._path} gives {list(output.shape[1:])} numbers for a face, where its "
                f"description says {self._dimension}."
            )


def load(spec: EmbedderSpec, device: Device) -> OnnxEmbedder:
    assert isinstance(spec.weights, OnnxFile)
    return OnnxEmbedder(spec.weights.locate(), spec.weights.sidecar(), device)


def _session(path: Path, device: Device) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    # Several threads embed at once, so that each keeps to one core.
    options.intra_op_num_threads = 1
    wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
    available = onnxruntime.get_available_providers()
    providers = [name for name in [*wanted, "CPUExecutionProvider"] if name in available]
    content = _readable(path)
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # ONNX Runtime's own classes have no other parent
        raise WeightsError(f"{path} cannot be loaded ({_first_line(error)}).") from error


def _readable(path: Path) -> bytes:
    """The model without inputs that nothing reads or that it fills itself: some files list both."""
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is not an ONNX file ({_first_line(error)}).") from error
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
        raise WeightsError(f"{path} keeps its weights in a second file. Save it as one file.")
    filled = {tensor.name for tensor in model.graph.initializer}
    read = {name for node in model.graph.node for name in node.input}
    inputs = [one for one in model.graph.input if one.name in read - filled]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    content: bytes = model.SerializeToString()
    return content


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
