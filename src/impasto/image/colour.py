"""Colour: light and its encoding, and three ways to keep a photo's colours.

References:
    Gatys et al. 2016, Preserving color in neural artistic style transfer.
    Ottosson 2020, A perceptual color space for image processing (Oklab).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import PictureError

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_LEVELS = 65536  # bins of a histogram; every 8-bit and 16-bit value falls on one exactly
_PIECE = 1 << 18  # pixels worked on at a time: what fits into a processor's cache
_FAINT = 1e-6  # variance below which a direction of colour is noise: under one 8-bit step

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB.astype(np.float64)).astype(np.float32)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS.astype(np.float64)).astype(np.float32)


def srgb_to_linear(values: Pixels) -> Pixels:
    """Encoded sRGB as amounts of light.

    Args:
        values: float32 in [0, 1], any shape.

    Returns:
        float32 in [0, 1], the same shape.

    Example:
        >>> import numpy as np
        >>> round(float(srgb_to_linear(np.float32([0.5]))[0]), 3)
        0.214
    """
    values = np.asarray(values, np.float32)
    bent = np.power((np.maximum(values, 0) + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    return np.where(values <= np.float32(0.04045), values / np.float32(12.92), bent)


def linear_to_srgb(values: Pixels) -> Pixels:
    """Amounts of light as encoded sRGB.

    Args:
        values: float32 in [0, 1], any shape.

    Returns:
        float32 in [0, 1], the same shape.

    Example:
        >>> import numpy as np
        >>> round(float(linear_to_srgb(np.float32([0.214]))[0]), 2)
        0.5
    """
    values = np.asarray(values, np.float32)
    power = np.power(np.maximum(values, 0), np.float32(1 / 2.4))
    bent = 1 + np.float32(1.055) * (power - 1)  # 1.055 power - 0.055, in the order that keeps white exactly 1
    return np.where(values <= np.float32(0.0031308), values * np.float32(12.92), bent)


def luminance(pixels: Pixels) -> Pixels:
    """How much light each pixel sends out (relative luminance, Rec. 709, linear).

    Args:
        pixels: float32 sRGB in [0, 1], shape (H, W, 3).

    Returns:
        float32 in [0, 1], shape (H, W).

    Example:
        >>> import numpy as np
        >>> luminance(np.ones((2, 3, 3), np.float32)).shape
        (2, 3)
    """
    return srgb_to_linear(pixels) @ _LUMINANCE


def match_linear(source: Pixels, target: Pixels) -> Pixels:
    """The source with the target's mean colour and spread of colours: one affine map for all pixels.

    The map is the symmetric one of optimal transport between two Gaussians (Monge), which moves colours least. Gatys
    et al. 2016 leave the choice among such maps open and use two others (Cholesky and "image analogies").

    Args:
        source: float32 sRGB in [0, 1], shape (H, W, 3).
        target: the same, of any size.

    Returns:
        float32 of the source's shape, clipped to [0, 1].

    Example:
        >>> import numpy as np
        >>> grey, red = np.full((2, 2, 3), 0.5, np.float32), np.full((4, 4, 3), (1, 0, 0), np.float32)
        >>> match_linear(grey, red)[0, 0].round(3).tolist()
        [1.0, 0.0, 0.0]
    """
    mean_s, cov_s = _moments(source)
    mean_t, cov_t = _moments(target)
    faint = _FAINT * np.eye(3)
    root, inverse = _roots(cov_s + faint)
    middle, _ = _roots(root @ (cov_t + faint) @ root)
    mapping = inverse @ middle @ inverse
    moved = (source - mean_s.astype(np.float32)) @ mapping.T.astype(np.float32) + mean_t.astype(np.float32)
    return np.clip(moved, 0, 1).astype(np.float32, copy=False)


def match_histogram(source: Pixels, target: Pixels) -> Pixels:
    """The source with the target's distribution of values in each channel.

    Args:
        source: float32 sRGB in [0, 1], shape (H, W, 3).
        target: the same, of any size.

    Returns:
        float32 in [0, 1] of the source's shape.

    Example:
        >>> import numpy as np
        >>> ramp = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
        >>> match_histogram(ramp, np.full((1, 1, 3), 0.5, np.float32)).round(3).tolist()[0][0]
        [0.5, 0.5, 0.5]
    """
    out = np.empty(source.shape, np.float32)
    for channel in range(source.shape[2]):
        bins, quantiles = _quantiles(source[..., channel])
        target_bins, target_quantiles = _quantiles(target[..., channel])
        seen = np.flatnonzero(np.bincount(target_bins.ravel(), minlength=_LEVELS))
        curve = np.interp(quantiles, target_quantiles[seen], seen / (_LEVELS - 1))
        out[..., channel] = curve.astype(np.float32)[bins]
    return out


def keep_luminance(painted: Pixels, photo: Pixels) -> Pixels:
    """The painting's light and dark with the photo's colours: Oklab lightness of one, hue and chroma of the other.

    A colour that cannot be shown at its new lightness is greyed, at the same hue, until it can.

    Args:
        painted: float32 sRGB in [0, 1], shape (H, W, 3).
        photo: the same shape.

    Returns:
        float32 in [0, 1], the same shape.

    Raises:
        PictureError: when the sizes differ.

    Example:
        >>> import numpy as np
        >>> photo = np.random.default_rng(0).random((4, 4, 3), np.float32)
        >>> bool(np.allclose(keep_luminance(photo, photo), photo, atol=1e-3))
        True
    """
    if painted.shape != photo.shape:
        raise PictureError(f"painting {painted.shape} and photo {photo.shape} differ in size; mend: resize one")
    out = np.empty(painted.shape, np.float32)
    rows = max(1, _PIECE // painted.shape[1])
    for top in range(0, len(out), rows):
        piece = photo[top : top + rows]
        lab = _to_oklab(piece)
        lab[0] = _to_oklab(painted[top : top + rows])[0]
        linear = _linear_from_oklab(lab)
        outside = ((linear < -1e-4) | (linear > 1 + 1e-4)).any(0)
        linear[:, outside] = _into_gamut(lab[:, outside])
        out[top : top + rows] = linear_to_srgb(np.clip(linear, 0, 1)).T.reshape(piece.shape)
    return out


def _moments(pixels: Pixels) -> tuple[Doubles, Doubles]:
    """Mean (3,) and covariance (3, 3) of the colours, summed in float64 by pieces."""
    flat = pixels.reshape(-1, 3)
    mean = flat.mean(0, dtype=np.float64)
    total = np.zeros((3, 3))
    for start in range(0, len(flat), _PIECE):
        piece = flat[start : start + _PIECE] - mean
        total += piece.T @ piece
    return mean, total / len(flat)


def _roots(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """The symmetric square root of a positive matrix, and its inverse."""
    values, vectors = np.linalg.eigh(matrix)
    sizes = np.sqrt(np.maximum(values, 1e-12))
    return (vectors * sizes) @ vectors.T, (vectors / sizes) @ vectors.T


def _quantiles(channel: Pixels) -> tuple[npt.NDArray[np.int64], Doubles]:
    """Each value's bin, and for every bin the share of pixels below its middle."""
    bins = np.floor(np.clip(channel, 0, 1) * np.float32(_LEVELS - 1) + np.float32(0.5)).astype(np.int64)
    counts = np.bincount(bins.ravel(), minlength=_LEVELS)
    return bins, (np.cumsum(counts) - 0.5 * counts) / bins.size


def _to_oklab(pixels: Pixels) -> Pixels:
    """Shape (3, N): one row a channel is several times faster here than one row a pixel."""
    planes = np.ascontiguousarray(pixels.reshape(-1, 3).T)
    lms: Pixels = np.cbrt(_RGB_TO_LMS @ srgb_to_linear(np.clip(planes, 0, 1)))
    return _LMS_TO_LAB @ lms


def _linear_from_oklab(lab: Pixels) -> Pixels:
    lms: Pixels = _LAB_TO_LMS @ lab
    return _LMS_TO_RGB @ (lms * lms * lms)


def _into_gamut(lab: Pixels) -> Pixels:
    """The most chroma that can be shown, by bisection between grey and the wish; linear RGB, shape (3, N)."""
    chroma = lab.copy()
    chroma[0] = 0
    grey = lab - chroma
    share = np.zeros(lab.shape[1], np.float32)
    for step in np.float32(0.5) ** np.arange(1, 9, dtype=np.float32):
        tried = _linear_from_oklab(grey + chroma * (share + step))
        share += ((tried >= 0) & (tried <= 1)).all(0) * step
    return _linear_from_oklab(grey + chroma * share)
