"""The Picture: pixels plus what a file knows about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from impasto.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Mapping

Pixels = npt.NDArray[np.float32]
"""float32 in [0, 1], (H, W, 3) unless something else is said."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image in memory, always upright and always sRGB.

    Attributes:
        pixels: float32 RGB in [0, 1], sRGB-encoded, shape (H, W, 3). Not premultiplied by alpha.
        alpha: float32 coverage in [0, 1], shape (H, W), or None when the picture is opaque.
        exif: the file's EXIF block with the orientation reset to upright, or None.
        bit_depth: 8 or 16, how many bits a channel the file had (and an output may keep).
        path: where it was read from, or None for pixels that came from memory.
        settings: the settings that Impasto embedded when it painted this file, or an empty mapping.

    Raises:
        PictureError: when the arrays have the wrong shape, or no pixels at all.

    Example:
        >>> import numpy as np
        >>> Picture(np.zeros((2, 3, 3), np.float32)).size
        (3, 2)
    """

    pixels: Pixels
    alpha: Pixels | None = None
    exif: bytes | None = None
    bit_depth: int = 8
    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or 0 in self.pixels.shape:
            raise PictureError(f"a picture's pixels have the shape (H, W, 3), not {self.pixels.shape}")
        if self.pixels.dtype != np.float32:
            raise PictureError(f"a picture's pixels are float32 in [0, 1], not {self.pixels.dtype}")
        if self.alpha is not None and self.alpha.shape != self.pixels.shape[:2]:
            raise PictureError(f"alpha of shape {self.alpha.shape} does not cover pixels {self.pixels.shape[:2]}")

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as Pillow and the command line say it."""
        return self.width, self.height

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return str(self.path) if self.path else f"picture of {self.width}x{self.height}"

    def with_pixels(self, pixels: Pixels) -> Picture:
        """The same picture with other pixels of the same size."""
        return replace(self, pixels=pixels)
