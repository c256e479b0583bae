"""The registry of embedders: frozen descriptions, and a loader for each.

Listing embedders imports no framework; `load` imports what one embedder needs.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faceweb.recognition.engine import Device

Float32 = NDArray[np.float32]


def collection_name(slug: str, version: str) -> str:
    """The index collection that holds the vectors of one embedder in one version."""
    return f"faces-{slug}-{version}"


@dataclass(frozen=True)
class EmbedderSpec:
    """What is known of an embedder without loading it.

    `version` names the exact weights and alignment: embeddings of different versions are
    never compared. `template` holds the five landmarks in the aligned crop, in pixels.
    """

    slug: str
    version: str
    dimension: int
    crop_size: int
    template: tuple[tuple[float, float], ...]
    licence: str
    loader: str

    @property
    def collection(self) -> str:
        """The name of the index collection that holds this embedder's vectors."""
        return collection_name(self.slug, self.version)


class Embedder(Protocol):
    """A loaded embedder. Safe to call from several threads."""

    def embed(self, crops: NDArray[np.uint8]) -> Float32:
        """Embed aligned crops, uint8 (n, size, size, 3) RGB, as unit vectors (n, dimension).

        Zero crops give an array of shape (0, dimension).
        """
        ...


SFACE = EmbedderSpec(
    slug="sface",
    version="2021dec",
    dimension=128,
    crop_size=112,
    template=(
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
    licence="Apache-2.0 (OpenCV Zoo)",
    loader="faceweb.recognition.embedders.sface:load",
)

_SPECS = {spec.slug: spec for spec in (SFACE,)}


def specs() -> tuple[EmbedderSpec, ...]:
    """All known embedders."""
    return tuple(_SPECS.values())


def get_spec(slug: str) -> EmbedderSpec:
    """The embedder called `slug`. Raises KeyError with the known slugs if there is none."""
    try:
        return _SPECS[slug]
    except KeyError:
        raise KeyError(f"unknown embedder {slug!r}; known: {', '.join(_SPECS)}") from None


def load(spec: EmbedderSpec, device: "Device" = "cpu") -> Embedder:
    """Load the weights. Raises WeightsError, whose message says what to do."""
    module, _, function = spec.loader.partition(":")
    embedder: Embedder = getattr(importlib.import_module(module), function)(device)
    return embedder


def unit_length(vectors: Float32) -> Float32:
    """Vectors (n, d) brought to length 1."""
    unit: Float32 = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
