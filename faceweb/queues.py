"""Sending tasks to the worker, and asking the broker how much waits."""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

log = logging.getLogger("faceweb.queues")


def send(task: Any, *args: object) -> None:
    """Queue a task once the transaction in hand is committed.

    The work is a row already. If the broker does not answer, the sweeper queues it later.
    """

    def publish() -> None:
        try:
            task.apply_async(args=args)
        except OperationalError as error:
            log.warning("the broker does not answer (%s); %s is queued later", error, task.name)

    transaction.on_commit(publish)


def waiting(queue: str) -> int | None:
    """How many messages wait in a queue; None if the broker does not answer."""
    try:
        with current_app.pool.acquire(block=True, timeout=2) as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            client: Any = connection.default_channel.client
            return int(client.llen(queue))
    except (KombuError, OSError, RedisError):
        return None
