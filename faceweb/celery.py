"""The Celery application, and what a worker does when it starts and stops."""

import gc
import logging
import os
import warnings
from typing import Any

from celery import Celery, signals
from celery.beat import EmbeddedService

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "faceweb.settings")

# Many lines about being root, which `manage.py start` says in one.
warnings.filterwarnings("ignore", "You're running the worker with superuser privileges")

app = Celery("faceweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["faceweb", "people", "search"])

log = logging.getLogger("faceweb.worker")
_clock: Any = None


@signals.setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Having a receiver keeps Celery from installing its own log format."""


@signals.worker_init.connect
def _load(**_: object) -> None:
    """Load the models and open the index before the first task is taken."""
    from faceweb import runtime
    from faceweb.recognition.engine import DeviceUnavailable
    from faceweb.recognition.errors import WeightsError

    try:
        runtime.load()
    except (WeightsError, DeviceUnavailable) as error:
        # Celery only notes exceptions here, and would go on without models.
        raise SystemExit(f"faceweb: {error}") from None
    # What is loaded stays: looking through it for garbage would halt all threads for 0.2 s a time.
    gc.collect()
    gc.freeze()


@signals.worker_ready.connect
def _ready(sender: Any, **_: object) -> None:
    """Take back what a former life of this worker held, and start the clock for sweeps.

    Every worker sweeps: it is idempotent, and needs no clock process of its own.
    """
    global _clock
    from faceweb import sweeping

    sweeping.sweep(worker=sender.hostname)
    _clock = EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")
    _clock.start()
    sweeping.report_ready(worker=sender.hostname)
    log.info("ready")


@signals.worker_shutdown.connect
def _close(**_: object) -> None:
    from faceweb import runtime, sweeping

    sweeping.report_gone()
    if _clock is not None:
        _clock.stop()
    runtime.close()
