"""The numbers of an answer in sentences, for people who have never heard of a similarity."""

import math

from people import words

# How far the first person must be ahead of the second, measured on LFW (docs/adr/0013): up to the
# first figure the second was the right one about every other time, above the second figure in one
# case of a hundred.
CLOSE, CLEAR = 0.05, 0.1

_RAREST = 1e-4


def sureness(confidence: float | None) -> str:
    """What a confidence means. It holds at even odds, so the sentence says so."""
    if confidence is None:
        return ""
    cases = round(confidence * 100)
    if confidence > 0.99:
        share = "in more than 99 of 100 cases"
    elif confidence < 0.01:
        share = "in fewer than 1 of 100 cases"
    else:
        share = f"in {cases} of 100 cases"
    return f"Faces this alike show the same person {share} where it could equally be two people."


def sure(confidence: float | None) -> str:
    """A confidence in percent. What rests on some thousand comparisons has no more places."""
    if confidence is None:
        return ""
    if confidence > 0.999:
        return "over 99.9 %"
    return "under 0.1 %" if confidence < 0.001 else f"{confidence * 100:.1f} %"


def chance(strangers: float | None, gallery_size: int | None) -> str:
    """How many strangers are this alike by chance among all the faces."""
    if strangers is None or not gallery_size:
        return ""
    among = f"among the {gallery_size:,} faces here" if gallery_size > 1 else "with one face here"
    if strangers >= 0.95:
        number = "1 stranger is" if strangers < 1.5 else f"{round(strangers):,} strangers are"
        return f"But {among}, about {number} this alike by chance."
    among = among[0].upper() + among[1:]
    met = 1 - math.exp(-strangers)
    if met < _RAREST:
        often = f"in fewer than {words.one_in(_RAREST)} searches"
    else:
        often = f"in about {words.one_in(met)} searches"
    return f"{among}, a stranger this alike turns up by chance {often}."


def amount(strangers: float | None) -> str:
    """A number of strangers to two figures."""
    if strangers is None:
        return ""
    if strangers < 0.001:
        return "under 0.001"
    if strangers >= 10:
        return f"{round(strangers):,}"
    return f"{float(f'{strangers:.2g}'):g}"


def lead(margin: float | None, *, named: bool = True) -> str:
    """How clearly the first person is ahead of the second."""
    if margin is None:
        return "There is nobody else here to compare with."
    if margin >= CLEAR:
        return f"Clearly ahead of {'the next person' if named else 'everybody else'}."
    if margin >= CLOSE:
        return "Ahead of the next person, but not by far: compare both."
    return "Two people are almost equally alike: compare both."


def agreement(support: int, compared: int | None) -> str:
    """How many of a person's pictures speak for the answer."""
    if compared is None:
        return f"{support} pictures of this person agree." if support > 1 else ""
    if compared <= 1:
        return "There is one picture to go by."
    if support == compared:
        return f"{'Both' if compared == 2 else f'All {compared}'} pictures of this person agree."
    return f"{support} of {compared} pictures of this person agree{'s' if support == 1 else ''}."
