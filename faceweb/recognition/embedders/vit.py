"""Vision transformers for general pictures, as Hugging Face's transformers loads them.

They rank pictures by how they look: pose, light, hair and background as much as the face. The
embedding is the last layer's class token. The model's own image processor says how pixels are
scaled; that is done inside the network that runs, and held against the processor at load.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faceweb.recognition.embedders.base import EmbedderSpec, Float32
from faceweb.recognition.embedders.network import NetworkEmbedder
from faceweb.recognition.engine import Device
from faceweb.recognition.errors import WeightsError

# What a folder with the wrong content makes transformers raise.
_LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError,
                   ImportError)  # fmt: skip
# Layers behind the class token, which many files leave out.
_UNUSED = "pooler."


class ClassToken(nn.Module):
    """uint8 RGB (n, size, size, 3) to the class token (n, d) of a transformer's last layer."""

    means: Tensor
    ranges: Tensor

    def __init__(self, model: nn.Module, means: Float32, ranges: Float32) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("means", torch.from_numpy(means).reshape(1, 3, 1, 1))
        self.register_buffer("ranges", torch.from_numpy(ranges).reshape(1, 3, 1, 1))

    def scaled(self, pixels: Tensor) -> Tensor:
        """What the model itself takes, float32 (n, 3, size, size)."""
        scaled: Tensor = (pixels.permute(0, 3, 1, 2).float() - self.means) / self.ranges
        return scaled

    def forward(self, pixels: Tensor) -> Tensor:
        token: Tensor = self.model(self.scaled(pixels)).last_hidden_state[:, 0]
        return token


def load(spec: EmbedderSpec, device: Device) -> NetworkEmbedder:
    network = load_network(spec.weights.locate(), size=spec.crop.size)
    with warnings.catch_warnings():
        # The models check shapes as they run, which tracing points out.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.simplefilter("ignore", FutureWarning)
        return NetworkEmbedder(network, spec, device)


def load_network(folder: Path, *, size: int) -> ClassToken:
    """The model in a folder. Runs no code of its own and asks no network. Raises WeightsError."""
    from transformers import AutoImageProcessor, AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options: Any = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = AutoImageProcessor.from_pretrained(folder, backend="pil", **options)
        model, report = AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, **options
        )
        network = _scaled_as(processor, model.eval(), size)
    except _LOADING_ERRORS as error:
        raise WeightsError(
            f"The model in {folder} cannot be loaded ({type(error).__name__}: "
            f"{str(error).strip().partition(chr(10))[0]})."
        ) from error
    absent = [name for name in report["missing_keys"] if not name.startswith(_UNUSED)]
    wrong = [*absent, *(str(key) for key in report["mismatched_keys"])]
    if wrong:
        raise WeightsError(
            f"The weights in {folder} are not those of the model that its config.json describes: "
            f"{wrong[0]} is missing or of another shape."
        )
    return network


def _scaled_as(processor: Any, model: nn.Module, size: int) -> ClassToken:
    """The model with the scaling of its processor, which is tried on noise."""
    factor = processor.rescale_factor if processor.do_rescale else 1.0
    means = np.array(processor.image_mean if processor.do_normalize else [0, 0, 0], np.float32)
    ranges = np.array(processor.image_std if processor.do_normalize else [1, 1, 1], np.float32)
    network = ClassToken(model, means / np.float32(factor), ranges / np.float32(factor))
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    wanted = np.asarray(processor(images=list(noise), return_tensors="np")["pixel_values"])
    given = network.scaled(torch.from_numpy(noise)).numpy()
    if wanted.shape != given.shape or not np.allclose(wanted, given, atol=1e-4):
        raise ValueError("its image processor does more than to scale pixels")
    return network
