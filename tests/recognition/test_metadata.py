"""Dates, orientations and XMP packets, read without decoding; names read from XMP and written."""

import io
import struct
import zlib
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from PIL import Image

from faceweb.recognition import exif
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import decode
from faceweb.recognition.metadata import Metadata, read_metadata
from faceweb.recognition.xmp import Region, named_regions, oriented, sidecar, stored

UPRIGHT = Metadata(400, 300, 1, None, b"")
ON_ITS_SIDE = Metadata(400, 300, 6, None, b"")  # 300 wide and 400 high when it stands upright

NAMESPACES = """xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
 xmlns:MP="http://ns.microsoft.com/photo/1.2/"
 xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
 xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#\""""


def packet(body: str) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {NAMESPACES}>'
        f'<rdf:Description rdf:about="">{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def mwg(items: str, *, width: int = 400, height: int = 300) -> bytes:
    return packet(
        '<mwg-rs:Regions rdf:parseType="Resource">'
        f'<mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>'
        f"<mwg-rs:RegionList><rdf:Bag>{items}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )


def item(name: str = "Ana Silva", area: str = "", kind: str = "Face") -> str:
    area = area or 'stArea:x="0.25" stArea:y="0.5" stArea:w="0.2" stArea:h="0.4"'
    return (
        f'<rdf:li><rdf:Description mwg-rs:Name="{name}" mwg-rs:Type="{kind}">'
        f'<mwg-rs:Area {area} stArea:unit="normalized"/></rdf:Description></rdf:li>'
    )


def picture(kind: str = "JPEG", size: tuple[int, int] = (400, 300), **options) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **options)
    return buffer.getvalue()


def dated(date: str, offset: str = "", orientation: int = 1) -> Image.Exif:
    fields = Image.Exif()
    fields[exif.ORIENTATION] = orientation
    fields.get_ifd(0x8769)[0x9003] = date
    if offset:
        fields.get_ifd(0x8769)[0x9011] = offset
    return fields


# --- dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_the_date_is_read_from_every_format_that_has_one(kind: str) -> None:
    content = picture(kind, exif=dated("2019:07:03 14:05:59", "+02:00").tobytes())
    moment = datetime(2019, 7, 3, 12, 5, 59, tzinfo=UTC)
    assert decode(content).taken_at == moment
    assert read_metadata(io.BytesIO(content)).taken_at == moment


@pytest.mark.parametrize(
    ("date", "offset", "moment"),
    [
        ("2019:07:03 14:05:59", None, datetime(2019, 7, 3, 14, 5, 59)),
        ("2019-07-03T14:05", None, datetime(2019, 7, 3, 14, 5)),
        (b"2019:07:03 14:05:59\0", b"-03:30\0",
         datetime(2019, 7, 3, 14, 5, 59, tzinfo=timezone(-timedelta(hours=3, minutes=30)))),
        ("2019:07:03 14:05:59", "+99:00", datetime(2019, 7, 3, 14, 5, 59)),
        ("2019:07:03 14:05:59", "   :  ", datetime(2019, 7, 3, 14, 5, 59)),
        ("0000:00:00 00:00:00", None, None),
        ("2019:02:30 10:00:00", None, None),
        ("0001:01:01 00:00:00", "+14:00", None),
        ("    :  :     :  :  ", None, None),
        ("yesterday", None, None),
        (None, None, None),
        (20190703, 2, None),
    ],
)  # fmt: skip
def test_dates_are_taken_only_where_they_make_sense(date, offset, moment) -> None:
    assert exif.parsed_date(date, offset) == moment


@pytest.mark.parametrize("cut", [4, 9, 14, 30, 60, 90])
def test_malformed_exif_is_ignored(cut: int) -> None:
    whole = dated("2019:07:03 14:05:59", "+02:00").tobytes()
    content = picture("JPEG", exif=whole[:cut] + b"\xff" * (len(whole) - cut))
    assert decode(content).width == 400
    assert read_metadata(io.BytesIO(content)).width == 400


# --- orientation and packets ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_the_stored_size_and_the_orientation_are_told_apart(kind: str) -> None:
    found = read_metadata(io.BytesIO(picture(kind, exif=dated("", orientation=6).tobytes())))
    assert (found.width, found.height, found.orientation) == (400, 300, 6)
    assert found.upright_size == (300, 400)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_the_packet_is_read_from_every_format(kind: str) -> None:
    options = {"xmp": mwg(item())}
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", mwg(item()).decode())
        options = {"pnginfo": info}
    if kind == "TIFF":
        options = {"tiffinfo": {700: mwg(item())}}
    found = read_metadata(io.BytesIO(picture(kind, **options)))
    assert named_regions(found.packet, found) == [Region("Ana Silva", (0.15, 0.3, 0.35, 0.7))]


def test_a_packet_behind_the_pixels_of_a_png_is_found_without_decoding() -> None:
    content = picture("PNG")
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + mwg(item())
    chunk = struct.pack(">I", len(text)) + b"iTXt" + text
    chunk += struct.pack(">I", zlib.crc32(b"iTXt" + text))
    found = read_metadata(io.BytesIO(content[:-12] + chunk + content[-12:]))
    assert [region.name for region in named_regions(found.packet, found)] == ["Ana Silva"]
    cut_off = content[:-12] + chunk[:30]
    assert named_regions(read_metadata(io.BytesIO(cut_off)).packet, found) == []


def test_no_picture_no_metadata() -> None:
    with pytest.raises(ImageError):
        read_metadata(io.BytesIO(b"nothing"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_as_pictures_do(orientation: int) -> None:
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[30:90, 40:160] = 255
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", exif=dated("", orientation=orientation))
    upright = decode(content.getvalue()).pixels
    rows, columns = np.nonzero(upright[..., 0] > 128)
    height, width = upright.shape[:2]
    seen = (columns.min() / width, rows.min() / height,
            (columns.max() + 1) / width, (rows.max() + 1) / height)  # fmt: skip
    box = (0.1, 0.1, 0.4, 0.3)
    assert oriented(box, orientation) == pytest.approx(seen)
    assert stored(oriented(box, orientation), orientation) == pytest.approx(box)


# --- regions -------------------------------------------------------------------------------------


def test_regions_are_read_however_rdf_writes_them() -> None:
    elements = (
        '<rdf:li rdf:parseType="Resource"><mwg-rs:Name> João  Baião </mwg-rs:Name>'
        '<mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area rdf:parseType="Resource">'
        "<stArea:x>0.25</stArea:x><stArea:y>0.5</stArea:y><stArea:w>0.2</stArea:w>"
        "<stArea:h>0.4</stArea:h></mwg-rs:Area></rdf:li>"
    )
    found = named_regions(mwg(elements + item()), UPRIGHT)
    assert [region.name for region in found] == ["João Baião", "Ana Silva"]
    assert {region.box for region in found} == {(0.15, 0.3, 0.35, 0.7)}


def test_what_is_no_named_face_is_left_out() -> None:
    items = [
        item(""),
        item("Rex", kind="Pet"),
        item("Nowhere", 'stArea:x="x" stArea:y="0" stArea:w="1" stArea:h="1"'),
        item("Nan", 'stArea:x="nan" stArea:y="0" stArea:w="1" stArea:h="1"'),
        item("Endless", 'stArea:x="0" stArea:y="0" stArea:w="inf" stArea:h="1"'),
        item("Flat", 'stArea:x="0.5" stArea:y="0.5" stArea:w="0" stArea:h="1"'),
        item("Outside", 'stArea:x="7" stArea:y="0.5" stArea:w="0.1" stArea:h="0.1"'),
        item("Point", 'stArea:x="0.5" stArea:y="0.5"'),
    ]
    assert named_regions(mwg("".join(items)), UPRIGHT) == []


def test_a_region_made_for_the_stored_picture_is_turned_with_it() -> None:
    found = named_regions(mwg(item()), ON_ITS_SIDE)
    assert found[0].box == pytest.approx((0.3, 0.15, 0.7, 0.35))


def test_a_region_made_for_the_upright_picture_is_left_as_it_is() -> None:
    found = named_regions(mwg(item(), width=300, height=400), ON_ITS_SIDE)
    assert found[0].box == pytest.approx((0.15, 0.3, 0.35, 0.7))


def test_regions_of_a_smaller_copy_hold_and_those_of_a_cut_picture_do_not() -> None:
    assert named_regions(mwg(item(), width=200, height=150), UPRIGHT)
    assert named_regions(mwg(item(), width=400, height=200), UPRIGHT) == []


def test_microsofts_regions_are_read_where_there_are_no_others() -> None:
    body = (
        '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>'
        '<rdf:li MPReg:Rectangle="0.1, 0.2, 0.3, 0.4" MPReg:PersonDisplayName="Rui"/>'
        '<rdf:li MPReg:Rectangle="0.1, 0.2" MPReg:PersonDisplayName="Half"/>'
        "</rdf:Bag></MPRI:Regions></MP:RegionInfo>"
    )
    assert named_regions(packet(body), UPRIGHT) == [Region("Rui", (0.1, 0.2, 0.4, 0.6))]


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "content",
    [b"", b"<x", b"\xff\xfe\0", b"not XML", BOMB, b'<?xml version="1.0" encoding="utf-7"?><x/>',
     b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', b"<a>" * 100_000,
     mwg(item()) + b" " * 5_000_000],
    ids=range(9),
)  # fmt: skip
def test_hostile_and_broken_xml_gives_nothing(content: bytes) -> None:
    assert named_regions(content, UPRIGHT) == []


def test_names_are_cut_and_cleaned_and_regions_counted() -> None:
    found = named_regions(mwg(item("A" * 5000) + item() * 2000), UPRIGHT)
    assert len(found) == 500
    assert len(found[0].name) == 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_written_is_read_again(orientation: int) -> None:
    picture = Metadata(400, 300, orientation, None, b"")
    regions = [
        Region("João <Baião> & \"Co\" 'x'", (0.1, 0.2, 0.3, 0.5)),
        Region("Ana", (0.6, 0.1, 0.9, 0.4)),
    ]
    found = named_regions(sidecar(regions, picture).encode(), picture)
    assert [region.name for region in found] == [region.name for region in regions]
    for region, written in zip(found, regions, strict=True):
        assert region.box == pytest.approx(written.box, abs=1e-5)


def test_control_characters_never_break_a_sidecar() -> None:
    text = sidecar([Region("A\x00n\x1ba\ufffe", (0, 0, 1, 1))], UPRIGHT)
    assert named_regions(text.encode(), UPRIGHT)[0].name == "Ana"
