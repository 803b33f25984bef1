"""TIFF of 8 or 16 bits: Pillow's directory writer around strips of our own, as Pillow writes no 16-bit colour."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from impasto.image import pillow
from impasto.image.metadata import srgb_profile
from impasto.image.png16 import LEVEL

if TYPE_CHECKING:
    import numpy.typing as npt

_DEFLATE, _RGB, _UNASSOCIATED, _BYTE, _LONG, _XMP = 8, 2, 2, 1, 4, 700
_STRIP_OFFSETS, _STRIP_BYTES = 273, 279
_STRIP = 1 << 20
# Tags that tell how pixels are stored: never taken over from another file's EXIF.
_STRUCTURAL = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 284, 301, 317, 318, 319, 320,
    *range(322, 327), 330, 338, 339, 347, 512, 513, 514, *range(529, 533), _XMP, 34675,
}  # fmt: skip
_SUB_IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)


def encode(values: npt.NDArray[Any], *, exif: bytes | None = None, xmp: bytes | None = None) -> bytes:
    """The bytes of a TIFF file, deflated with the horizontal predictor.

    Args:
        values: uint8 or uint16, shape (H, W, 3) or (H, W, 4).
        exif: the block, with its `Exif` start; its description of the photo becomes the file's own tags.
        xmp: the packet.
    """
    try:
        return _assemble(values, _described(exif), xmp)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, struct.error):
        if exif is None:
            raise
        return _assemble(values, {}, xmp)  # notes too broken to be written again are left behind


def _assemble(values: npt.NDArray[Any], described: dict[int, Any], xmp: bytes | None) -> bytes:
    height, width, channels = values.shape
    bits = values.dtype.itemsize * 8
    rows = max(1, _STRIP // (width * channels * values.dtype.itemsize))
    strips = [zlib.compress(_predict(values[top : top + rows]), LEVEL) for top in range(0, height, rows)]
    ifd = ImageFileDirectory_v2(prefix=b"II")
    for tag, value in described.items():
        ifd[tag] = value
    ifd[256], ifd[257], ifd[258] = width, height, (bits,) * channels
    ifd[259], ifd[262], ifd[277], ifd[278], ifd[284], ifd[317] = _DEFLATE, _RGB, channels, rows, 1, 2
    if channels == 4:
        ifd[338] = _UNASSOCIATED
    ifd[34675] = srgb_profile()
    if xmp:
        ifd[_XMP] = xmp
        ifd.tagtype[_XMP] = _BYTE
    sizes = [len(strip) for strip in strips]
    ifd.tagtype[_STRIP_OFFSETS] = ifd.tagtype[_STRIP_BYTES] = _LONG
    ifd[_STRIP_OFFSETS] = (0, *accumulate(sizes[:-1]))  # Pillow adds the directory's length
    ifd[_STRIP_BYTES] = tuple(sizes)
    out = io.BytesIO()
    ifd.save(out)
    out.write(b"".join(strips))
    return out.getvalue()


def _predict(rows: npt.NDArray[Any]) -> bytes:
    """TIFF's predictor 2: each sample less its left neighbour, modulo the word."""
    out = rows.copy()
    out[:, 1:] -= rows[:, :-1]
    return out.astype(out.dtype.newbyteorder("<")).tobytes()


def _described(exif: bytes | None) -> dict[int, Any]:
    if exif is None:
        return {}
    block = Image.Exif()
    with pillow.at_work():
        block.load(exif)
        found: dict[int, Any] = {tag: block[tag] for tag in block if tag not in _STRUCTURAL and tag not in _SUB_IFDS}
        for sub in _SUB_IFDS:
            if values := block.get_ifd(sub):
                found[sub] = dict(values)
    return found
