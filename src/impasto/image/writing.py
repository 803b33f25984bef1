"""Writing: a Picture becomes a file that is whole, or not there at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from impasto.errors import PictureError
from impasto.image.encoding import encode
from impasto.image.formats import named, of_target
from impasto.image.targets import publish
from impasto.image.wording import cause
from impasto.picture import Picture


def write(
    picture: Picture,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    overwrite: bool = False,
    settings: Mapping[str, Any] | None = None,
    quality: int = 92,
    format: str | None = None,  # noqa: A002 - what Pillow and every other library call it
) -> None:
    """Writes a picture with an sRGB profile, its EXIF, and settings that `read` gives back.

    A file is written beside its target and renamed: whoever looks sees the old file or the new one, never half of one.

    - PNG and TIFF keep 16 bits when `picture.bit_depth` is 16; the other formats hold 8.
    - JPEG and BMP have no transparency: see-through pixels are composited on white.
    - BMP holds neither profile nor EXIF nor settings. A JPEG drops EXIF blocks over 64 KiB.

    Args:
        picture: what to write.
        target: a path, whose ending names the format (.png .jpg .jpeg .webp .avif .tif .tiff .bmp), or a binary file
            object.
        overwrite: whether a file that is there already may be replaced.
        settings: plain JSON values to embed, at most 48 KiB; those the picture came with, if not given.
        quality: 1 to 100, for JPEG (never with halved chroma), WebP and AVIF.
        format: "png", "jpeg", ...; decides instead of the ending. A file object gets PNG if not given.

    Raises:
        PictureError: when the target is in the way or cannot be written, the pixels are not finite, or the settings are
            not JSON.
        LimitError: when memory does not suffice.

    Example:
        >>> import io, numpy as np
        >>> file = io.BytesIO()
        >>> write(Picture(np.zeros((2, 2, 3), np.float32)), file, format="png")
        >>> file.getvalue()[1:4]
        b'PNG'
    """
    embedded = picture.settings if settings is None else settings
    if isinstance(target, str | os.PathLike):
        path = Path(target)
        fmt = named(format) if format else of_target(path)
        publish(encode(picture, fmt, quality=quality, settings=embedded), path, overwrite=overwrite)
        return
    data = encode(picture, named(format or "png"), quality=quality, settings=embedded)
    try:
        target.write(data)
    except (OSError, ValueError, TypeError) as error:
        raise PictureError(f"cannot write to the file object ({cause(error)}); mend: give a binary one") from None
