"""16-bit RGB and RGBA as PNG, which Pillow cannot write."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from impasto.image.metadata import EXIF_START, srgb_profile

if TYPE_CHECKING:
    import numpy.typing as npt

    Words = npt.NDArray[np.uint16]
    Bytes = npt.NDArray[np.uint8]

XMP_KEYWORD = "XML:com.adobe.xmp"
_ROWS = 256  # filtered at a time, so that memory stays a small part of the picture's
_PAETH = 4
LEVEL = 3
"""zlib's: a third of the usual level's time, for files a twentieth larger."""


def encode(values: Words, *, exif: bytes | None = None, xmp: bytes | None = None) -> bytes:
    """The bytes of a PNG file.

    Args:
        values: uint16, shape (H, W, 3) or (H, W, 4).
        exif: the block, with its `Exif` start.
        xmp: the packet.
    """
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    parts.append(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile())))
    if exif:
        parts.append(_chunk(b"eXIf", exif.removeprefix(EXIF_START)))
    if xmp:
        parts.append(_chunk(b"iTXt", XMP_KEYWORD.encode() + b"\0\0\0\0\0" + xmp))
    parts += (_chunk(b"IDAT", piece) for piece in _compress(values))
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _compress(values: Words) -> list[bytes]:
    packer = zlib.compressobj(LEVEL)
    above = np.zeros((1, values[0].size * 2), np.uint8)
    pieces = []
    for top in range(0, len(values), _ROWS):
        rows = values[top : top + _ROWS].astype(">u2").view(np.uint8).reshape(-1, above.shape[1])
        pieces.append(packer.compress(_filter(rows, above, step=values.shape[2] * 2)))
        above = rows[-1:]
    pieces.append(packer.flush())
    return [piece for piece in pieces if piece]


def _filter(rows: Bytes, above: Bytes, *, step: int) -> bytes:
    """PNG's Paeth filter: each byte less whichever of left, up and up-left best continues the gradient."""
    up = np.concatenate([above, rows[:-1]]).astype(np.int16)
    left, corner = (np.pad(v, ((0, 0), (step, 0)))[:, :-step] for v in (rows.astype(np.int16), up))
    guess = left + up - corner
    to_left, to_up, to_corner = np.abs(guess - left), np.abs(guess - up), np.abs(guess - corner)
    nearest = np.where(to_up <= to_corner, up, corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
    differences = rows - nearest.astype(np.uint8)
    return np.insert(differences, 0, _PAETH, axis=1).tobytes()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
