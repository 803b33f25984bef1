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
    GramLoss,
    MomentLoss,
    Moments,
    channel_moments,
    gram_distance,
    gram_matrix,
    moment_distance,
    relative_moment_distance,
)
from impasto.losses.regularisers import TotalVariation, total_variation
from impasto.losses.relative import relative_distance

__all__ = [
    "IMAGE",
    "Additive",
    "BalancedGramLoss",
    "ContentLoss",
    "Features",
    "GramLoss",
    "Loss",
    "MomentLoss",
    "Moments",
    "NormalisedContentLoss",
    "Places",
    "Scaled",
    "Sum",
    "TotalVariation",
    "channel_moments",
    "feature_distance",
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
    "widen",
]
