"""Where bytes from strangers become pixels: always in a child process, never in the server or a worker.

What comes out is ours: a PNG that we have encoded, upright, in sRGB, without the places and serial numbers that cameras
note, and a thumbnail. Everything behind this door reads only those.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image

from impasto.errors import LimitError, MissingExtraError, PictureError
from impasto.image import fit, read, resize_picture, write
from impasto.image.formats import sniff
from impasto.image.metadata import EXIF_START
from impasto.picture import Picture
from impasto.studio.errors import KindError
from impasto.studio.limits import Limits

TAKEN = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF")
THUMBNAIL = 320
"""Pixels on the long side."""

_GPS, _MAKER_NOTE = 0x8825, 0x927C
_PRIVATE = (_MAKER_NOTE, 0xA430, 0xA431, 0xA435, 0xA420)  # owner's name, serial numbers, the picture's own number


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
        raise KindError(str(error)) from None
    if kind not in TAKEN:
        raise KindError(f"{kind} is not taken here; mend: save it as PNG or JPEG")
    if kind != "HEIF":
        _check_sides(data, kind, limits.side)
    try:
        picture = read(data, max_pixels=limits.pixels)
    except MissingExtraError as error:
        raise KindError(str(error)) from None
    if max(picture.size) > limits.side:
        raise _too_long(picture.size, limits.side)
    return packed(replace(picture, exif=harmless(picture.exif)))


def packed(picture: Picture) -> Decoded:
    """A picture as it is kept, with its thumbnail."""
    file = io.BytesIO()
    write(picture, file, format="png")
    return Decoded(file.getvalue(), thumbnail(picture), picture.size, dict(picture.settings))


def thumbnail(picture: Picture, side: int = THUMBNAIL) -> bytes:
    """A JPEG of at most this many pixels on the long side, with nothing but pixels in it."""
    small = resize_picture(picture, fit(picture.size, side)) if max(picture.size) > side else picture
    file = io.BytesIO()
    write(replace(small, exif=None, settings={}), file, format="jpeg", quality=85)
    return file.getvalue()


def harmless(exif: bytes | None) -> bytes | None:
    """An EXIF block without place, maker's notes, owner and serial numbers; None when it cannot be read."""
    if exif is None:
        return None
    try:
        block = Image.Exif()
        block.load(exif)
        kept = Image.Exif()
        for tag, value in block.items():
            if tag not in (_GPS, ExifTags.IFD.Exif, ExifTags.IFD.Interop):
                kept[tag] = value
        shot = {tag: value for tag, value in block.get_ifd(ExifTags.IFD.Exif).items() if tag not in _PRIVATE}
        if shot:
            kept.get_ifd(ExifTags.IFD.Exif).update(shot)
        return EXIF_START + kept.tobytes().removeprefix(EXIF_START) if len(kept) or shot else None
    except Exception:
        return None


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
