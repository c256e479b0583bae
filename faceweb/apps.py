from django.apps import AppConfig
from django.conf import settings

from faceweb.recognition import weights


class FacewebConfig(AppConfig):
    name = "faceweb"

    def ready(self) -> None:
        weights.use_folder(settings.FACEWEB_WEIGHTS_DIR)
        # Tasks are queued through this application in every process, not only the worker.
        from faceweb import celery  # noqa: F401
