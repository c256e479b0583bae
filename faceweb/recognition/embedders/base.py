"""What is known of an embedder without loading it, and what a loaded one does."""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.geometry import Crop
from faceweb.recognition.weights import Weights

Float32 = NDArray[np.float32]

# Embedders for identity tell people apart. Those for general pictures rank by how pictures look:
# they say how similar two faces' pictures are, never who it is. What a network is for whose files
# are gone, nobody knows.
Purpose = Literal["identity", "general", "unknown"]


@dataclass(frozen=True)
class EmbedderSpec:
    """What is known of an embedder without loading it.

    `version` names the exact weights and alignment: embeddings of different versions are never
    compared. `crop` is the part of the photo that it is shown. `loader` is the function that
    loads it, as "module:name"; it takes this description and a device.
    """

    slug: str
    title: str
    purpose: Purpose
    version: str
    dimension: int
    crop: Crop
    weights: Weights
    licence: str
    loader: str

    @property
    def collection(self) -> str:
        """The name of the index collection that holds this embedder's vectors."""
        return collection_name(self.slug, self.version)


class Embedder(Protocol):
    """A loaded embedder. Safe to call from several threads."""

    def embed(self, crops: NDArray[np.uint8]) -> Float32:
        """Embed crops, uint8 (n, size, size, 3) RGB, as unit vectors (n, dimension).

        Zero crops give an array of shape (0, dimension).
        """
        ...


def collection_name(slug: str, version: str) -> str:
    """One collection for each embedder and version, under a name that a folder may have too."""
    if re.fullmatch(r"[a-z0-9-]+", slug):
        return f"faces-{slug}-{version}"
    readable = re.sub(r"[^a-z0-9]+", "-", slug.lower())[-60:].strip("-")
    digest = hashlib.sha256(slug.encode()).hexdigest()[:8]
    return f"faces-{readable}-{digest}-{version}"


def unit_length(vectors: Float32) -> Float32:
    """Vectors (n, d) brought to length 1."""
    unit: Float32 = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
