"""Li et al. 2017, Universal style transfer via feature transforms: whitening and colouring.

Where AdaIN matches each channel's mean and deviation, this matches the whole covariance: which features occur together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.losses.loss import widen

ITERATIONS = 20
RIDGE = 1e-3  # of the mean variance of a channel; few pixels leave directions that no feature has


def whiten_colour(content: Tensor, style: Tensor, *, strength: float = 1.0) -> Tensor:
    """Gives the channels of `content` the means and the covariance of those of `style`.

    Args:
        content: (N, C, H, W), any floating type; computed in float32 at least.
        style: (N, C, H', W') or (1, C, H', W').
        strength: 0 keeps the content's features, 1 takes the style's statistics wholly, linear between (equation 7).

    Returns:
        As `content`.
    """
    flat, _ = _centred(content)
    texture, mean = _centred(style)
    _, whitening = square_roots(_covariance(flat))
    colouring, _ = square_roots(_covariance(texture))
    restyled = (colouring @ (whitening @ flat) + mean).view(content.shape)
    mixed = torch.lerp(widen(content), restyled, strength)
    return mixed.to(content.dtype)


def square_roots(matrix: Tensor, *, iterations: int = ITERATIONS) -> tuple[Tensor, Tensor]:
    """The square root of symmetric positive matrices, and its inverse, by matrix products alone.

    The paper takes a singular value decomposition, which neither exports nor differentiates well. The coupled
    Newton-Schulz iteration (Higham 2008, Functions of matrices, equation 6.35) needs neither. An eigenvalue of x times
    the matrix's norm grows towards 1 by a factor of 1.5 an iteration as sqrt(x): 20 iterations reach x of 1e-6.

    Args:
        matrix: (N, C, C).
        iterations: how many.

    Returns:
        (N, C, C) each: the root, the root's inverse.
    """
    norm = matrix.square().sum((1, 2), keepdim=True).sqrt().clamp(min=torch.finfo(matrix.dtype).tiny)
    one = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
    root, inverse = matrix / norm, one
    for _ in range(iterations):
        step = 1.5 * one - 0.5 * (inverse @ root)
        root, inverse = root @ step, step @ inverse
    return root * norm.sqrt(), inverse / norm.sqrt()


def _centred(features: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, positions) around zero, and the means (N, C, 1)."""
    flat = widen(features).flatten(2)
    mean = flat.mean(2, keepdim=True)
    return flat - mean, mean


def _covariance(flat: Tensor) -> Tensor:
    """(N, C, C), with a ridge that leaves no direction without variance."""
    covariance = flat @ flat.transpose(1, 2) / flat.shape[2]
    variances = covariance.diagonal(dim1=1, dim2=2)
    ridge = RIDGE * variances.mean(1, keepdim=True) + torch.finfo(flat.dtype).eps
    return covariance + torch.diag_embed(ridge.expand_as(variances))
