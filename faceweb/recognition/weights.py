"""Finding and trusting model weights.

Weights travel inside installed packages, which serve as carriers of data only:
they are located without being imported, and a file is trusted only by its hash.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from faceweb.recognition.errors import WeightsError


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
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != self.sha256:
            raise WeightsError(
                f"The weights {path} are not the expected file (SHA-256 {digest[:12]}… instead of "
                f"{self.sha256[:12]}…). Reinstall the package {self.package!r}."
            )
        return path
