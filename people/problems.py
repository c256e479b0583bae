"""One table that turns the codes of problems into sentences for people."""

_SENTENCES = {
    # with a file
    "empty": "The file is empty. Copy it again from where it came from.",
    "not_an_image": "This is not a picture that faceweb can read. It reads JPEG, PNG, HEIC, WebP, "
    "TIFF, GIF, BMP, AVIF and PPM.",
    "too_many_pixels": "The picture has too many pixels to be opened safely. Save a smaller copy "
    "and upload that.",
    "truncated": "The end of the file is missing, so it was probably not copied completely. "
    "Copy it again from where it came from.",
    "damaged": "The file is damaged and cannot be opened. Try another copy of it.",
    "too_large": "The file is larger than this faceweb accepts.",
    "too_many_files": "These are more files than can be uploaded at once.",
    "file_missing": "The stored file cannot be found any more. Delete this photo and upload it "
    "again.",
    # with accuracy and thresholds
    "too_few_named": "At least two people must have two named faces each. Name more faces first.",
    "no_such_calibration": "This check made no calibration that could be used.",
    "outdated_check": "This check was made with another embedder. Check again first.",
    "rates_order": "A possible match must not ask for more than a match does.",
    # with the work
    "crashed_worker": "Looking at this picture stopped the worker twice, so it was set aside. "
    "Try another copy of it.",
    "unexpected": "Something went wrong that faceweb did not foresee. Try again; if it happens "
    "again, the worker's log says more.",
}


def sentence(code: str) -> str:
    """What a code means to a person, and what to do about it."""
    return _SENTENCES.get(code, _SENTENCES["unexpected"])


class Refused(Exception):
    """Something that was asked for and cannot be done. `code` is one of this module's."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail

    @property
    def sentence(self) -> str:
        return sentence(self.code)
