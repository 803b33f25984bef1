"""From a Picture to the bytes of a file: sRGB profile, EXIF and settings included."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impasto.errors import LimitError, PictureError
from impasto.image import metadata, png16, tiff
from impasto.image.transparency import over_white
from impasto.image.wording import cause, trouble

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.image.formats import Format
    from impasto.picture import Picture

_JPEG_SEGMENT = 65_533
_AVIF_SPEED = 9  # a tenth of the time of the usual 6, for files a tenth larger that look alike


def encode(picture: Picture, fmt: Format, *, quality: int, settings: Mapping[str, Any]) -> bytes:
    """The bytes of a file.

    Args:
        picture: what to write.
        fmt: one of `formats.WRITABLE`.
        quality: 1 to 100, for JPEG, WebP and AVIF.
        settings: plain JSON values to embed; BMP holds none.

    Raises:
        PictureError: when the pixels are not finite, too many for the format, or the settings do not fit.
        LimitError: when memory does not suffice.
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise PictureError(f"quality {quality!r} is not allowed; mend: give a whole number from 1 to 100")
    if max(picture.size) > fmt.longest:
        raise PictureError(
            f"{fmt.name} holds at most {fmt.longest} pixels a side, not {picture.width}x{picture.height}; "
            "mend: write PNG or TIFF"
        )
    xmp = metadata.pack_settings(settings)
    try:
        if fmt.name == "TIFF":
            return tiff.encode(samples(picture, deep=picture.bit_depth == 16), exif=picture.exif, xmp=xmp)
        if fmt.name == "PNG" and picture.bit_depth == 16:
            return png16.encode(samples(picture, deep=True), exif=picture.exif, xmp=xmp)
        return _through_pillow(picture, fmt, quality, xmp)
    except MemoryError:
        raise LimitError(f"{picture.name} does not fit into memory as {fmt.name}; mend: make it smaller") from None
    except (OSError, ValueError, TypeError, struct.error) as error:
        raise trouble(picture.name, f"cannot become {fmt.name} ({cause(error)})", "try another format") from None


def samples(picture: Picture, *, deep: bool = False, alpha: bool = True) -> npt.NDArray[Any]:
    """Whole numbers as files hold them, rounded to the nearest.

    Args:
        picture: what to write.
        deep: 16 bits a channel, else 8.
        alpha: False composites a see-through picture on white.

    Returns:
        uint16 or uint8, shape (H, W, 3), or (H, W, 4) with alpha.

    Raises:
        PictureError: when a value is NaN or infinite.
    """
    pixels = picture.pixels
    if not np.isfinite(pixels).all() or (picture.alpha is not None and not np.isfinite(picture.alpha).all()):
        raise PictureError(f"{picture.name} holds NaN or infinity and is not written; mend: this is a fault, report it")
    if picture.alpha is not None and alpha:
        pixels = np.concatenate([pixels, picture.alpha[..., None]], axis=2)
    elif picture.alpha is not None:
        pixels = over_white(pixels, picture.alpha)
    full, kind = (65535, np.uint16) if deep else (255, np.uint8)
    scaled = np.clip(pixels, 0, 1)
    scaled *= np.float32(full)  # in place: the pictures that are let in must fit into a decoder's memory
    scaled += np.float32(0.5)
    rounded: npt.NDArray[Any] = scaled.astype(kind)
    return rounded


def _through_pillow(picture: Picture, fmt: Format, quality: int, xmp: bytes | None) -> bytes:
    im = Image.fromarray(samples(picture, alpha=fmt.alpha))
    out = io.BytesIO()
    im.save(out, format=fmt.name, **_parameters(fmt, quality, picture.exif, xmp))
    return out.getvalue()


def _parameters(fmt: Format, quality: int, exif: bytes | None, xmp: bytes | None) -> dict[str, Any]:
    """What Pillow's encoder is told."""
    if fmt.name == "BMP":
        return {}
    told: dict[str, Any] = {"icc_profile": metadata.srgb_profile()}
    if exif and fmt.name == "AVIF":
        exif = metadata.rewritten(exif)  # Pillow would, with warnings about what is broken
    if exif and not (fmt.name == "JPEG" and len(exif) > _JPEG_SEGMENT):
        told["exif"] = exif
    if fmt.name == "PNG":
        info = PngInfo()
        if xmp:
            info.add_itxt(png16.XMP_KEYWORD, xmp)
        return told | {"pnginfo": info, "compress_level": png16.LEVEL}
    if xmp:
        told["xmp"] = xmp
    if fmt.name == "JPEG":
        # 4:4:4: paint has hard edges between strong colours, which halved chroma smears. Without "optimize", for which
        # Pillow sets aside one byte a pixel and refuses whatever is too rough to fit in.
        return told | {"quality": quality, "subsampling": 0}
    if fmt.name == "WEBP":
        return told | {"quality": quality, "exact": True}
    return told | {"quality": quality, "subsampling": "4:4:4", "speed": _AVIF_SPEED}
