"""From numpy arrays to Pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.errors import PictureError
from impasto.image.transparency import fill_hidden
from impasto.picture import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

_SLACK = 1e-3  # how far rounding may carry a float past [0, 1]


def from_array(values: npt.NDArray[Any]) -> Picture:
    """A Picture of an array of uint8, uint16, or floats in [0, 1]; sRGB-encoded.

    Args:
        values: shape (H, W), (H, W, 1), (H, W, 2) grey with alpha, (H, W, 3) or (H, W, 4).

    Raises:
        PictureError: when shape, type or values are others.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or 0 in values.shape:
        raise PictureError(f"an array of shape {values.shape} is no picture; mend: give (H, W) or (H, W, 1 to 4)")
    shares, bits = _shares(values)
    alpha = np.ascontiguousarray(shares[..., -1]) if shares.shape[2] in (2, 4) else None
    colour = shares[..., :3] if shares.shape[2] >= 3 else np.repeat(shares[..., :1], 3, axis=2)
    pixels = np.ascontiguousarray(colour)
    if alpha is not None and not (alpha < 1).any():
        alpha = None
    if alpha is not None:
        pixels = fill_hidden(pixels, alpha)
    return Picture(pixels, alpha=alpha, bit_depth=bits)


def _shares(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], int]:
    """float32 in [0, 1], never the caller's own memory, and bits a channel."""
    if values.dtype.kind == "u" and values.dtype.itemsize in (1, 2):
        bits = 8 * values.dtype.itemsize
        return np.divide(values, np.float32(2**bits - 1), dtype=np.float32), bits
    if values.dtype.kind != "f":
        raise PictureError(f"an array of {values.dtype} is no picture; mend: give uint8, uint16 or floats in [0, 1]")
    if not np.isfinite(values).all():
        raise PictureError("the array holds NaN or infinity; mend: replace them by values in [0, 1]")
    if values.min() < -_SLACK or values.max() > 1 + _SLACK:
        low, high = float(values.min()), float(values.max())
        raise PictureError(f"the array's floats run from {low:g} to {high:g}; mend: scale them to [0, 1]")
    return np.clip(values, 0, 1).astype(np.float32), 8
