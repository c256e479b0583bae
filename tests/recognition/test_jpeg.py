"""The picture alone, taken out of a JPEG file."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from faceweb.recognition.errors import ImageError, ImageProblem
from faceweb.recognition.images import decode
from faceweb.recognition.jpeg import bare
from tests.recognition.test_images import file_of, quadrants

PRIVATE = b"a private note"


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def with_everything(**options: object) -> bytes:
    """A JPEG with all the places for metadata that we know of, and more behind its end."""
    exif = Image.Exif()
    exif[0x010F], exif[0x9286] = "Camera", PRIVATE.decode()
    plain = file_of(quadrants(96, 128), "JPEG", exif=exif, xmp=PRIVATE, comment=PRIVATE,
                    icc_profile=PRIVATE, **options)  # fmt: skip
    extra = [(0xE0, b"JFXX\0\x13" + PRIVATE), (0xE2, b"MPF\0" + PRIVATE),
             (0xED, b"Photoshop 3.0\0" + PRIVATE), (0xEC, PRIVATE), (0xEE, PRIVATE)]  # fmt: skip
    first = 4 + int.from_bytes(plain[4:6])
    inserted = b"".join(segment(*one) for one in extra)
    return plain[:first] + inserted + plain[first:] + PRIVATE + plain


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}, {"keep_rgb": True}],
    ids=str,
)
def test_a_bare_jpeg_shows_the_same_and_says_nothing_else(options) -> None:
    full = with_everything(**options)
    alone = bare(full)
    assert full.count(PRIVATE) >= 9
    assert alone is not None
    assert PRIVATE not in alone
    assert np.array_equal(pixels(full), pixels(alone))
    assert set(Image.open(io.BytesIO(alone)).info) <= {
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform",
        "progressive", "progression",
    }  # fmt: skip
    assert bare(alone) == alone


def test_what_says_that_colours_are_red_green_and_blue_stays() -> None:
    rgb = file_of(quadrants(), "JPEG", keep_rgb=True, quality=95)
    # Components numbered as usual: only Adobe's segment tells their meaning then.
    frame, scan = rgb.index(b"\xff\xc0"), rgb.index(b"\xff\xda")
    numbered = bytearray(rgb)
    for number in range(3):
        numbered[frame + 10 + 3 * number] = numbered[scan + 5 + 2 * number] = number + 1
    alone = bare(bytes(numbered))
    assert alone is not None
    assert b"Adobe" in alone
    assert np.array_equal(pixels(alone), pixels(rgb))


def test_a_plain_jpeg_is_bare_already() -> None:
    for picture in (Image.fromarray(quadrants()), Image.fromarray(quadrants()).convert("L")):
        assert bare(file_of(picture, "JPEG")) == file_of(picture, "JPEG")


PLAIN = file_of(quadrants(), "JPEG")
FRAME, SCAN = PLAIN.index(b"\xff\xc0"), PLAIN.index(b"\xff\xda")


@pytest.mark.parametrize(
    "file",
    [
        b"",
        file_of(quadrants(), "PNG"),
        file_of(Image.fromarray(quadrants()).convert("CMYK"), "JPEG"),
        PLAIN[: FRAME + 1] + b"\xc9" + PLAIN[FRAME + 2 :],
        PLAIN[:FRAME] + PLAIN[FRAME : FRAME + 19] * 2 + PLAIN[FRAME + 19 :],
        PLAIN[:4] + b"\0\x13" + PLAIN[6:18] + b"\1\1\xff\0\0" + PLAIN[20:],
        PLAIN[:20] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + PRIVATE) + PLAIN[20:],
        PLAIN[:20] + segment(0xDD, b"\0\0" + PRIVATE) + PLAIN[20:],
        PLAIN[:-2] + segment(0xC4, PRIVATE) + PLAIN[-2:],
        PLAIN[:20] + PLAIN[SCAN:],
        PLAIN[:-2] + b"\xff" * 512 + PLAIN[-2:],
        PLAIN[: SCAN + 30] + PLAIN,
    ],
    ids=["empty", "PNG", "CMYK", "arithmetic", "two frames", "JFIF thumbnail", "note in Adobe's",
         "note in restarts", "tables at the end", "no tables", "no scan", "begun twice"],
)  # fmt: skip
def test_other_files_are_left_alone(file) -> None:
    assert bare(file) is None


def test_of_a_jpeg_cut_off_anywhere_there_is_no_bare_one() -> None:
    whole = with_everything()
    end = whole.index(b"\xff\xd9" + PRIVATE) + 2
    assert bare(whole[:end])
    assert not any(bare(whole[:length]) for length in range(end))


@pytest.mark.parametrize("marker", [b"\xff\xfe\0\2", b"\xff\xda\0\2", b"\xff\xdd\0\4\0\0"])
def test_a_flood_of_segments_is_not_followed(marker) -> None:
    begun = time.perf_counter()
    assert bare(PLAIN[:-2] + marker * 1_000_000 + PLAIN[-2:]) is None
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("progressive", [False, True])
def test_a_damaged_scan_is_no_less_damaged_when_it_is_turned(progressive) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    content = file_of(noise, "JPEG", progressive=progressive)
    half = len(content) // 2
    begun_twice, filled = content[:half] + content, content[:half] + b"\xff" * 512 + content[half:]
    for damaged in (begun_twice, filled):
        assert bare(damaged) is None
        assert _outcome(damaged) == _outcome(damaged, turns=1)
    if not progressive:
        assert _outcome(begun_twice) is ImageProblem.DAMAGED


def _outcome(content: bytes, turns: int = 0) -> ImageProblem | None:
    try:
        decode(content, turns=turns)
    except ImageError as error:
        return error.problem
    return None


def test_a_damaged_file_and_its_bare_jpeg_show_the_same() -> None:
    random = np.random.default_rng(3)
    content = with_everything(progressive=True)
    shown = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(random.integers(1, 6)):
            damaged[random.integers(0, 1400)] = random.integers(0, 256)
        try:
            image = decode(bytes(damaged))
        except ImageError:
            continue
        if image.jpeg:
            shown += 1
            assert np.array_equal(image.pixels, decode(image.jpeg).pixels)
    assert shown > 50
