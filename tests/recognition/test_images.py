"""Any file in: an upright 8-bit RGB picture out, or ImageError with the right reason."""

import csv
import io
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from faceweb.recognition.errors import ImageError, ImageProblem
from faceweb.recognition.headers import read_header
from faceweb.recognition.images import decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

# How a camera stores an upright picture under each EXIF orientation.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
PLAIN_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "HEIF", "AVIF")


def quadrants(height: int = 40, width: int = 80) -> np.ndarray:
    """Red, green, blue and white quarters: every turn and mirroring shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def corners(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    rows = [height // 5, height // 5, -height // 5, -height // 5]
    columns = [width // 5, -width // 5, width // 5, -width // 5]
    return pixels[rows, columns].astype(int)


def is_upright(pixels: np.ndarray) -> bool:
    return bool(np.abs(corners(pixels) - np.array([RED, GREEN, BLUE, WHITE])).max() < 60)


def file_of(picture: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(np.ascontiguousarray(picture))
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def problem_of(content: bytes, **options: int) -> ImageProblem:
    with pytest.raises(ImageError) as caught:
        decode(content, **options)
    return caught.value.problem


def one_bit_png(width: int, height: int) -> bytes:
    """A white PNG of any size, made without holding its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    row = b"\0" + b"\xff" * ((width + 7) // 8)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def in_a_process_of_its_own(code: str, path: Path) -> dict[str, float]:
    """Run code on a file; it prints numbers as `name=value`, to which the growth is added."""
    program = f"""
import re, resource, sys, time
from pathlib import Path
from faceweb.recognition.images import decode
from faceweb.recognition.errors import ImageError
def peak():
    # Linux hands ru_maxrss on from the process that started this one; VmHWM is our own.
    if sys.platform == "linux":
        return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
content = open(sys.argv[1], "rb").read()
before, start = peak(), time.perf_counter()
{code}
print(f"seconds={{time.perf_counter() - start}}")
print(f"megabytes={{peak() - before}}")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    return {k: float(v) for k, v in (line.split("=") for line in done.stdout.splitlines())}


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLAIN_FORMATS)
def test_every_format_is_decoded_to_rgb(kind):
    result = decode(file_of(quadrants(), kind))
    assert result.pixels.dtype == np.uint8
    assert result.pixels.shape == (40, 80, 3)
    assert is_upright(result.pixels)
    assert (result.width, result.height, result.scale) == (80, 40, 1.0)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("HEIF", "image/heif"),
        ("AVIF", "image/avif"),
    ],
)
def test_the_media_type_comes_from_the_content(kind, media_type):
    content = file_of(quadrants(), kind)
    assert decode(content).media_type == media_type
    assert read_header(content).media_type == media_type


def test_a_picture_in_the_two_frame_format_of_phones_is_taken_for_its_first_frame():
    second = Image.new("RGB", (80, 40), "black")
    content = file_of(quadrants(), "MPO", save_all=True, append_images=[second])
    result = decode(content)
    assert is_upright(result.pixels)
    assert result.media_type == "image/jpeg"


def test_a_misleading_extension_does_not_matter(tmp_path):
    path = tmp_path / "portrait.jpg"
    path.write_bytes(file_of(quadrants(), "WEBP", lossless=True))
    with path.open("rb") as file:
        result = decode(file)
    assert result.media_type == "image/webp"
    assert is_upright(result.pixels)


def test_a_file_is_read_from_its_beginning_wherever_it_stands():
    file = io.BytesIO(file_of(quadrants(), "PNG"))
    file.seek(20)
    assert read_header(file).width == 80
    assert is_upright(decode(file).pixels)


@pytest.mark.parametrize("kind", ["ICO", "PCX", "PDF", "EPS", "TGA", "ICNS"])
def test_formats_nobody_keeps_photos_in_are_refused(kind):
    content = file_of(quadrants(64, 64), kind)
    assert problem_of(content) is ImageProblem.NOT_AN_IMAGE


# --- orientation --------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_exif_orientation_is_applied_once(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Given as bytes, HEIF's encoder turns it into a property of the container, as phones do.
    written = exif.tobytes() if kind == "HEIF" else exif
    result = decode(file_of(STORED[orientation](quadrants()), kind, exif=written))
    assert result.pixels.shape == (40, 80, 3)
    assert is_upright(result.pixels)
    assert (result.width, result.height) == (80, 40)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_orientation_is_applied_once_to_compressed_tiffs(compression):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of(STORED[6](quadrants()), "TIFF", compression=compression, exif=exif)
    result = decode(content)
    assert is_upright(result.pixels)
    assert (result.width, result.height) == (80, 40)


def test_a_large_turned_jpeg_is_upright_with_the_upright_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of(STORED[6](quadrants(1500, 3000)), "JPEG", exif=exif)
    result = decode(content, working_side=500)
    assert is_upright(result.pixels)
    assert result.pixels.shape == (250, 500, 3)
    assert (result.width, result.height) == (3000, 1500)
    assert result.scale == pytest.approx(6.0)


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_an_orientation_out_of_range_is_ignored(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert is_upright(decode(file_of(quadrants(), "JPEG", exif=exif)).pixels)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage that is no directory",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40,
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x03\0\0\0six\0\0\0\0\0",
    ],
    ids=["empty", "text", "wild offset", "wild count", "orientation in words"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_malformed_exif_does_not_lose_the_picture(kind, exif):
    assert is_upright(decode(file_of(quadrants(), kind, exif=exif)).pixels)


# --- colours and depths -------------------------------------------------------------------------


def test_a_cmyk_jpeg_keeps_its_colours():
    content = file_of(Image.fromarray(quadrants()).convert("CMYK"), "JPEG", quality=95)
    assert is_upright(decode(content).pixels)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}, {"quality": 5}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_upright_jpeg_has_the_pixels_that_pillow_sees(mode, options):
    noise = np.random.default_rng(1).integers(0, 256, (123, 201, 3), np.uint8)
    if mode == "L":
        options = {key: value for key, value in options.items() if key != "keep_rgb"}
    content = file_of(Image.fromarray(noise).convert(mode), "JPEG", **options)
    image = decode(content)
    assert image.jpeg == content
    assert (image.width, image.height, image.scale) == (201, 123, 1)
    seen = Image.open(io.BytesIO(content)).convert("RGB")
    assert np.array_equal(image.pixels, np.asarray(seen))


def test_what_is_turned_or_reduced_or_no_jpeg_comes_without_one():
    content = file_of(quadrants(300, 400), "JPEG")
    assert decode(content, turns=2).jpeg is None
    assert decode(content, working_side=200).jpeg is None
    assert decode(file_of(quadrants(), "PNG")).jpeg is None
    exif = Image.Exif()
    exif[0x0112] = 3
    assert decode(file_of(quadrants(), "JPEG", exif=exif)).jpeg is None


@pytest.mark.parametrize("mode", ["YCbCr", "L"])
def test_jpegs_of_other_modes_become_rgb(mode):
    content = file_of(Image.fromarray(quadrants()).convert(mode), "JPEG", quality=95)
    pixels = decode(content).pixels
    assert pixels.shape == (40, 80, 3)
    expected = Image.fromarray(quadrants()).convert("L" if mode == "L" else "RGB").convert("RGB")
    assert np.abs(corners(pixels) - corners(np.asarray(expected))).max() < 20


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_rescaled_and_not_clipped(kind):
    grey = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (20, 1))
    pixels = decode(file_of(Image.fromarray(grey), kind)).pixels
    assert pixels.shape == (20, 256, 3)
    assert np.abs(pixels[10, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_a_dim_16_bit_picture_is_not_stretched_to_full_brightness():
    grey = np.tile(np.linspace(0, 32767, 256).astype(np.uint16), (20, 1))
    assert 126 <= decode(file_of(Image.fromarray(grey), "PNG")).pixels.max() <= 128


def test_16_bit_colour_is_brought_to_8_bits():
    _, encoded = cv2.imencode(".png", quadrants()[..., ::-1].astype(np.uint16) * 257)
    assert is_upright(decode(encoded.tobytes()).pixels)


@pytest.mark.parametrize("top", [1.0, 255.0, 4000.0])
def test_floating_point_grey_keeps_its_gradient(top):
    grey = np.tile(np.linspace(0, top, 256, dtype=np.float32), (20, 1))
    row = decode(file_of(Image.fromarray(grey), "TIFF")).pixels[10, :, 0].astype(int)
    assert np.abs(row - np.arange(256)).max() <= 1


def test_one_bit_pictures_become_black_and_white():
    picture = Image.fromarray(np.eye(64, dtype=np.uint8) * 255).convert("1", dither=None)
    pixels = decode(file_of(picture, "PNG")).pixels
    assert (pixels == np.eye(64, dtype=np.uint8)[..., None] * 255).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_palette_is_looked_up(kind):
    content = file_of(Image.fromarray(quadrants()).quantize(8), kind)
    assert is_upright(decode(content).pixels)


def test_transparent_palette_entries_lie_on_white():
    picture = Image.new("P", (20, 10), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(1, (10, 0, 20, 10))
    pixels = decode(file_of(picture, "PNG", transparency=0)).pixels
    assert (pixels[:, :10] == 255).all()
    assert (pixels[:, 10:] == RED).all()


def test_a_palette_with_graded_transparency_is_blended_with_white():
    picture = Image.new("P", (20, 10), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(1, (10, 0, 20, 10))
    pixels = decode(file_of(picture, "PNG", transparency=bytes([128, 255]))).pixels
    assert np.abs(pixels[:, :10].astype(int) - 127).max() <= 1
    assert (pixels[:, 10:] == RED).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparency_lies_on_white(kind):
    picture = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (32, 0, 64, 32))
    pixels = decode(file_of(picture, kind)).pixels.astype(int)
    assert np.abs(pixels[16, 10] - 255).max() <= 3
    assert np.abs(pixels[16, 50] - RED).max() <= 12


def test_half_transparent_grey_is_blended_with_white():
    pixels = decode(file_of(Image.new("LA", (20, 10), (0, 128)), "PNG")).pixels
    assert pixels.shape == (10, 20, 3)
    assert np.abs(pixels.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_only_the_first_frame_of_an_animation_counts(kind):
    later = [Image.new("RGB", (80, 40), colour) for colour in ("black", "yellow")]
    content = file_of(quadrants(), kind, save_all=True, append_images=later, duration=100)
    assert Image.open(io.BytesIO(content)).n_frames == 3
    assert is_upright(decode(content).pixels)


# --- files that are no good ---------------------------------------------------------------------


def test_an_empty_file_is_called_empty():
    assert problem_of(b"") is ImageProblem.EMPTY


@pytest.mark.parametrize(
    "content",
    [b"\0", b"GIF89a", b"<svg/>", b"%PDF-1.7 hello", os.urandom(4000), b"\xff\xd8\xff" + b"a" * 99],
    ids=["zero", "magic", "svg", "pdf", "noise", "false jpeg"],
)
def test_garbage_is_called_not_an_image(content):
    assert problem_of(content) is ImageProblem.NOT_AN_IMAGE


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_truncated_jpeg_is_called_truncated(options, share):
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    content = file_of(noise, "JPEG", **options)
    assert problem_of(content[: int(len(content) * share)]) is ImageProblem.TRUNCATED


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "PPM"])
def test_other_truncated_files_are_called_truncated(kind):
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    content = file_of(noise, kind)
    assert problem_of(content[: len(content) // 2]) is ImageProblem.TRUNCATED


@pytest.mark.parametrize("kind", PLAIN_FORMATS)
def test_damaged_files_decode_or_say_so_and_raise_nothing_else(kind, capfd):
    random = np.random.default_rng(7)
    ramp = np.add.outer(np.arange(48), np.arange(64))
    content = file_of(np.stack([ramp, ramp * 2, 255 - ramp], 2).astype(np.uint8), kind)
    outcomes = set()
    for attempt in range(150):
        damaged = bytearray(content)
        if attempt % 3 == 0:
            del damaged[random.integers(1, len(damaged)) :]
        reach = len(damaged) if attempt % 2 else min(len(damaged), 200)
        for _ in range(random.integers(1, 10)):
            damaged[random.integers(0, reach)] = random.integers(0, 256)
        try:
            outcomes.add(decode(bytes(damaged)).pixels.shape[2])
        except ImageError as error:
            outcomes.add(error.problem)
    assert outcomes & set(ImageProblem)
    capfd.readouterr()  # what the libraries wrote about it


# --- size ---------------------------------------------------------------------------------------


def test_a_decompression_bomb_is_refused_at_once_and_without_memory(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(one_bit_png(30_000, 30_000))
    assert path.stat().st_size < 1_000_000
    code = """
try:
    decode(content)
except ImageError as error:
    print(f"refused={error.problem == 'too_many_pixels':d}")
"""
    report = in_a_process_of_its_own(code, path)
    assert report["refused"] == 1
    assert report["seconds"] < 1
    assert report["megabytes"] < 20


def test_more_pixels_than_allowed_are_refused_by_header_and_by_decoding():
    content = file_of(quadrants(40, 80), "PNG")
    assert decode(content, max_pixels=3200).width == 80
    assert problem_of(content, max_pixels=3199) is ImageProblem.TOO_MANY_PIXELS
    with pytest.raises(ImageError) as caught:
        read_header(content, max_pixels=3199)
    assert caught.value.problem is ImageProblem.TOO_MANY_PIXELS


def test_the_default_limit_refuses_156_megapixels():
    assert problem_of(one_bit_png(13_000, 12_000)) is ImageProblem.TOO_MANY_PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("width", "height"), [(1203, 797), (797, 1203), (1600, 50)])
def test_large_pictures_are_reduced_to_the_working_side(kind, width, height):
    result = decode(file_of(quadrants(height, width), kind), working_side=400)
    assert max(result.pixels.shape[:2]) == 400
    assert (result.width, result.height) == (width, height)
    assert result.scale == pytest.approx(max(width, height) / 400)
    assert min(result.pixels.shape[:2]) == pytest.approx(min(width, height) / result.scale, abs=0.5)
    assert is_upright(result.pixels)


def test_pictures_within_the_working_side_keep_every_pixel():
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    result = decode(file_of(noise, "PNG"), working_side=400)
    assert (result.pixels == noise).all()
    assert result.scale == 1.0


@pytest.mark.parametrize(("width", "height"), [(8000, 6000), (6000, 4000), (3000, 9000)])
def test_a_large_jpeg_is_never_decoded_at_its_full_size(tmp_path, width, height):
    path = tmp_path / "large.jpg"
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(path)
    code = """
result = decode(content)
print(f"width={result.width}")
print(f"height={result.height}")
print(f"longest={max(result.pixels.shape)}")
print(f"scale={result.scale}")
"""
    report = in_a_process_of_its_own(code, path)
    assert (report["width"], report["height"]) == (width, height)
    assert report["longest"] == 2560
    assert report["scale"] == pytest.approx(max(width, height) / 2560)
    assert report["megabytes"] < width * height * 4 / 1e6  # four bytes a pixel while decoding


def test_a_picture_of_one_pixel_is_a_picture():
    result = decode(file_of(np.full((1, 1, 3), 9, np.uint8), "PNG"))
    assert result.pixels.tolist() == [[[9, 9, 9]]]


# --- headers and crops --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLAIN_FORMATS)
def test_the_header_tells_format_and_stored_size(kind):
    header = read_header(file_of(quadrants(), kind))
    assert (header.format, header.width, header.height) == (kind, 80, 40)


def test_reading_the_header_decodes_nothing():
    content = one_bit_png(11_000, 11_000)
    start = time.perf_counter()
    header = read_header(content[: len(content) // 2])
    assert (header.width, header.height) == (11_000, 11_000)
    assert time.perf_counter() - start < 0.2


# --- a folder of hard photos --------------------------------------------------------------------


def test_every_hard_photo_decodes_or_says_why_not():
    """FACEWEB_HARD_PHOTOS names a folder whose INDEX.csv has the columns file and expected."""
    folder = os.environ.get("FACEWEB_HARD_PHOTOS")
    if not folder:
        pytest.skip("FACEWEB_HARD_PHOTOS is not set")
    with (Path(folder) / "INDEX.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        try:
            result = decode((Path(folder) / row["file"]).read_bytes())
        except ImageError:
            continue
        assert not row["expected"].startswith("reject"), row["file"]
        assert result.pixels.ndim == 3
