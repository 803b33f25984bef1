"""How much of the photo's structure is left (Wang et al. 2004, Image quality assessment: from error visibility to ...).

The structural similarity of the paper: an 11x11 Gaussian window of deviation 1.5, on lightness, where the window fits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import LimitError
from impasto.losses import widen

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03  # keep the quotients finite where a window is black, or flat
LIGHTNESS = (0.299, 0.587, 0.114)  # of encoded red, green and blue, as the paper's code and most since have it


def ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Mean structural similarity of two pictures, sample by sample.

    The paper's authors later advised to shrink large pictures to 256 pixels first; that is not done here.

    Args:
        image: (B, 3, H, W), RGB in [0, 1], both sides at least 11.
        reference: the same shape; the two may change places.

    Returns:
        (B,), in [-1, 1]; 1 where both are equal.

    Raises:
        LimitError: when the pictures are smaller than the window.

    Example:
        >>> picture = torch.rand(1, 3, 16, 12)
        >>> round(ssim(picture, picture).item(), 4)
        1.0
    """
    height, width = image.shape[-2:]
    if min(height, width) < WINDOW:
        raise LimitError(f"pictures of {width}x{height} are too small for SSIM; give at least {WINDOW}x{WINDOW}")
    x, y = _lightness(image), _lightness(reference)
    mean_x, mean_y, xx, yy, xy = (_blur(plane) for plane in (x, y, x * x, y * y, x * y))
    var_x, var_y, both = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    light = (2 * mean_x * mean_y + K1**2) / (mean_x**2 + mean_y**2 + K1**2)
    structure = (2 * both + K2**2) / (var_x + var_y + K2**2)
    return (light * structure).mean((1, 2, 3))


def _lightness(image: Tensor) -> Tensor:
    """(B, 3, H, W) to (B, 1, H, W)."""
    wide = widen(image)
    return (wide * torch.tensor(LIGHTNESS).to(wide).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _blur(plane: Tensor) -> Tensor:
    """The weighted mean in every window that fits, (B, 1, H - 10, W - 10)."""
    steps = torch.arange(WINDOW, dtype=plane.dtype, device=plane.device) - WINDOW // 2
    bell = torch.exp(-(steps**2) / (2 * SIGMA**2))
    bell = bell / bell.sum()
    return functional.conv2d(functional.conv2d(plane, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))
