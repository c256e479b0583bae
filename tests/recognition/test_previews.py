"""Pictures for people to look at."""

import io

import numpy as np
import pytest
from PIL import Image

from faceweb.recognition.images import decode
from faceweb.recognition.previews import encode_jpeg
from faceweb.recognition.reducing import fitted
from tests.recognition.test_images import file_of, is_upright, quadrants


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((300, 900), (67, 200)),
        ((901, 301), (200, 67)),
        ((5000, 3), (200, 1)),
        ((150, 200), (150, 200)),
    ],
)
def test_a_picture_is_made_to_fit_and_keeps_its_proportions(shape, wanted) -> None:
    assert fitted(np.zeros((*shape, 3), np.uint8), 200).shape == (*wanted, 3)


@pytest.mark.parametrize("times", [1.3, 2, 3.7, 9, 20])
def test_no_pixel_is_passed_over(times: float) -> None:
    """Stripes as thin as pixels become what they are on average, and no pattern of their own."""
    side = int(100 * times)
    stripes = np.zeros((side, side, 3), np.uint8)
    stripes[:, ::2] = 200
    small = fitted(stripes, 100).astype(int)
    assert abs(small.mean() - 100) < 3
    if times >= 2:
        assert small.std() < 20


def test_a_jpeg_for_display_fits_the_square_and_keeps_its_proportions():
    encoded = encode_jpeg(quadrants(300, 900), longest_side=200)
    picture = Image.open(io.BytesIO(encoded))
    assert picture.format == "JPEG"
    assert picture.size == (200, 67)
    assert is_upright(np.asarray(picture))


def test_a_jpeg_for_display_is_not_enlarged():
    picture = Image.open(io.BytesIO(encode_jpeg(quadrants(40, 80), longest_side=200)))
    assert picture.size == (80, 40)


def test_a_jpeg_for_display_carries_no_metadata_of_the_photo():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9286] = 6, "Camera", "a private note"
    photo = file_of(quadrants(), "JPEG", exif=exif, comment=b"a private note")
    encoded = encode_jpeg(decode(photo).pixels, longest_side=100)
    assert b"private" in photo
    assert b"private" not in encoded
    picture = Image.open(io.BytesIO(encoded))
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_view_into_a_turned_picture_can_be_encoded():
    turned = np.rot90(quadrants(300, 900)[10:290, 10:890], 2)
    picture = Image.open(io.BytesIO(encode_jpeg(turned, longest_side=100)))
    assert picture.size == (100, 32)
