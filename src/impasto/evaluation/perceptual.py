"""Content and style in the units of Ghiasi et al. 2017, and the residual that gives every layer an equal voice.

The units hold for one encoder only: VGG-16 with the original Caffe weights, average pooling, and input from 0 to 255,
which is `load_encoder("vgg16", pooling="average")`. On another encoder the functions work and the numbers mean
something else, so that nothing here ever takes another one instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.losses import gram_matrix, relative_distance, widen

CONTENT_LAYER = "relu3_3"
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
STYLE_WEIGHT = 0.5e-3  # of every layer alike, in Magenta's published training code


def content_loss(features: Tensor, content: Tensor) -> Tensor:
    """Mean squared difference of two feature maps, sample by sample.

    Args:
        features: the restyled pictures' maps at `CONTENT_LAYER`, (B, C, H, W).
        content: the photos' maps, the same shape.

    Returns:
        (B,), 0 where both are equal.

    Example:
        >>> content_loss(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)).tolist()
        [1.0, 1.0]
    """
    return (widen(features) - widen(content)).square().mean((1, 2, 3))


def grams(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each map's Gram matrix over its positions: tap -> (B, C, H, W) to tap -> (B, C, C), divided by H * W.

    Example:
        >>> grams({"relu1_2": torch.full((1, 2, 3, 3), 2.0)})["relu1_2"].tolist()
        [[[4.0, 4.0], [4.0, 4.0]]]
    """
    return {tap: gram_matrix(features) for tap, features in maps.items()}


def style_loss(found: Mapping[str, Tensor], style: Mapping[str, Tensor]) -> Tensor:
    """0.5e-3 times the mean squared difference of Gram matrices, summed over the layers, sample by sample.

    Args:
        found: tap -> (B, C, C), the restyled pictures' `grams`; pictures may differ in size from the paintings.
        style: the paintings', with the same taps, `STYLE_LAYERS` for the published units.

    Returns:
        (B,), 0 where all are equal.

    Raises:
        ValueError: when there are no taps.

    Example:
        >>> style_loss({"relu1_2": torch.zeros(1, 2, 2)}, {"relu1_2": torch.full((1, 2, 2), 2.0)}).tolist()
        [0.0020000000949949026]
    """
    layers = [(found[tap] - style[tap]).square().mean((1, 2)) for tap in style]
    if not layers:
        raise ValueError("a style loss of no layers")
    return STYLE_WEIGHT * torch.stack(layers).sum(0)


def residual(gram: Tensor, style: Tensor) -> Tensor:
    """How much of a layer's style is missing: ||Gy - Gs||^2 / (||Gy||^2 + ||Gs||^2), sample by sample.

    Args:
        gram: the restyled pictures' Gram matrices, (B, C, C).
        style: the paintings', the same shape.

    Returns:
        (B,), 0 where both are equal, 1 where they have nothing in common; it does not depend on the encoder's gain.

    Example:
        >>> gram = torch.eye(2)[None]
        >>> residual(gram, 0 * gram).item(), residual(gram, gram).item()
        (1.0, 0.0)
    """
    return relative_distance(gram, style)
