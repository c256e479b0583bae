"""Embedders that people bring as an ONNX file: what the small file beside it says.

`onnx:PATH` names any network that takes faces aligned by five points as SFace and ArcFace do, and
gives one vector each. PATH.json beside it says what the network itself cannot: see docs/weights.md.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceweb.recognition import weights
from faceweb.recognition.embedders.base import EmbedderSpec, Purpose
from faceweb.recognition.embedders.catalogue import FACE_112
from faceweb.recognition.errors import WeightsError

PREFIX = "onnx:"
_LOADER = "faceweb.recognition.embedders.onnx_model:load"
_ABSENT = "absent"
_EXAMPLE = (
    '{"name": "ArcFace R50", "dimension": 512, "input_size": 112, "mean": 127.5, '
    '"scale": 0.0078125, "colour_order": "rgb", "licence": "MIT", "purpose": "identity"}'
)


@dataclass(frozen=True)
class Sidecar:
    """How a network wants its pictures, and what it is.

    It is given (colour - mean) * scale for colours from 0 to 255, in this order; `mean` and
    `scale` are for red, green and blue.
    """

    name: str
    dimension: int
    input_size: int
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    colour_order: str
    licence: str
    purpose: Purpose


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file with its sidecar; a relative path is below the weights folder."""

    path: str

    def locate(self) -> Path:
        self.sidecar()
        return self._file()

    def fingerprint(self) -> str:
        """Of the network, and of what it is given: other numbers make other embeddings."""
        sidecar = self.sidecar()
        given = repr((sidecar.input_size, sidecar.mean, sidecar.scale, sidecar.colour_order))
        digest = hashlib.sha256(given.encode()).hexdigest()
        return f"{weights.fingerprint(self._file())}-{digest[:4]}"

    def downloads(self) -> list[weights.Download]:
        return []

    def sidecar(self) -> Sidecar:
        """What the file beside the network says. Raises WeightsError."""
        path = Path(f"{self._file()}.json")
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError:
            raise WeightsError(
                f"{path} is missing. It says how the network wants its pictures, for example: "
                f"{_EXAMPLE}"
            ) from None
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path} cannot be read as JSON ({error}).") from None
        try:
            return _checked(values)
        except (ValueError, TypeError) as error:
            raise WeightsError(f"{path}: {error}. For example: {_EXAMPLE}") from None

    def _file(self) -> Path:
        path = weights.folder() / self.path
        if not path.is_file():
            raise WeightsError(
                f"There is no network {path}. Put it there with its description {path.name}.json, "
                f"or correct the path in {PREFIX}{self.path}."
            )
        return path


def spec(slug: str) -> EmbedderSpec:
    """The description of `onnx:PATH`; without its files an empty one, of version "absent".

    Its purpose is then unknown.
    """
    file = OnnxFile(slug.removeprefix(PREFIX))
    try:
        sidecar, version = file.sidecar(), file.fingerprint()
    except WeightsError:
        sidecar = Sidecar(Path(file.path).stem, 0, FACE_112.size, (0.0,) * 3, (1.0,) * 3, "rgb",
                          "unknown", "unknown")  # fmt: skip
        version = _ABSENT
    return EmbedderSpec(
        slug=slug,
        title=sidecar.name,
        purpose=sidecar.purpose,
        version=version,
        dimension=sidecar.dimension,
        crop=FACE_112.resized(sidecar.input_size),
        weights=file,
        licence=sidecar.licence,
        loader=_LOADER,
    )


def in_folder() -> list[str]:
    """The slugs of the networks with a description that are in the weights folder."""
    found = sorted(weights.folder().glob("*.onnx.json"))
    return [PREFIX + path.name.removesuffix(".json") for path in found]


def _checked(values: Any) -> Sidecar:
    if not isinstance(values, dict):
        raise TypeError("it must hold one object")
    known = set(Sidecar.__dataclass_fields__)
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(sorted(known))}")
    purpose = _choice(values, "purpose", "identity", ("identity", "general"))
    return Sidecar(
        name=_text(values, "name"),
        dimension=_whole(values, "dimension", None, most=4096),
        input_size=_whole(values, "input_size", FACE_112.size, most=1024),
        mean=_colours(values, "mean"),
        scale=_colours(values, "scale"),
        colour_order=_choice(values, "colour_order", "rgb", ("rgb", "bgr")),
        licence=_text(values, "licence"),
        purpose="general" if purpose == "general" else "identity",
    )


def _text(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} must be a text")
    return value.strip()[:200]


def _whole(values: dict[str, Any], key: str, default: int | None, *, most: int) -> int:
    value = values.get(key, default)
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{key!r} must be a whole number from 1 to {most}")
    return value


def _choice(values: dict[str, Any], key: str, default: str, allowed: tuple[str, ...]) -> str:
    value = values.get(key, default)
    if value not in allowed:
        raise ValueError(f"{key!r} must be {' or '.join(allowed)}")
    return str(value)


def _colours(values: dict[str, Any], key: str) -> tuple[float, float, float]:
    """One number for all colours, or three for red, green and blue."""
    value = values.get(key)
    several = value if isinstance(value, list) else [value] * 3
    numbers = [float(n) for n in several if isinstance(n, int | float) and n is not True]
    if len(numbers) != 3 or len(several) != 3:
        raise ValueError(f"{key!r} must be one number, or three for red, green and blue")
    return (numbers[0], numbers[1], numbers[2])
