"""Where bytes from strangers become pixels: always in a child process, never in the server or a worker.

What comes out is ours: a PNG that we have encoded, upright, in sRGB, without the places and serial numbers that cameras
note, and a thumbnail. Everything behind this door reads only those.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from impasto.errors import LimitError, MissingExtraError, PictureError
from impasto.image import fit, read, resize_picture, write
from impasto.image.formats import READABLE, sniff
from impasto.image.metadata import harmless
from impasto.picture import Picture
from impasto.studio.errors import KindError
from impasto.studio.limits import Limits

TAKEN = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF")
THUMBNAIL = 320
"""Pixels on the long side."""

THUMBNAIL_BYTES = 4 * THUMBNAIL * THUMBNAIL

_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0\0\0\0IEND\xaeB`\x82"
_DEPTH = 4
"""Lists in lists in the settings that are believed; ours have two."""

_HUGE = 2.0**63


@dataclass(frozen=True)
class Decoded:
    """A picture as it is kept.

    Attributes:
        png: 8 or 16 bits a channel, with alpha, harmless EXIF and settings.
        thumbnail: JPEG.
        size: (width, height).
        settings: those of the Impasto run that painted it, {} if none did.
    """

    png: bytes
    thumbnail: bytes
    size: tuple[int, int]
    settings: dict[str, Any]


def decode(data: bytes, limits: Limits) -> Decoded:
    """Reads an uploaded picture.

    Args:
        data: the whole file.
        limits: how large it may be.

    Raises:
        KindError: when it is no picture of a kind that is taken.
        PictureError: when it is damaged.
        LimitError: when it claims too many pixels.
    """
    try:
        kind = sniff(data[:256], "this file")
    except PictureError as error:
        raise KindError(str(error).replace(READABLE, ", ".join(TAKEN))) from None
    if kind not in TAKEN:
        raise KindError(f"{kind} is not taken here; mend: save it as PNG or JPEG")
    if kind != "HEIF":
        _check_sides(data, kind, limits.side)
    try:
        picture = read(data, max_pixels=limits.pixels)
    except MissingExtraError as error:
        raise KindError(str(error)) from None
    except (PictureError, LimitError) as error:
        raise type(error)(_for_guests(str(error))) from None
    if max(picture.size) > limits.side:
        raise _too_long(picture.size, limits.side)
    return packed(replace(picture, exif=harmless(picture.exif), settings=believed(picture.settings)))


def _for_guests(text: str) -> str:
    """Who sends a picture has no say in this machine's variables, and it is the only one that can be meant."""
    return text.replace("the picture given as bytes", "the picture").partition(", or set IMPASTO_")[0]


def vouch(told: Decoded, _: bytes, limits: Limits) -> None:
    """Looks whether a child's answer is what a decoder answers, without decoding anything: it may have been taken over.

    Args:
        told: the answer.
        limits: how large a picture may be.

    Raises:
        ValueError: when it is not.
    """
    width, height, depth, colour, *ways = _header(told.png)
    if (width, height) != told.size or not told.png.endswith(_PNG_END):
        raise ValueError("not the picture that it says")
    if min(told.size) < 1 or max(told.size) > limits.side or width * height > limits.pixels:
        raise ValueError("of no size that is taken")
    if depth not in (8, 16) or colour not in (0, 2, 4, 6) or any(ways):
        raise ValueError("not as we write it")
    if not told.thumbnail.startswith(b"\xff\xd8\xff") or len(told.thumbnail) > THUMBNAIL_BYTES:
        raise ValueError("no thumbnail")
    if not _plain(told.settings, _DEPTH):
        raise ValueError("no settings")


def _header(png: bytes) -> tuple[int, ...]:
    """Width, height, bits, colours, packing, filter, interlacing, as a PNG's first chunk has them."""
    if png[:16] != _PNG_START or len(png) < 33 or zlib.crc32(png[12:29]) != int.from_bytes(png[29:33], "big"):
        raise ValueError("no PNG")
    return struct.unpack(">IIBBBBB", png[16:29])


def packed(picture: Picture) -> Decoded:
    """A picture as it is kept, with its thumbnail."""
    file = io.BytesIO()
    write(picture, file, format="png")
    return Decoded(file.getvalue(), thumbnail(picture), picture.size, dict(picture.settings))


def thumbnail(picture: Picture, side: int = THUMBNAIL) -> bytes:
    """A JPEG of at most this many pixels on the long side, with nothing but pixels in it."""
    step = max(1, max(picture.size) // (4 * side))  # of a large picture four pixels a side are enough for one
    alpha = picture.alpha if picture.alpha is None else picture.alpha[::step, ::step]
    small = replace(picture, pixels=picture.pixels[::step, ::step], alpha=alpha)
    small = resize_picture(small, fit(picture.size, side)) if max(picture.size) > side else small
    file = io.BytesIO()
    write(replace(small, exif=None, settings={}), file, format="jpeg", quality=85)
    return file.getvalue()


def believed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a picture says of how it was painted; {} when it could not be stored and told again as it is."""
    return dict(settings) if _plain(settings, _DEPTH) else {}


def _plain(value: Any, depth: int) -> bool:
    """Whether it is JSON that every database and every browser takes: no NUL, no half letters, no infinity."""
    if isinstance(value, Mapping):
        return depth > 0 and all(_plain(one, depth - 1) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return depth > 0 and all(_plain(one, depth - 1) for one in value)
    if isinstance(value, str):
        return not re.search("[\0\ud800-\udfff]", value)
    return value is None or (isinstance(value, int | float) and abs(value) < _HUGE)


def _check_sides(data: bytes, kind: str, longest: int) -> None:
    """Looks at the header alone."""
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            size = image.size
    except Image.DecompressionBombError as error:
        raise LimitError(f"the picture claims too many pixels ({error}); mend: make it smaller") from None
    except Exception:
        return
    if max(size) > longest:
        raise _too_long(size, longest)


def _too_long(size: tuple[int, int], longest: int) -> LimitError:
    return LimitError(
        f"the picture claims {size[0]}x{size[1]} pixels, a side may have {longest}; mend: make it smaller"
    )
