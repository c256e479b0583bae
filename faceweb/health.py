"""Whether this faceweb can do its work, for people and for monitors."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from faceweb import queues


@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """200 if the database and the broker answer, else 503, with what does and what does not."""
    checks = {"database": _database_answers(), "broker": queues.waiting("search") is not None}
    healthy = all(checks.values())
    return JsonResponse({"ok": healthy, **checks}, status=200 if healthy else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
