"""Texture models that are summary statistics of feature maps."""

from impasto.losses.parametric.gram import BalancedGramLoss, GramLoss, gram_distance, gram_matrix
from impasto.losses.parametric.moments import (
    MomentLoss,
    Moments,
    channel_moments,
    moment_distance,
    relative_moment_distance,
)
from impasto.losses.parametric.wasserstein import Gaussian, WassersteinLoss, gaussian, wasserstein_distance

__all__ = [
    "BalancedGramLoss",
    "Gaussian",
    "GramLoss",
    "MomentLoss",
    "Moments",
    "WassersteinLoss",
    "channel_moments",
    "gaussian",
    "gram_distance",
    "gram_matrix",
    "moment_distance",
    "relative_moment_distance",
    "wasserstein_distance",
]
