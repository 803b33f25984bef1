"""Noise with the mean, the colours and the spectrum of a picture, and nothing else of it.

Galerne, Gousseau and Morel 2011, Random phase textures: theory and synthesis, section II-B (IEEE Transactions on Image
Processing 20, asymptotic discrete spot noise): white noise, convolved with the picture. What has no edges in it looks
like the material already; and where patches are to be matched, white noise would be like the same few everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impasto.picture import Pixels


def spot_noise(spots: Sequence[Pixels], shares: Sequence[float], size: tuple[int, int], seed: int) -> Pixels:
    """Gaussian noise whose opposite borders fit each other.

    Args:
        spots: pictures (H, W, 3), float32 in [0, 1], each as large as it is to be seen.
        shares: how much each counts, 1 in all.
        size: (width, height) of the noise.
        seed: the same gives the same.

    Returns:
        (height, width, 3), float32 in [0, 1].

    Example:
        >>> spot_noise([np.full((4, 5, 3), 0.25, np.float32)], [1.0], (3, 2), 0)[0, 0]
        array([0.25, 0.25, 0.25], dtype=float32)
    """
    width, height = size
    draw, total = np.random.default_rng(seed), np.zeros((height, width, 3))
    for spot, share in zip(spots, shares, strict=True):
        seen = spot[:height, :width].astype(np.float64)
        mean = seen.mean((0, 1))
        faded = np.outer(*(np.hanning(n + 2)[1:-1] for n in seen.shape[:2]))[..., None]  # a border would be a cross
        white = np.fft.rfft2(draw.standard_normal((height, width)))[..., None]
        found = np.fft.irfft2(white * np.fft.rfft2((seen - mean) * faded, (height, width), (0, 1)), size[::-1], (0, 1))
        total += share * mean + np.sqrt(share / np.square(faded).sum()) * found
    noise: Pixels = total.clip(0, 1).astype(np.float32)
    return noise
