"""Which formats are taken and written, and how a format is told from the bytes."""

from __future__ import annotations

import codecs
import contextlib
from dataclasses import dataclass
from pathlib import PurePath

from impasto.errors import PictureError
from impasto.image.wording import trouble

READABLE = "JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, HEIC"
SAVE_AS = "save it as PNG or JPEG"


@dataclass(frozen=True)
class Format:
    """A format that is written.

    Attributes:
        name: what Pillow calls it.
        suffixes: file name endings, the usual one first.
        alpha: whether it keeps transparency.
        longest: most pixels a side.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool
    longest: int


WRITABLE = (
    Format("PNG", (".png",), alpha=True, longest=2**31 - 1),
    Format("JPEG", (".jpg", ".jpeg"), alpha=False, longest=65_500),
    Format("WEBP", (".webp",), alpha=True, longest=16_383),
    Format("AVIF", (".avif",), alpha=True, longest=65_536),
    Format("TIFF", (".tif", ".tiff"), alpha=True, longest=2**31 - 1),
    Format("BMP", (".bmp",), alpha=False, longest=2**31 - 1),
)
SUFFIXES = {suffix: fmt for fmt in WRITABLE for suffix in fmt.suffixes}

# What people hand over by mistake, by how it begins.
_FOREIGN = (
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\0\x0cjP", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\1\0", "an icon"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"v/1\x01", "OpenEXR"),
    (b"gimp xcf", "a GIMP file"),
    (b"PK\3\4", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%!PS", "PostScript"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
    (b"P1\n", "PNM"), (b"P2\n", "PNM"), (b"P3\n", "PNM"),
    (b"P4\n", "PNM"), (b"P5\n", "PNM"), (b"P6\n", "PNM"),
)  # fmt: skip
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def sniff(head: bytes, name: str) -> str:
    """Pillow's name of the format that the first bytes announce, "HEIF" included.

    Args:
        head: the first 64 bytes or more.
        name: what to call the picture in a message.

    Raises:
        PictureError: when it is not one that is taken; the message says what it is, where that can be told.
    """
    if not head:
        raise trouble(name, "is empty", "give another picture")
    starts = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP", b"GIF87a": "GIF", b"GIF89a": "GIF"}
    starts |= dict.fromkeys(_TIFF_STARTS, "TIFF")
    for start, found in starts.items():
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _sniff_brands(head, name)
    raise trouble(name, f"is not a picture in a format that is taken ({READABLE}): {_looks_like(head)}", SAVE_AS)


def _sniff_brands(head: bytes, name: str) -> str:
    """AVIF, HEIC and films share one container; its brands tell them apart."""
    end = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & _HEIC_BRANDS:
        return "HEIF"
    what = "JPEG XL" if b"jxl " in brands else "Canon raw" if b"crx " in brands else "a video"
    raise trouble(name, f"is not a picture in a format that is taken ({READABLE}): it is {what}", SAVE_AS)


def _looks_like(head: bytes) -> str:
    for start, what in _FOREIGN:
        if head.startswith(start):
            return f"it is {what}"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "it is SVG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    with contextlib.suppress(UnicodeDecodeError):
        codecs.getincrementaldecoder("utf-8")().decode(head)  # tolerates a letter that is cut at the end
        if not any(byte < 9 or 13 < byte < 32 for byte in head):
            return "it is text"
    return "its first bytes are of no picture that is known"


def webp_size(head: bytes) -> tuple[int, int] | None:
    """(width, height) of a WebP by its first 30 bytes, or None when they are damaged."""
    chunk = head[12:16]
    if len(head) < 30:
        return None
    if chunk == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def named(name: str) -> Format:
    """The writable format called `name`: "png", ".jpg", "JPEG", ...

    Raises:
        PictureError: when there is none.
    """
    key = name.lower().removeprefix(".")
    for fmt in WRITABLE:
        if key == fmt.name.lower() or f".{key}" in fmt.suffixes:
            return fmt
    raise PictureError(f"no picture format is called {name!r}; mend: choose one of: {_choices()}")


def of_target(path: PurePath) -> Format:
    """The writable format that the name's ending asks for.

    Raises:
        PictureError: when there is no ending, or none that is known.
    """
    found = SUFFIXES.get(path.suffix.lower())
    if found:
        return found
    reason = f"has the unknown ending {path.suffix!r}" if path.suffix else "has no ending that names a format"
    raise trouble(path, reason, f"end the name with one of: {' '.join(SUFFIXES)}")


def _choices() -> str:
    return ", ".join(suffix.removeprefix(".") for suffix in SUFFIXES)
