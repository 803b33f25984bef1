"""ArtFID = (1 + LPIPS) * (1 + FID) (Wright and Ommer 2022, ArtFID: quantitative evaluation of neural style transfer).

The formula and its two halves, as functions of features. The published numbers come from three files that are not part
of Impasto and that no index of ours can name with a hash: AlexNet of torchvision, the linear heads of LPIPS 0.1, and
an Inception-v3 that was fine-tuned on paintings. Features of other networks give numbers of their own, which must not
be set beside published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses import widen


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What the Frechet distance knows of a set of pictures.

    Attributes:
        mean: (D,), float64.
        covariance: (D, D), float64, divided by n - 1.
    """

    mean: Tensor
    covariance: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """Mean and covariance of pooled features, one row a picture.

    Args:
        features: (n, D), n at least 2; many more than D for numbers that mean something.

    Raises:
        ValueError: when there are fewer than two pictures.

    Example:
        >>> gaussian(torch.tensor([[0.0], [2.0]])).covariance.item()
        2.0
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"a covariance takes (n, D) features of two pictures or more, not {tuple(features.shape)}")
    rows = features.double()
    mean = rows.mean(0)
    centred = rows - mean
    return Gaussian(mean, centred.T @ centred / (len(rows) - 1))


def frechet(first: Gaussian, second: Gaussian) -> float:
    """Squared Frechet distance of two Gaussians: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    The trace of the root is taken from the eigenvalues of a symmetric product, which are real and not negative
    whatever the ranks are.

    Returns:
        At least 0; 0 for equal Gaussians up to rounding.

    Example:
        >>> one = Gaussian(torch.zeros(1, dtype=torch.float64), torch.eye(1, dtype=torch.float64))
        >>> frechet(one, Gaussian(one.mean + 3, 4 * one.covariance))
        10.0
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp_min(0).sqrt().sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * shared
    return max(0.0, float((first.mean - second.mean).square().sum() + spread))


def lpips(maps: Mapping[str, Tensor], reference: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
    """Learned perceptual distance (Zhang et al. 2018), sample by sample.

    Args:
        maps: tap -> (B, C, H, W).
        reference: the same taps and shapes.
        heads: tap -> (C,), how much each channel counts; not negative.

    Returns:
        (B,), 0 where both are equal.

    Raises:
        ValueError: when there are no heads.

    Example:
        >>> one = {"relu1": torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)}
        >>> lpips(one, {"relu1": one["relu1"].flip(1)}, {"relu1": torch.tensor([1.0, 0.5])}).item()
        1.5
    """
    layers = []
    for tap, head in heads.items():
        apart = (_unit(maps[tap]) - _unit(reference[tap])).square()
        layers.append((apart * head.to(apart).view(1, -1, 1, 1)).sum(1).mean((1, 2)))
    if not layers:
        raise ValueError("a perceptual distance of no layers")
    return torch.stack(layers).sum(0)


def artfid(perceptual: Tensor, results: Gaussian, styles: Gaussian) -> float:
    """The product of what was lost of the photos and what is missing of the paintings; 1 is best.

    Args:
        perceptual: `lpips` of each restyled picture to its photo, (n,).
        results: of the restyled pictures' pooled features.
        styles: of the paintings'.

    Example:
        >>> one = Gaussian(torch.zeros(1, dtype=torch.float64), torch.eye(1, dtype=torch.float64))
        >>> artfid(torch.tensor([0.5]), one, one)
        1.5
    """
    return (1 + float(perceptual.double().mean())) * (1 + frechet(results, styles))


def _unit(features: Tensor) -> Tensor:
    """Each position's features at length 1, as LPIPS has it, zeros staying zeros."""
    wide = widen(features)
    return wide / (wide.square().sum(1, keepdim=True).sqrt() + 1e-10)
