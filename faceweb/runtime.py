"""The composition root: settings in, loaded pipeline and open index out.

Only services that run in the worker use this module. It imports no framework until it is
asked for something.
"""

import logging
import threading
import time
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from faceweb.recognition.pipeline import Pipeline
    from faceweb.vectors.base import VectorIndex

log = logging.getLogger("faceweb.worker")

_lock = threading.Lock()
_pipeline: "Pipeline | None" = None
_index: "VectorIndex | None" = None


def load() -> None:
    """Load everything now. Raises WeightsError or IndexUnavailable."""
    start = time.perf_counter()
    index()
    pipeline()
    log.info("models and index loaded in %.1f s", time.perf_counter() - start)


def pipeline() -> "Pipeline":
    """The pipeline that the settings ask for, loaded once for each process."""
    global _pipeline
    with _lock:
        if _pipeline is None:
            from faceweb.recognition import pipeline as recognition
            from faceweb.recognition.detection import DetectorSettings

            _pipeline = recognition.load(
                embedder=settings.FACEWEB_EMBEDDER,
                detector=settings.FACEWEB_DETECTOR,
                settings=DetectorSettings(**settings.FACEWEB_DETECTION),
                device=settings.FACEWEB_DEVICE,
            )
        return _pipeline


def index() -> "VectorIndex":
    """The index that the settings ask for: a server if there is an address, else a folder."""
    global _index
    with _lock:
        if _index is None:
            if settings.QDRANT_URL:
                from faceweb.vectors.server import ServerIndex

                _index = ServerIndex(settings.QDRANT_URL, api_key=settings.QDRANT_API_KEY or None)
            else:
                from faceweb.vectors.edge import EdgeIndex

                _index = EdgeIndex(settings.INDEX_DIR)
        return _index


def close() -> None:
    """Close the index; a later call to index() opens it again."""
    global _index
    with _lock:
        if _index is not None:
            _index.close()
            _index = None
