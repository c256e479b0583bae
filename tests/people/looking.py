"""Photos of real faces, looked at by the real pipeline, for tests of what becomes of them."""

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from people.jobs import Status
from people.models import Face, Photo
from people.services import drawn, ingest
from tests.faces import photo as face_photo
from tests.factories import make_photo


def looked_at(name: str = "obama.jpg", *, content: bytes = b"", **values) -> Photo:
    """A photo of faces after its first look."""
    photo = make_photo(
        stored=True, content=content or face_photo(name).read_bytes(), status=Status.QUEUED,
        width=None, height=None, **values,
    )  # fmt: skip
    return look(photo)


def look(photo: Photo) -> Photo:
    """Look at a photo, whatever its state, and at its boxes."""
    Photo.objects.filter(pk=photo.pk).update(status=Status.QUEUED)
    ingest.process_photos(photo_ids=[photo.pk], worker="t")
    photo.refresh_from_db()
    assert photo.status == Status.DONE, photo.error_detail
    return photo


def look_at_boxes(photo: Photo) -> int:
    return drawn.look(photo_ids=[photo.pk])


def replace_picture(photo: Photo, content: bytes) -> None:
    """Put another picture in the place of the stored one."""
    default_storage.save(photo.file.name, ContentFile(content))


def values(face: Face) -> dict:
    return Face.objects.filter(pk=face.pk).values().get()
