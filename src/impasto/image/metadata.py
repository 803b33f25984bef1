"""What a file carries beside its pixels: EXIF, the sRGB profile, and Impasto's own settings in XMP.

XMP is the one carrier that PNG, JPEG, WebP, AVIF and TIFF all have, and that other programs leave alone or can show.
"""

from __future__ import annotations

import html
import json
import re
import struct
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from PIL import ExifTags, Image, ImageCms

from impasto.errors import PictureError
from impasto.image import pillow
from impasto.image.limits import MAX_SETTINGS_BYTES, MAX_XMP_BYTES

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

EXIF_START = b"Exif\0\0"
UPRIGHT = 1
_ORIENTATION = ExifTags.Base.Orientation

# Of a TIFF's tags only those that describe the photo may travel; the others describe the file that was left behind.
_DESCRIPTIVE = (
    0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298,
    0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,
)  # fmt: skip
_SUB_IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)

# What is kept of EXIF: with what, when and how the picture was taken. All else may tell where, or whose camera, or
# anything at all: places hide in GPS, XMP, IPTC and maker's notes alike, and whose right it is, is mostly a name.
_PICTURE = {0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132}
_SHOT = {
    0x829A, 0x829D, 0x8822, 0x8827, 0x8830, 0x8831, 0x8832, 0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9201,
    0x9202, 0x9203, 0x9204, 0x9205, 0x9206, 0x9207, 0x9208, 0x9209, 0x920A, 0x9290, 0x9291, 0x9292, 0xA001, 0xA20E,
    0xA20F, 0xA210, 0xA215, 0xA217, 0xA300, 0xA301, 0xA401, 0xA402, 0xA403, 0xA404, 0xA405, 0xA406, 0xA407, 0xA408,
    0xA409, 0xA40A, 0xA40C, 0xA432, 0xA433, 0xA434,
}  # fmt: skip


@cache
def srgb_profile() -> bytes:
    """The ICC profile that every written file gets; always dated alike, so that equal pictures make equal files."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + profile[36:]


def exif_of(im: Image.Image) -> bytes | None:
    """The EXIF block of an image that is already loaded (PNG may hold it after the pixels)."""
    if im.format == "TIFF":
        return _exif_of_tiff(im)
    exif = im.info.get("exif")
    if not isinstance(exif, bytes) and isinstance(im.info.get("Raw profile type exif"), str):
        exif = _exif_from_hex(im.info["Raw profile type exif"])
    if not isinstance(exif, bytes) or len(exif) < 8:
        return None
    return EXIF_START + exif.removeprefix(EXIF_START)


def _exif_from_hex(text: str) -> bytes | None:
    """ImageMagick's text chunk: a name, a length, then hexadecimal digits."""
    try:
        return bytes.fromhex("".join(text.strip().split("\n")[2:]))
    except ValueError:
        return None


def _exif_of_tiff(im: Image.Image) -> bytes | None:
    """A TIFF is itself an EXIF block; what describes the photo is copied into one of its own."""
    try:
        found, kept = im.getexif(), Image.Exif()
        for tag in _DESCRIPTIVE:
            if tag in found:
                kept[tag] = found[tag]
        for sub in _SUB_IFDS:
            if values := found.get_ifd(sub):
                kept[sub] = dict(values)
        if not len(kept):
            return None
        kept[_ORIENTATION] = UPRIGHT
        return kept.tobytes()
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, struct.error):
        return None  # broken notes about a photo are no reason to refuse the photo


def rewritten(exif: bytes) -> bytes | None:
    """The block as Pillow would write it, without the orientation; None when it cannot be parsed."""
    try:
        with pillow.at_work():
            block = Image.Exif()
            block.load(exif)
            if _ORIENTATION in block:
                del block[_ORIENTATION]
            return block.tobytes() if len(block) else None
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, struct.error):
        return None


def harmless(exif: bytes | None) -> bytes | None:
    """Of an EXIF block what gives nobody away: camera, lens, exposure, dates; None when nothing is left, or broken."""
    if exif is None:
        return None
    try:
        block = Image.Exif()
        block.load(exif)
        kept = Image.Exif()
        for tag, value in block.items():
            if tag in _PICTURE:
                kept[tag] = value
        shot = {tag: value for tag, value in block.get_ifd(ExifTags.IFD.Exif).items() if tag in _SHOT}
        if shot:
            kept.get_ifd(ExifTags.IFD.Exif).update(shot)
        return EXIF_START + kept.tobytes().removeprefix(EXIF_START) if len(kept) or shot else None
    except Exception:  # a stranger's bytes: whatever is wrong with them, nothing of them is kept
        return None


def make_upright(exif: bytes) -> tuple[bytes, int]:
    """Patches the block in place, so that maker notes with absolute offsets stay whole.

    The embedded thumbnail is unlinked too: it shows the picture as it was, sideways and unpainted.

    Args:
        exif: the block, with its `Exif` start.

    Returns:
        The patched block and the orientation it had, 1 to 8. A block that cannot be parsed comes back as it is.
    """
    data = bytearray(exif)
    base = len(EXIF_START)
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[base : base + 2]))
    if order is None:
        return exif, UPRIGHT
    orientation = UPRIGHT
    try:
        at = base + struct.unpack_from(order + "I", data, base + 4)[0]
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, many, value = struct.unpack_from(order + "HHIH", data, entry)
            if tag == _ORIENTATION and kind == 3 and many == 1:
                orientation = value if 1 <= value <= 8 else UPRIGHT
                struct.pack_into(order + "HH", data, entry + 8, UPRIGHT, 0)
        struct.pack_into(order + "I", data, at + 2 + 12 * count, 0)
    except struct.error:
        pass  # cut short: what was found until here counts
    return bytes(data), orientation


def pack_settings(settings: Mapping[str, Any]) -> bytes | None:
    """An XMP packet that holds `settings` as JSON, or None when there are none.

    Raises:
        PictureError: when they are not JSON, or larger than a JPEG segment can carry.
    """
    if not settings:
        return None
    try:
        text = json.dumps(dict(settings), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise PictureError(f"the settings cannot be written as JSON ({error}); mend: use plain values") from None
    body = html.escape(text)
    if len(body) > MAX_SETTINGS_BYTES:
        raise PictureError(f"the settings take {len(body)} bytes; mend: keep them below {MAX_SETTINGS_BYTES}")
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:impasto="urn:impasto:1.0/" '
        f'xmp:CreatorTool="Impasto"><impasto:settings>{body}</impasto:settings></rdf:Description></rdf:RDF>'
        '</x:xmpmeta><?xpacket end="w"?>'
    ).encode()


# Other programs may rewrite the element as an attribute. A regular expression, not an XML parser: a file is not to be
# trusted with entities.
_SETTINGS = re.compile(rb"<impasto:settings>([^<]*)</impasto:settings>|\simpasto:settings=\"([^\"<]*)\"")


def unpack_settings(xmp: object) -> dict[str, Any]:
    """The settings in an XMP packet; an empty mapping when there are none that can be believed."""
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if not isinstance(xmp, bytes) or len(xmp) > MAX_XMP_BYTES:
        return {}
    found = _SETTINGS.search(xmp)
    body = (found[1] if found[1] is not None else found[2]) if found else b""
    if not body or len(body) > MAX_SETTINGS_BYTES:
        return {}
    try:
        values = json.loads(html.unescape(body.decode()), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def is_camera_raw(im: ImageFile) -> bool:
    """Whether a TIFF is the wrapping of a camera's raw file, whose first page is only a thumbnail."""
    tags = getattr(im, "tag_v2", {})
    return 50706 in tags or (tags.get(254) == 1 and 330 in tags)
