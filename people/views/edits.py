"""What every view that edits has in common: do it, queue what follows, say what was done."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from people import tasks
from people.models import Edit
from people.problems import Refused
from people.services import history


def attempt(request: HttpRequest, service: Callable[..., Edit], **values: Any) -> Edit | None:
    """Do one edit. The next page says what was done, with a button to undo it, or why not."""
    try:
        edit = service(user=request.user, **values)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return None
    tasks.enqueue_after_edit(edit)
    done, undo = history.words(edit.summary), "redo" if edit.kind == "undo" else "undo"
    messages.success(request, f"{done}.", extra_tags=f"{undo}:{edit.pk}")
    return edit


def next_page(request: HttpRequest, default: str) -> str:
    """Where a form wants to go afterwards, if that is a page of this site."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}):
        return wanted
    return default
