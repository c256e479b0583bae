from django.apps import AppConfig


class FacewebConfig(AppConfig):
    name = "faceweb"

    def ready(self) -> None:
        # Tasks are queued through this application in every process, not only the worker.
        from faceweb import celery  # noqa: F401
