"""Losses: pure functions, and thin classes that hold a target."""

from impasto.losses.content import (
    ContentLoss,
    NormalisedContentLoss,
    feature_distance,
    normalised_distance,
    normalised_features,
)
from impasto.losses.loss import IMAGE, Additive, Features, Loss, Places, Scaled, Sum, sum_of, tile_of, widen
from impasto.losses.parametric import (
    BalancedGramLoss,
    Gaussian,
    GramLoss,
    MomentLoss,
    Moments,
    WassersteinLoss,
    channel_moments,
    gaussian,
    gram_distance,
    gram_matrix,
    moment_distance,
    relative_moment_distance,
    wasserstein_distance,
)
from impasto.losses.regularisers import TotalVariation, total_variation
from impasto.losses.relative import relative_distance

__all__ = [
    "IMAGE",
    "Additive",
    "BalancedGramLoss",
    "ContentLoss",
    "Features",
    "Gaussian",
    "GramLoss",
    "Loss",
    "MomentLoss",
    "Moments",
    "NormalisedContentLoss",
    "Places",
    "Scaled",
    "Sum",
    "TotalVariation",
    "WassersteinLoss",
    "channel_moments",
    "feature_distance",
    "gaussian",
    "gram_distance",
    "gram_matrix",
    "moment_distance",
    "normalised_distance",
    "normalised_features",
    "relative_distance",
    "relative_moment_distance",
    "sum_of",
    "tile_of",
    "total_variation",
    "wasserstein_distance",
    "widen",
]
