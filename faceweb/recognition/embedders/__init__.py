"""The registry of embedders: frozen descriptions, and a loader for each.

Listing embedders imports no framework; `load` imports what one embedder needs.
"""

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING

from faceweb.recognition.embedders import onnx_sidecar
from faceweb.recognition.embedders.base import (
    Embedder,
    EmbedderSpec,
    collection_name,
    unit_length,
)
from faceweb.recognition.embedders.catalogue import SFACE, SPECS
from faceweb.recognition.errors import WeightsError
from faceweb.recognition.weights import ModelFolder

if TYPE_CHECKING:
    from faceweb.recognition.engine import Device

__all__ = [
    "SFACE",
    "Embedder",
    "EmbedderSpec",
    "collection_name",
    "get_spec",
    "load",
    "missing",
    "slugs",
    "specs",
    "unit_length",
]

_SPECS = {spec.slug: spec for spec in SPECS}


def specs() -> tuple[EmbedderSpec, ...]:
    """All embedders that are known by name, and the ONNX networks in the weights folder."""
    return tuple(get_spec(slug) for slug in (*_SPECS, *onnx_sidecar.in_folder()))


def slugs() -> tuple[str, ...]:
    """The names that faceweb knows."""
    return tuple(_SPECS)


def get_spec(slug: str) -> EmbedderSpec:
    """The embedder called `slug`, as the files at hand describe it.

    Raises KeyError with the known slugs if there is none. Files that are missing are no error:
    `missing` says what they are.
    """
    if slug.startswith(onnx_sidecar.PREFIX):
        return onnx_sidecar.spec(slug)
    if slug not in _SPECS:
        raise KeyError(f"unknown embedder {slug!r}; known: {', '.join(_SPECS)}, onnx:PATH")
    return _as_found(_SPECS[slug])


def missing(spec: EmbedderSpec) -> str:
    """What has to be put where before this embedder can be loaded; empty if it is ready."""
    try:
        spec.weights.locate()
    except WeightsError as error:
        return str(error)
    return ""


def _as_found(spec: EmbedderSpec) -> EmbedderSpec:
    """The description with what the files at hand say; as published if they are not here."""
    try:
        version = spec.weights.fingerprint()
        if version is None:
            return spec
        spec = replace(spec, version=version)
        if isinstance(spec.weights, ModelFolder):
            described = spec.weights.described()
            size = described.get("image_size", spec.crop.size)
            spec = replace(
                spec,
                dimension=described.get("hidden_size", spec.dimension),
                crop=replace(spec.crop, size=size),
            )
    except WeightsError:
        return spec
    return spec


def load(spec: EmbedderSpec, device: "Device" = "cpu") -> Embedder:
    """Load the weights. Raises WeightsError, whose message says what to do."""
    module, _, function = spec.loader.partition(":")
    embedder: Embedder = getattr(importlib.import_module(module), function)(spec, device)
    return embedder
