"""What is wrong with a face, in words."""

from collections.abc import Iterable

from faceweb.recognition.quality import Reason, defines_person

_WORDS = {
    Reason.BLURRED: "blurred",
    Reason.DARK: "dark",
    Reason.TOO_BRIGHT: "too bright",
    Reason.TURNED_AWAY: "turned away from the camera",
    Reason.CUT_OFF: "cut off at the edge of the photo",
    Reason.DOUBTFUL: "hardly to be seen as a face",
}


def faults(reasons: Iterable[str], width: float) -> str:
    """What a face of this width in pixels is: "only 24 pixels wide and blurred"; may be empty."""
    words = [
        f"only {round(width)} pixels wide" if reason == Reason.SMALL else _WORDS[Reason(reason)]
        for reason in reasons
        if reason in set(Reason)
    ]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def stored_note(quality: float | None, reasons: Iterable[str], width: float) -> str:
    """A sentence or two about a stored face; empty if there is nothing to say."""
    fault = faults(reasons, width)
    sentence = f"{fault[0].upper()}{fault[1:]}." if fault else ""
    if defines_person(quality):
        return sentence
    return f"{sentence or 'A poor picture.'} Too poor to recognise anybody by.".strip()


def probe_warning(quality: float | None, reasons: Iterable[str], width: float) -> str:
    """A sentence about a face that somebody asks about; empty if it is good enough."""
    fault = faults(reasons, width)
    if not defines_person(quality):
        return f"This face is {fault or 'a poor picture'}: expect errors."
    return f"This face is {fault}: expect more errors than usual." if fault else ""
