"""What lies under see-through pixels: files store anything there, often black, and a method would paint it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.picture import Picture

    Pixels = npt.NDArray[np.float32]


def unmatte(picture: Picture) -> Picture:
    """The picture with its fully see-through pixels painted in their neighbours' colours; alpha stays.

    `read` has done this already; it is for pictures made by hand.

    Example:
        >>> import numpy as np
        >>> from impasto.picture import Picture
        >>> pixels = np.zeros((1, 2, 3), np.float32)
        >>> pixels[0, 0] = 1
        >>> unmatte(Picture(pixels, alpha=np.array([[1, 0]], np.float32))).pixels[0, 1].tolist()
        [1.0, 1.0, 1.0]
    """
    if picture.alpha is None:
        return picture
    return replace(picture, pixels=fill_hidden(picture.pixels, picture.alpha))


def fill_hidden(pixels: Pixels, alpha: Pixels) -> Pixels:
    """`pixels` with plausible colours where `alpha` is 0.

    Args:
        pixels: float32 in [0, 1], shape (H, W, 3).
        alpha: float32 in [0, 1], shape (H, W).

    Returns:
        The same shape; the very same array when nothing is hidden, or everything is.
    """
    hidden = alpha <= 0
    if not hidden.any() or hidden.all():
        return pixels
    spread = _spread(pixels * alpha[..., None], np.where(hidden, np.float32(0), alpha))
    return np.where(hidden[..., None], spread, pixels)


def over_white(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Composites on white as a browser does: a blend of encoded values, not of light."""
    if alpha is None:
        return pixels
    cover = alpha[..., None]
    return pixels * cover + (1 - cover)


def _spread(colour: Pixels, weight: Pixels) -> Pixels:
    """Pull-push: holes take their colour from the next coarser level of a pyramid, and so on.

    Args:
        colour: colours times `weight`, shape (H, W, 3).
        weight: how much each pixel knows, shape (H, W); not 0 everywhere.
    """
    height, width = weight.shape
    known = weight > 0
    own = np.divide(colour, np.where(known, weight, 1)[..., None], dtype=np.float32)
    if known.all():
        return own
    odd = (height % 2, width % 2)
    coarse = _spread(
        _halve(np.pad(colour, ((0, odd[0]), (0, odd[1]), (0, 0)))), _halve(np.pad(weight, ((0, odd[0]), (0, odd[1]))))
    )
    size = (coarse.shape[1] * 2, coarse.shape[0] * 2)
    planes = [Image.fromarray(np.ascontiguousarray(coarse[..., i])).resize(size, _SMOOTH) for i in range(3)]
    pushed = np.stack([np.asarray(plane) for plane in planes], -1)[:height, :width]
    return np.where(known[..., None], own, pushed)


_SMOOTH = Image.Resampling.BILINEAR


def _halve(values: Pixels) -> Pixels:
    """The sum of each block of 2x2; sides must be even."""
    return values[0::2, 0::2] + values[1::2, 0::2] + values[0::2, 1::2] + values[1::2, 1::2]
