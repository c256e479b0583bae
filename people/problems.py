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
    # with edits
    "changed_meanwhile": "Someone changed this in the meantime, so nothing was changed now. Look "
    "again at how it is.",
    "nothing_to_do": "It is like that already, so nothing was changed.",
    "cannot_undo": "This cannot be undone.",
    "faces_gone": "These faces are not there any more.",
    "not_a_face": "This was marked as not a face. Restore it first.",
    "person_gone": "This person is deleted.",
    "same_person": "This is one and the same person. Choose someone else.",
    "no_name": "Write a name, or choose one from the list.",
    "none_can_be": "None of these faces can be that person: somebody said no before, or another "
    "face in the photo is that person.",
    "nobody_left": "These are all the faces here. Leave at least one, or set them all aside.",
    "same_photo": "Both have a face in one photo, so they cannot be one person.",
    "kept_apart": "Somebody said that these are different people. Undo that in the history first.",
    "not_theirs": "This is not a face of this person.",
    "not_deleted": "This person is not deleted, so there is nothing to restore.",
    "was_merged": "This person was merged into someone else. Undo the merge in the history.",
    "too_many_chosen": "These are too many at once. Choose fewer.",
    "too_few_chosen": "Choose at least two people to merge.",
    # with accuracy and thresholds
    "too_few_named": "At least two people must have two named faces each. Name more faces first.",
    "no_such_calibration": "This check made no calibration that could be used.",
    "outdated_check": "This check was made with another embedder. Check again first.",
    "general_embedder": "The embedder in use is for pictures in general: how alike it finds two "
    "faces does not say who they are.",
    "rates_order": "A possible match must not ask for more than a match does.",
    # with photos and boxes
    "photo_busy": "This photo is being looked at just now. Try again in a moment.",
    "nothing_chosen": "Choose at least one photo first.",
    "no_box": "A box needs four numbers: left, top, right and bottom, in pixels of the photo.",
    "box_too_small": "This box is too small, or outside the photo. Draw it a little larger.",
    "face_there": "There is a face in this place already. Correct its box instead.",
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
        """Why; what stands in the way of an undo is in the detail."""
        said = sentence(self.code)
        return f"{said} {self.detail}" if self.code == "cannot_undo" and self.detail else said
