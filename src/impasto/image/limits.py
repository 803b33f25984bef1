"""The room's limits, in one readable place: defaults, environment, validation."""

from __future__ import annotations

import os

from impasto.errors import LimitError, OptionError, PictureError

MAX_PIXELS = 100_000_000
"""Pixels a picture may claim, when neither the caller nor the environment says otherwise."""

MAX_PIXELS_VARIABLE = "IMPASTO_MAX_PIXELS"

MAX_STREAM_BYTES = 1 << 30
"""Bytes taken from a pipe or a file object, which may never end."""

MAX_SETTINGS_BYTES = 48 * 1024
"""Bytes of settings written into or believed from a file; a JPEG segment holds 64 KiB."""

MAX_XMP_BYTES = 1 << 20
"""Larger XMP blocks are not searched for settings."""


def pixel_limit(max_pixels: int | None = None) -> int:
    """How many pixels a picture may have: the argument, else `IMPASTO_MAX_PIXELS`, else 100 million.

    Raises:
        OptionError: when the argument or the variable is not a whole number of at least 1.

    Example:
        >>> pixel_limit(2_000_000)
        2000000
    """
    if max_pixels is not None:
        if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
            raise OptionError(f"max_pixels {max_pixels!r} is not allowed; give a whole number of at least 1")
        return max_pixels
    text = os.environ.get(MAX_PIXELS_VARIABLE, "").strip()
    if not text:
        return MAX_PIXELS
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 18 and int(text) > 0):
        raise OptionError(f"{MAX_PIXELS_VARIABLE}={text[:40]!r} is not allowed; give a whole number of at least 1")
    return int(text)


def check_size(name: str, size: tuple[int, int], limit: int) -> None:
    """Refuses a picture by the size that its header claims, before any pixel is decoded.

    Raises:
        PictureError: when it has no pixels.
        LimitError: when it has more than `limit`.
    """
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width}x{height}); mend: give another picture")
    if width * height > limit:
        raise LimitError(
            f"{name} claims {width}x{height} pixels ({_mega(width * height)}), the limit is {_mega(limit)}; "
            f"mend: make it smaller, or set {MAX_PIXELS_VARIABLE}={width * height}"
        )


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:.4g} MPx" if pixels < 1e9 else f"{pixels / 1e6:.0f} MPx"
