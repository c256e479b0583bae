"""The clock's task. Its body runs in the worker only."""

from celery import shared_task


@shared_task(name="faceweb.sweep", queue="maintenance", expires=30)
def sweep() -> None:
    from faceweb import sweeping

    sweeping.sweep()
