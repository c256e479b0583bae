"""Names of people and where they are, in XMP: read from files of others, and written for them.

Read are the regions of the Metadata Working Group ("Guidelines for handling image metadata",
2010), which digiKam, Lightroom, Picasa and others write, else those of Microsoft's photo
programs. Both measure pictures as stored, before any EXIF orientation, unless the size they
say they were made for is that of the upright picture.
"""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import ParseError, fromstring

from faceweb.recognition.metadata import MAX_PACKET, Metadata

MAX_REGIONS = 500
MAX_NAME = 200

Box = tuple[float, float, float, float]

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_AREA = "{http://ns.adobe.com/xmp/sType/Area#}"
_DIMENSIONS = "{http://ns.adobe.com/xap/1.0/sType/Dimensions#}"
_MP = "{http://ns.microsoft.com/photo/1.2/}"
_MP_INFO = "{http://ns.microsoft.com/photo/1.2/t/RegionInfo#}"
_MP_REGION = "{http://ns.microsoft.com/photo/1.2/t/Region#}"

# A picture whose shape differs by more from the one that regions were made for was cut since.
_SHAPE_TOLERANCE = 0.03


@dataclass(frozen=True)
class Region:
    """A person's name and place: x1, y1, x2, y2 as shares of the upright picture's sides."""

    name: str
    box: Box


def named_regions(packet: bytes, picture: Metadata) -> list[Region]:
    """The named faces in an XMP packet, embedded in a picture or beside it.

    What is malformed, unnamed, no face, or made for a picture of another shape is left out.
    """
    if not packet or len(packet) > MAX_PACKET:
        return []
    try:
        root = fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except (ParseError, ValueError, LookupError):  # defusedxml's refusals are ValueErrors
        return []
    for read in (_mwg_regions, _microsoft_regions):
        regions = [r for r in read(root, picture) if r.name and _is_box(r.box)]
        if regions:
            return regions[:MAX_REGIONS]
    return []


def sidecar(regions: Sequence[Region], picture: Metadata) -> str:
    """An XMP sidecar file with the regions, in the coordinates of the picture as stored."""
    items = "".join(_item(region, picture) for region in regions)
    people = "".join(
        f"     <rdf:li>{_escaped(name)}</rdf:li>\n"
        for name in dict.fromkeys(region.name for region in regions)
    )
    return _SIDECAR.format(width=picture.width, height=picture.height, items=items, people=people)


def oriented(box: Box, orientation: int) -> Box:
    """A box in shares of a stored picture, on the picture that its EXIF orientation makes."""
    corners = [_ORIENTED[orientation](x, y) for x, y in (box[:2], box[2:])]
    (x1, x2), (y1, y2) = (sorted(values) for values in zip(*corners, strict=True))
    return x1, y1, x2, y2


def stored(box: Box, orientation: int) -> Box:
    """The inverse of `oriented`."""
    return oriented(box, {6: 8, 8: 6}.get(orientation, orientation))


_ORIENTED = {
    1: lambda x, y: (x, y),
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}


def _mwg_regions(root: Element, picture: Metadata) -> Iterator[Region]:
    for info in root.iter(f"{_MWG}Regions"):
        size = _numbers(_property(info, f"{_MWG}AppliedToDimensions"), _DIMENSIONS, "wh")
        orientation = _orientation(size, picture)
        if orientation is None:
            continue
        for item in _items(_property(info, f"{_MWG}RegionList")):
            if _text(_property(item, f"{_MWG}Type")) not in ("", "Face"):
                continue
            area = _property(item, f"{_MWG}Area")
            numbers = _numbers(area, _AREA, "xywh")
            if numbers is None:
                continue
            x, y, w, h = numbers
            if _text(_property(area, f"{_AREA}unit")) == "pixel":
                width, height = size or (picture.width, picture.height)
                x, y, w, h = x / width, y / height, w / width, h / height
            box = oriented((x - w / 2, y - h / 2, x + w / 2, y + h / 2), orientation)
            yield Region(_name(_property(item, f"{_MWG}Name")), _within(box))


def _microsoft_regions(root: Element, picture: Metadata) -> Iterator[Region]:
    for info in root.iter(f"{_MP}RegionInfo"):
        for item in _items(_property(info, f"{_MP_INFO}Regions")):
            try:
                parts = _text(_property(item, f"{_MP_REGION}Rectangle")).split(",")
                x, y, w, h = (float(part) for part in parts)
            except ValueError:
                continue
            if all(math.isfinite(number) for number in (x, y, w, h)):
                box = oriented((x, y, x + w, y + h), picture.orientation)
                name = _name(_property(item, f"{_MP_REGION}PersonDisplayName"))
                yield Region(name, _within(box))


def _orientation(size: tuple[float, ...] | None, picture: Metadata) -> int | None:
    """The orientation by which regions made for a picture of that size have to be turned.

    None if they were made for a picture of another shape.
    """
    if size is None or _same_shape(size, (picture.width, picture.height)):
        return picture.orientation
    return 1 if _same_shape(size, picture.upright_size) else None


def _same_shape(size: tuple[float, ...], other: tuple[float, ...]) -> bool:
    shape, other_shape = size[0] / size[1], other[0] / other[1]
    return abs(shape / other_shape - 1) <= _SHAPE_TOLERANCE


def _property(node: Any, tag: str) -> Any:
    """A property in any of the ways RDF writes it: attribute, element, or one level down."""
    if not isinstance(node, Element):
        return None
    for owner in (node, node.find(f"{_RDF}Description")):
        if owner is not None:
            value = owner.get(tag)
            found = owner.find(tag) if value is None else value
            if found is not None:
                return found
    return None


def _items(node: Any) -> list[Element]:
    """The members of a bag or sequence."""
    if not isinstance(node, Element):
        return []
    return [item for container in node for item in container.findall(f"{_RDF}li")]


def _text(node: Any) -> str:
    text = node.text if isinstance(node, Element) else node
    return (text or "").strip()


def _name(node: Any) -> str:
    words = " ".join(_text(node).split())
    return "".join(letter for letter in words if letter.isprintable())[:MAX_NAME].strip()


def _numbers(node: Any, namespace: str, names: str) -> tuple[float, ...] | None:
    """The numbers of a structure; none if one is missing, no number, or not above 0 for a size."""
    try:
        numbers = tuple(float(_text(_property(node, namespace + name))) for name in names)
    except ValueError:
        return None
    if not all(math.isfinite(number) for number in numbers):
        return None
    return numbers if all(number > 0 for number in numbers[-2:]) else None


def _within(box: Box) -> Box:
    x1, y1, x2, y2 = (min(max(round(number, 6), 0.0), 1.0) for number in box)
    return x1, y1, x2, y2


def _is_box(box: Box) -> bool:
    return box[2] > box[0] and box[3] > box[1]


def _item(region: Region, picture: Metadata) -> str:
    x1, y1, x2, y2 = stored(region.box, picture.orientation)
    return _ITEM.format(
        name=_escaped(region.name),
        x=f"{(x1 + x2) / 2:.6f}", y=f"{(y1 + y2) / 2:.6f}", w=f"{x2 - x1:.6f}", h=f"{y2 - y1:.6f}",
    )  # fmt: skip


def _escaped(text: str) -> str:
    return html.escape("".join(letter for letter in text if letter.isprintable()))


_ITEM = """      <rdf:li rdf:parseType="Resource">
       <mwg-rs:Name>{name}</mwg-rs:Name>
       <mwg-rs:Type>Face</mwg-rs:Type>
       <mwg-rs:Area stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}" \
stArea:unit="normalized"/>
      </rdf:li>
"""

_SIDECAR = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="faceweb">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
    xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
    xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <mwg-rs:Regions rdf:parseType="Resource">
    <mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>
    <mwg-rs:RegionList>
     <rdf:Bag>
{items}     </rdf:Bag>
    </mwg-rs:RegionList>
   </mwg-rs:Regions>
   <Iptc4xmpExt:PersonInImage>
    <rdf:Bag>
{people}    </rdf:Bag>
   </Iptc4xmpExt:PersonInImage>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
