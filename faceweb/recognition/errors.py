"""What can go wrong with one picture, as codes that the rest of faceweb turns into sentences."""

from enum import StrEnum


class ImageProblem(StrEnum):
    """Why a file cannot be used as a photo. The value is stored on rows."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"


class ImageError(Exception):
    """A file that cannot be decoded: `problem` says why, `detail` is for the log."""

    def __init__(self, problem: ImageProblem, detail: str = "") -> None:
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)
        self.problem = problem
        self.detail = detail


class WeightsError(Exception):
    """Model weights are missing or not the expected file; the message says what to do."""
