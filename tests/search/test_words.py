"""An answer's numbers in sentences."""

import pytest

from people.quality import probe_warning, stored_note
from search.services import words


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.98, "in 98 of 100 cases"), (0.9996, "in more than 99 of 100 cases"),
     (0.004, "in fewer than 1 of 100 cases"), (0.5, "in 50 of 100 cases")],
)  # fmt: skip
def test_a_confidence_is_said_with_the_odds_it_holds_at(confidence: float, said: str) -> None:
    sentence = words.sureness(confidence)
    assert said in sentence and "could equally be two people" in sentence


@pytest.mark.parametrize(
    ("confidence", "shown"),
    [(0.9996, "over 99.9 %"), (0.99, "99.0 %"), (0.847, "84.7 %"), (0.0004, "under 0.1 %")],
)
def test_a_confidence_is_never_shown_as_certain(confidence: float, shown: str) -> None:
    assert words.sure(confidence) == shown


@pytest.mark.parametrize(
    ("strangers", "said"),
    [
        (12.3, "But among the 3,095 faces here, about 12 strangers are this alike by chance."),
        (1.1, "about 1 stranger is this alike"),
        (0.3, "Among the 3,095 faces here, a stranger this alike turns up by chance in about "
              "1 in 4 searches."),
        (0.0000001, "in fewer than 1 in 10,000 searches"),
    ],
)  # fmt: skip
def test_chance_matches_are_said_as_people_or_as_searches(strangers: float, said: str) -> None:
    assert said in words.chance(strangers, 3095)


@pytest.mark.parametrize(
    ("margin", "said"),
    [(0.3, "Clearly ahead"), (0.07, "not by far"), (0.01, "almost equally alike: compare both"),
     (None, "nobody else here")],
)  # fmt: skip
def test_the_lead_is_said_in_words(margin: float | None, said: str) -> None:
    assert said in words.lead(margin)


@pytest.mark.parametrize(
    ("support", "compared", "said"),
    [(1, 1, "There is one picture to go by."), (2, 2, "Both pictures of this person agree."),
     (6, 6, "All 6 pictures of this person agree."),
     (1, 7, "1 of 7 pictures of this person agrees."),
     (4, 7, "4 of 7 pictures of this person agree."),
     (3, None, "3 pictures of this person agree."), (1, None, "")],
)  # fmt: skip
def test_the_pictures_that_agree_are_counted(support: int, compared: int | None, said: str) -> None:
    assert words.agreement(support, compared) == said


def test_what_is_not_known_is_not_said() -> None:
    assert words.sureness(None) == words.sure(None) == words.amount(None) == ""
    assert words.chance(None, 10) == words.chance(0.1, None) == ""


@pytest.mark.parametrize(
    ("strangers", "shown"),
    [(0.00004, "under 0.001"), (0.0123, "0.012"), (0.3, "0.3"), (1234.5, "1,234")],
)
def test_amounts_have_two_figures(strangers: float, shown: str) -> None:
    assert words.amount(strangers) == shown


@pytest.mark.parametrize(
    ("quality", "reasons", "said"),
    [
        (0.98, [], ""),
        (None, [], ""),
        (0.8, ["small"], "This face is only 24 pixels wide: expect more errors than usual."),
        (0.4, ["small", "blurred", "dark"],
         "This face is only 24 pixels wide, blurred and dark: expect errors."),
        (0.69, [], "This face is a poor picture: expect errors."),
    ],
)  # fmt: skip
def test_a_poor_probe_is_told_so(quality: float | None, reasons: list[str], said: str) -> None:
    assert probe_warning(quality, reasons, 24.4) == said


@pytest.mark.parametrize(
    ("quality", "reasons", "said"),
    [
        (0.98, [], ""),
        (0.85, ["turned_away"], "Turned away from the camera."),
        (0.4, ["cut_off", "too_bright"],
         "Cut off at the edge of the photo and too bright. Too poor to recognise anybody by."),
        (0.4, [], "A poor picture. Too poor to recognise anybody by."),
        (0.8, ["a code from later"], ""),
    ],
)  # fmt: skip
def test_a_stored_face_says_what_is_wrong_with_it(quality, reasons: list[str], said: str) -> None:
    assert stored_note(quality, reasons, 60) == said
