"""Resizing that keeps light, edges and transparency honest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from impasto.errors import PictureError
from impasto.image.colour import linear_to_srgb, srgb_to_linear
from impasto.image.transparency import fill_hidden

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.picture import Picture

    Pixels = npt.NDArray[np.float32]

_CLEAR = 1 / 1024  # coverage so thin that dividing by it would only enlarge rounding


def fit(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """The size whose longer side is `long_side`, of the same shape; no side is ever 0.

    Args:
        size: (width, height).
        long_side: pixels, at least 1.

    Returns:
        (width, height).

    Raises:
        PictureError: when a size is below 1.

    Example:
        >>> fit((4000, 3000), 1000)
        (1000, 750)
    """
    if min(*size, long_side) < 1:
        raise PictureError(f"cannot fit {size[0]}x{size[1]} into {long_side} pixels; mend: give sizes of at least 1")
    longest = max(size)
    width, height = (max(1, (2 * side * long_side + longest) // (2 * longest)) for side in size)
    return width, height


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Pixels at another size.

    A side that shrinks goes through Lanczos, a side that grows through a bicubic that cannot pass its neighbours, so
    that there is no halo. Colours, shape (H, W, 3), are averaged as light; any other array as plain numbers.

    Args:
        pixels: float32 in [0, 1], shape (H, W, C) or (H, W).
        size: (width, height).

    Returns:
        float32 in [0, 1], shape (height, width, C) or (height, width).

    Raises:
        PictureError: when a side of `size` is below 1, or the array has another number of dimensions.

    Example:
        >>> import numpy as np
        >>> checks = np.indices((8, 8)).sum(0) % 2 * np.ones((3, 1, 1))
        >>> resize(checks.transpose(1, 2, 0).astype(np.float32), (1, 1)).round(4)
        array([[[0.7354, 0.7354, 0.7354]]], dtype=float32)
    """
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or min(size) < 1:
        raise PictureError(f"cannot resize {pixels.shape} to {size[0]}x{size[1]}; mend: give sizes of at least 1")
    if (pixels.shape[1], pixels.shape[0]) == tuple(size):
        return np.clip(pixels, 0, 1).astype(np.float32, copy=False)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        return linear_to_srgb(np.clip(_scale(srgb_to_linear(pixels), size), 0, 1))
    return np.clip(_scale(np.asarray(pixels, np.float32), size), 0, 1)


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at another size, alpha included.

    Colours count by their coverage, so that what hides under see-through pixels never darkens an edge; where the result
    is see-through it holds its neighbours' colours.

    Args:
        picture: any.
        size: (width, height).

    Raises:
        PictureError: when a side is below 1.

    Example:
        >>> import numpy as np
        >>> from impasto.picture import Picture
        >>> resize_picture(Picture(np.zeros((4, 6, 3), np.float32)), (3, 2)).size
        (3, 2)
    """
    if picture.size == tuple(size):
        return picture
    if picture.alpha is None:
        return replace(picture, pixels=resize(picture.pixels, size))
    if min(size) < 1:
        raise PictureError(f"cannot resize to {size[0]}x{size[1]}; mend: give sizes of at least 1")
    light = _scale(srgb_to_linear(picture.pixels) * picture.alpha[..., None], size)
    alpha = _scale(picture.alpha, size)
    if not (alpha > _CLEAR).any():
        return replace(picture, pixels=resize(picture.pixels, size), alpha=np.clip(alpha, 0, 1))
    shown = alpha > _CLEAR
    light /= np.where(shown, alpha, np.float32(1))[..., None]
    pixels = linear_to_srgb(np.clip(light, 0, 1))
    alpha = np.where(shown, np.clip(alpha, 0, 1), np.float32(0))
    return replace(picture, pixels=fill_hidden(pixels, alpha), alpha=alpha)


def _scale(values: Pixels, size: tuple[int, int]) -> Pixels:
    """Plain resampling of numbers, shape (H, W) or (H, W, C); shrinking may pass the range a little."""
    if values.ndim == 2:
        return _scale_plane(values, size)
    return np.stack([_scale_plane(values[..., i], size) for i in range(values.shape[2])], -1)


def _scale_plane(plane: Pixels, size: tuple[int, int]) -> Pixels:
    height, width = plane.shape
    smaller = (min(width, size[0]), min(height, size[1]))
    if smaller != (width, height):
        plane = _pillow(plane, smaller, Image.Resampling.LANCZOS)
    if smaller == tuple(size):
        return plane
    low, high = _reach(plane, size)
    return np.clip(_pillow(plane, size, Image.Resampling.BICUBIC), low, high)


def _pillow(plane: Pixels, size: tuple[int, int], how: Image.Resampling) -> Pixels:
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane, np.float32)).resize(size, how))


def _reach(plane: Pixels, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """For each pixel of the larger plane, the least and the most of the four that surround it in the smaller."""
    low = high = plane
    for axis, longer in ((0, size[1]), (1, size[0])):
        side = plane.shape[axis]
        at = np.floor((np.arange(longer) + 0.5) * side / longer - 0.5).astype(np.int64)
        first, second = np.clip(at, 0, side - 1), np.clip(at + 1, 0, side - 1)
        low = np.minimum(low.take(first, axis), low.take(second, axis))
        high = np.maximum(high.take(first, axis), high.take(second, axis))
    return low, high


def turn(pixels: Pixels, degrees: float, zoom: float = 1.0) -> Pixels:
    """Pixels turned and zoomed about their middle; beyond the border lies the mirror image.

    Args:
        pixels: float32 in [0, 1], shape (H, W, C).
        degrees: counter-clockwise.
        zoom: above 0; 2 shows everything twice as large.

    Returns:
        float32, the same shape, bilinearly read off; as it was for 0 degrees and a zoom of 1.
    """
    if not degrees and zoom == 1:
        return pixels
    height, width = pixels.shape[:2]
    angle = np.deg2rad(degrees)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = (y - (height - 1) / 2) / zoom, (x - (width - 1) / 2) / zoom
    across = np.cos(angle) * x - np.sin(angle) * y + (width - 1) / 2
    down = np.sin(angle) * x + np.cos(angle) * y + (height - 1) / 2
    return _read_off(pixels, _mirrored(down, height), _mirrored(across, width))


def _mirrored(places: Pixels, count: int) -> Pixels:
    """Places beyond the first or last pixel, reflected there."""
    if count == 1:
        return np.zeros_like(places)
    period = 2 * (count - 1)
    folded: Pixels = (count - 1) - np.abs(places % period - (count - 1))
    return folded


def _read_off(pixels: Pixels, down: Pixels, across: Pixels) -> Pixels:
    top, left = (np.floor(places).astype(np.intp) for places in (down, across))
    below, right = np.minimum(top + 1, pixels.shape[0] - 1), np.minimum(left + 1, pixels.shape[1] - 1)
    y, x = (down - top)[..., None], (across - left)[..., None]
    above = pixels[top, left] * (1 - x) + pixels[top, right] * x
    beneath = pixels[below, left] * (1 - x) + pixels[below, right] * x
    mixed: Pixels = (above * (1 - y) + beneath * y).astype(np.float32)
    return mixed
