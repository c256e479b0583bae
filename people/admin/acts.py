"""Edits from lists of the admin panel: asked about first, done by the services, told in words.

An action shows a page with the chosen rows, what will happen and room for a reason. That page
carries what it showed of each row; the services refuse what was changed since.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from people import tasks
from people.models import Edit
from people.problems import Refused, sentence
from people.services import history

# How many rows one action changes; Django takes a thousand fields in one form.
MOST = 500
# How many of them the page shows.
SHOWN = 60
_NAMED = 5


@dataclass(frozen=True)
class Ask:
    """What the page asks: what will happen, and the words on the button."""

    title: str
    happens: Sequence[str]
    button: str


@dataclass(frozen=True)
class Tile:
    """One of the chosen rows on the page: its picture, its name, and where both lead."""

    text: str
    link: str
    picture: str = ""
    note: str = ""


@dataclass(frozen=True)
class Done:
    """What became of an action: edits, and for each reason the rows where it was refused."""

    edits: list[Edit]
    refused: dict[str, list[str]]


def is_sure(request: HttpRequest) -> bool:
    """Whether the form comes from the page that asks."""
    return request.POST.get("sure") == "yes"


def too_many(panel: Any, request: HttpRequest, count: int, most: int = MOST) -> bool:
    """Say so if more rows are chosen than one action takes."""
    if count <= most:
        return False
    said = f"{sentence('too_many_chosen')} {count:,} are chosen; {most:,} is the most."
    panel.message_user(request, said, messages.ERROR)
    return True


def ask(
    panel: Any,
    request: HttpRequest,
    *,
    action: str,
    question: Ask,
    tiles: Sequence[Tile],
    shown: Mapping[int, int | None],
    template: str = "admin/people/ask.html",
    **context: Any,
) -> TemplateResponse:
    """The page that asks; `shown`: by id, what it showed of each row that may change since."""
    return TemplateResponse(
        request,
        template,
        {
            **panel.admin_site.each_context(request),
            "title": question.title,
            "opts": panel.opts,
            "media": panel.media,
            "action": action,
            "question": question,
            "tiles": tiles[:SHOWN],
            "more": max(0, len(tiles) - SHOWN),
            "chosen": list(shown),
            "checkbox": ACTION_CHECKBOX_NAME,
            "shown": " ".join(f"{pk}:{_text(value)}" for pk, value in shown.items()),
            **context,
        },
    )  # fmt: skip


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def shown_in(request: HttpRequest) -> dict[int, int | None]:
    """What the page that asks had shown of each row, by id."""
    found: dict[int, int | None] = {}
    for pair in request.POST.get("shown", "").split():
        pk, _, value = pair.partition(":")
        if pk.isdecimal():
            found[int(pk)] = int(value) if value.isdecimal() else None
    return found


def each(rows: Iterable[Any], edit: Callable[[Any], Edit]) -> Done:
    """One edit for each row; what is refused for one does not hold up the others."""
    done = Done([], defaultdict(list))
    for row in rows:
        try:
            done.edits.append(edit(row))
        except Refused as refusal:
            done.refused[refusal.sentence].append(str(row))
    return done


def tell(panel: Any, request: HttpRequest, done: Done) -> None:
    """Queue what follows the edits, and say what was done, where to undo it, and what was not."""
    for edit in done.edits:
        tasks.enqueue_after_edit(edit)
    if len(done.edits) == 1:
        edit = done.edits[0]
        said = format_html(
            '{}. <a href="{}">See it in the history, or undo it</a>',
            history.words(edit.summary), reverse("edit", args=[edit.pk]),
        )  # fmt: skip
        panel.message_user(request, said, messages.SUCCESS)
    elif done.edits:
        said = format_html(
            'Done for {} people. <a href="{}">See the history, or undo some of it</a>',
            format(len(done.edits), ","), reverse("history"),
        )  # fmt: skip
        panel.message_user(request, said, messages.SUCCESS)
    for reason, names in done.refused.items():
        rest = len(names) - _NAMED
        who = ", ".join(names[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
        panel.message_user(request, f"Not done for {who}. {reason}", messages.ERROR)
