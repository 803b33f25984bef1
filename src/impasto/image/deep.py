"""16-bit colour, of which Pillow shows only the upper half.

Pillow decodes 16-bit RGB, RGBA and grey-with-alpha PNG and TIFF to 8 bits and says nothing. But how a decoder's bytes
become pixels is a name in the image's tiles ("RGB;16B": the first byte of each pair): decoding once for the upper
bytes and once more for the lower ones gives every bit, for every compression, interlacing and tiling that Pillow knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.ImageFile import ImageFile

    Words = npt.NDArray[np.uint16]

_NATIVE = "L" if sys.byteorder == "little" else "B"
_PLANAR = 284
# Undoing premultiplied alpha at 8 bits would lose what is gained: such tiles are read as plain RGBA.
_PLAIN = {"RGB;16": "RGB;16", "RGBX;16": "RGBX;16", "RGBA;16": "RGBA;16", "RGBa;16": "RGBA;16"}


def layout(im: ImageFile) -> str:
    """How a file's 16-bit colour is laid out ("RGB;16B", ...), or "" when it is not such a file; before loading."""
    if im.format not in ("PNG", "TIFF") or not im.tile:
        return ""
    args = im.tile[0].args
    raw = args[0] if isinstance(args, tuple) else args
    if not isinstance(raw, str) or getattr(im, "tag_v2", {}).get(_PLANAR) == 2:
        return ""
    return raw if raw[:-1] in _PLAIN or raw == "LA;16B" else ""


def mend_planes_apart(im: ImageFile) -> None:
    """Hands a 16-bit TIFF that stores one plane after another to libtiff, at 8 bits: Pillow misreads its raw strips."""
    if not isinstance(im, TiffImageFile) or im.tag_v2.get(_PLANAR) != 2 or max(im.tag_v2.get(258, (8,))) != 16:
        return
    if im.mode in ("RGB", "RGBA", "CMYK") and im.tile and im.tile[0].codec_name == "raw":
        args = (f"{im.mode};16{_NATIVE}", False, im.tag_v2.offset)
        im.tile = [im.tile[0]._replace(codec_name="libtiff", extents=(0, 0, *im._tile_size), offset=0, args=args)]
        im.use_load_libtiff = True


def load(im: ImageFile, raw: str, reopen: Callable[[], ImageFile]) -> tuple[Words, Words | None]:
    """Every bit of a 16-bit file.

    Args:
        im: the file, opened and not loaded.
        raw: what `layout` said.
        reopen: opens the same file once more.

    Returns:
        Colour, shape (H, W, 3) or (H, W) for grey, and alpha, shape (H, W), or None.
    """
    if raw == "LA;16B":
        # Four bytes a pixel: grey and alpha, two bytes each, taken as if they were R, G, B and A.
        pairs = _bytes(im, "RGBA").reshape(im.height, im.width, 2, 2).view(">u2")[..., 0].astype(np.uint16)
        return pairs[..., 0], pairs[..., 1]
    name, order = _PLAIN[raw[:-1]], raw[-1].replace("N", _NATIVE)
    high = _bytes(im, name + order).astype(np.uint16)
    low = _bytes(reopen(), name + ("B" if order == "L" else "L"))
    words = np.bitwise_or(high << np.uint16(8), low, dtype=np.uint16)
    if words.shape[2] == 3:
        return words, None
    colour, alpha = words[..., :3], words[..., 3]
    return (_unpremultiply(colour, alpha) if raw.startswith("RGBa") else colour), alpha


def _bytes(im: ImageFile, raw: str) -> npt.NDArray[np.uint8]:
    im.tile = [t._replace(args=(raw, *t.args[1:]) if isinstance(t.args, tuple) else raw) for t in im.tile]
    im.load()
    return np.array(im)


def _unpremultiply(colour: Words, alpha: Words) -> Words:
    share = colour.astype(np.float32) * (65535 / np.maximum(alpha, 1).astype(np.float32))[..., None]
    return np.rint(np.minimum(share, 65535)).astype(np.uint16)
