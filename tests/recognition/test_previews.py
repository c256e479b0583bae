"""Pictures for people to look at."""

import io

import numpy as np
import pytest
from PIL import Image

from faceweb.recognition.images import decode
from faceweb.recognition.previews import bare_jpeg, encode_jpeg
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


PRIVATE = b"a private note"


def jpeg_with_everything(**options: object) -> bytes:
    """A JPEG with all the places for metadata that we know of, and more behind its end."""
    exif = Image.Exif()
    exif[0x010F], exif[0x9286] = "Camera", PRIVATE.decode()
    thumbnail = b"JFXX\0\x13" + PRIVATE
    segments = [(0xE0, thumbnail), (0xE2, b"MPF\0" + PRIVATE), (0xED, b"Photoshop 3.0\0" + PRIVATE),
                (0xEC, PRIVATE), (0xEE, b"Other" + PRIVATE)]  # fmt: skip
    plain = file_of(quadrants(96, 128), "JPEG", exif=exif, xmp=PRIVATE, comment=PRIVATE, **options)
    extra = b"".join(
        bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content
        for marker, content in segments
    )
    first = 4 + int.from_bytes(plain[4:6])
    return plain[:first] + extra + plain[first:] + PRIVATE + plain


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}, {"keep_rgb": True}],
    ids=str,
)
def test_a_bare_jpeg_shows_the_same_and_says_nothing_else(options) -> None:
    full = jpeg_with_everything(icc_profile=b"colours", **options)
    bare = bare_jpeg(full)
    assert full.count(PRIVATE) >= 8
    assert bare is not None
    assert PRIVATE not in bare
    before, after = Image.open(io.BytesIO(full)), Image.open(io.BytesIO(bare))
    assert np.array_equal(np.asarray(before), np.asarray(after))
    assert after.info["icc_profile"] == b"colours"
    assert not after.getexif()
    assert bare_jpeg(bare) == bare


def test_a_bare_jpeg_keeps_what_says_how_colours_are_meant() -> None:
    grey = file_of(Image.fromarray(quadrants()).convert("L"), "JPEG")
    assert bare_jpeg(grey) == grey


def test_pictures_that_not_every_browser_shows_are_no_bare_jpegs() -> None:
    assert bare_jpeg(file_of(Image.fromarray(quadrants()).convert("CMYK"), "JPEG")) is None
    assert bare_jpeg(file_of(quadrants(), "PNG")) is None
    assert bare_jpeg(b"") is None
    plain = file_of(quadrants(), "JPEG")
    frame = plain.index(b"\xff\xc0")
    arithmetic = plain[: frame + 1] + b"\xc9" + plain[frame + 2 :]
    assert bare_jpeg(arithmetic) is None


def test_a_segment_about_colours_with_room_for_more_makes_no_bare_jpeg() -> None:
    plain = file_of(quadrants(), "JPEG")
    thumbnail = plain[:4] + b"\0\x13" + plain[6:18] + b"\1\1" + b"\xff\0\0" + plain[20:]
    assert decode(thumbnail).pixels.shape == (40, 80, 3)
    assert bare_jpeg(thumbnail) is None
    adobe = b"Adobe\0\x64\0\0\0\0\1" + PRIVATE
    noted = plain[:20] + b"\xff\xee" + (len(adobe) + 2).to_bytes(2) + adobe + plain[20:]
    assert decode(noted).pixels.shape == (40, 80, 3)
    assert bare_jpeg(noted) is None


def test_of_a_jpeg_cut_off_anywhere_there_is_no_bare_one() -> None:
    plain = jpeg_with_everything()[: -len(file_of(quadrants(), "JPEG"))]
    end = plain.index(b"\xff\xd9" + PRIVATE) + 2
    assert bare_jpeg(plain[:end])
    assert not any(bare_jpeg(plain[:length]) for length in range(end))


def test_damage_makes_a_bare_jpeg_no_worse_than_the_file() -> None:
    random = np.random.default_rng(3)
    content = jpeg_with_everything(progressive=True)
    for _ in range(500):
        damaged = bytearray(content)
        for _ in range(random.integers(1, 6)):
            damaged[random.integers(0, 1200)] = random.integers(0, 256)
        bare = bare_jpeg(bytes(damaged))
        assert bare is None or len(bare) <= len(content)
