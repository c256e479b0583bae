"""Finding and trusting model weights.

Some travel inside installed packages, which serve as carriers of data only: they are located
without being imported, and a file is trusted only by its hash. Others are put into the weights
folder by a person, who vouches for them; each such file is a version of its own, known by its
content. Nothing here touches the network.
"""

import functools
import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceweb.recognition.errors import WeightsError

_folder = Path("weights")


def use_folder(folder: Path) -> None:
    """Look for weights that people put in place in this folder from now on."""
    global _folder
    _folder = folder


def folder() -> Path:
    """The folder for weights that people put in place."""
    return _folder


@dataclass(frozen=True)
class Download:
    """One file to fetch: from where, to where, and its SHA-256 if that is known."""

    address: str
    target: Path
    sha256: str = ""


class Weights(Protocol):
    """How an embedder's weights are found."""

    def locate(self) -> Path:
        """The file, or the folder of several. Raises WeightsError with what to do."""
        ...

    def fingerprint(self) -> str | None:
        """What tells one content of the files from another; None if there is only one.

        Raises WeightsError as locate does.
        """
        ...

    def downloads(self) -> list[Download]:
        """What to fetch for someone who asks for it; empty if that is not how they come."""
        ...


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights: the package that carries it, where, and its SHA-256."""

    package: str
    path: str
    sha256: str

    def locate(self) -> Path:
        """Return the verified file. Raises WeightsError if it is absent or altered."""
        # find_spec on a top-level name does not run the package's code.
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError(
                f"The package {self.package!r}, which carries model weights, is not installed. "
                "Run `make setup`."
            )
        path = Path(next(iter(spec.submodule_search_locations))) / self.path
        if not path.is_file():
            raise WeightsError(f"The weights {path} are missing. Run `make setup` again.")
        digest = sha256_of(path)
        if digest != self.sha256:
            raise WeightsError(
                f"The weights {path} are not the expected file (SHA-256 {digest[:12]}… instead of "
                f"{self.sha256[:12]}…). Reinstall the package {self.package!r}."
            )
        return path

    def fingerprint(self) -> None:
        return None

    def downloads(self) -> list[Download]:
        return []


@dataclass(frozen=True)
class PlacedFile:
    """One file that a person puts into the weights folder. `sha256` is of the published file."""

    slug: str
    name: str
    sha256: str
    address: str

    def locate(self) -> Path:
        path = folder() / self.name
        if not path.is_file():
            raise WeightsError(
                f"The weights of {self.slug} are not here. Put the file {self.name} from "
                f"{self.address} into {folder()}, or run `python manage.py embedders --download "
                f"{self.slug}` where there is a network."
            )
        return path

    def fingerprint(self) -> str:
        return fingerprint(self.locate())

    def downloads(self) -> list[Download]:
        return [Download(self.address, folder() / self.name, self.sha256)]


@dataclass(frozen=True)
class ModelFolder:
    """A model as Hugging Face keeps it: a folder that a person puts in place, or the hub's cache.

    `revision` is the commit on the hub that is meant, `weights` the file of weights there.
    """

    slug: str
    hub: str
    revision: str
    weights: str

    # In the order in which they are taken; both are read without running code of theirs.
    WEIGHTS = ("model.safetensors", "pytorch_model.bin")
    DESCRIPTIONS = ("config.json", "preprocessor_config.json")

    def locate(self) -> Path:
        own = folder() / self.slug
        path = own if own.is_dir() and any(own.iterdir()) else self._cached()
        if path is None:
            raise WeightsError(
                f"The model {self.slug} is not here. Put the files {', '.join(self._files)} of "
                f"https://huggingface.co/{self.hub} into {own}, or run `python manage.py embedders "
                f"--download {self.slug}` where there is a network."
            )
        missing = [name for name in self.DESCRIPTIONS if not (path / name).is_file()]
        if not any((path / name).is_file() for name in self.WEIGHTS):
            missing.append(" or ".join(self.WEIGHTS))
        if missing:
            raise WeightsError(
                f"The model in {path} is not complete. Of https://huggingface.co/{self.hub}, it "
                f"lacks: {', '.join(missing)}."
            )
        return path

    def fingerprint(self) -> str:
        path = self.locate()
        return fingerprint(next(p for name in self.WEIGHTS if (p := path / name).is_file()))

    def downloads(self) -> list[Download]:
        base = f"https://huggingface.co/{self.hub}/resolve/{self.revision}"
        return [Download(f"{base}/{name}", folder() / self.slug / name) for name in self._files]

    @property
    def _files(self) -> tuple[str, ...]:
        return (*self.DESCRIPTIONS, self.weights)

    def described(self) -> dict[str, int]:
        """The whole numbers in the model's description of itself. Raises WeightsError."""
        path = self.locate() / self.DESCRIPTIONS[0]
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path} cannot be read ({error}).") from error
        if not isinstance(found, dict):
            raise WeightsError(f"{path} does not describe a model.")
        return {key: value for key, value in found.items() if type(value) is int}

    def _cached(self) -> Path | None:
        """The folder of this model in the hub's cache, if there is one."""
        from huggingface_hub import try_to_load_from_cache

        for revision in (self.revision, "main"):
            found = try_to_load_from_cache(self.hub, self.DESCRIPTIONS[0], revision=revision)
            if isinstance(found, str):
                return Path(found).parent
        return None


def fingerprint(path: Path) -> str:
    """The first 12 digits of a file's SHA-256, worked out once for each state of the file."""
    state = path.stat()
    return _fingerprint(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _fingerprint(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)[:12]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
