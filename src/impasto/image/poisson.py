"""Mechrez et al. 2017: Photorealistic style transfer with screened Poisson equation (arXiv 1709.09828).

A painted photo has the painting's colours, and bent lines and invented texture besides. The picture that is near the
painted one in its values, and equal to the photo in its gradients, has the colours alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.float32]

FIDELITY = 0.01
"""Weight of the values against that of the gradients, per pixel squared: shapes larger than about 1 / sqrt of it pixels
keep the painted values, smaller ones are the photo's."""


def photorealistic(painted: Pixels, photo: Pixels, *, fidelity: float = FIDELITY) -> Pixels:
    """The painted picture with the photo's edges.

    Minimises `fidelity * |out - painted|^2 + |grad out - grad photo|^2` in each channel, exactly: the
    equation is diagonal in the cosine transform, which is the Fourier transform of the picture and its mirror images.

    Args:
        painted: (H, W, 3) in [0, 1].
        photo: the same shape.
        fidelity: above 0; large gives the painted picture, small the photo with the painted one's mean colour.

    Returns:
        (H, W, 3) in [0, 1], float32. Takes about 20 times the memory of one channel.
    """
    height, width = painted.shape[:2]
    across = 2 - 2 * np.cos(np.pi * np.arange(2 * width)[: width + 1] / width)
    down = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(2 * height))
    roughness = (down[:, None] + across[None]).astype(np.float32)  # eigenvalues of minus the Laplacian
    keep = fidelity / (fidelity + roughness)
    out = np.empty_like(painted)
    for channel in range(painted.shape[2]):
        change = np.fft.rfft2(_mirrored(painted[..., channel] - photo[..., channel])) * keep
        out[..., channel] = photo[..., channel] + np.fft.irfft2(change, s=(2 * height, 2 * width))[:height, :width]
    return out.clip(0, 1)


def _mirrored(plane: Pixels) -> Pixels:
    wide = np.concatenate([plane, plane[:, ::-1]], 1)
    return np.concatenate([wide, wide[::-1]], 0)
