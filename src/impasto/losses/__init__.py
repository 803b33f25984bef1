"""Losses: pure functions, and thin classes that hold a target."""

from impasto.losses.content import ContentLoss, feature_distance
from impasto.losses.loss import IMAGE, Features, Loss, Scaled, Sum, sum_of, widen
from impasto.losses.parametric import GramLoss, gram_distance, gram_matrix
from impasto.losses.regularisers import TotalVariation, total_variation

__all__ = [
    "IMAGE",
    "ContentLoss",
    "Features",
    "GramLoss",
    "Loss",
    "Scaled",
    "Sum",
    "TotalVariation",
    "feature_distance",
    "gram_distance",
    "gram_matrix",
    "sum_of",
    "total_variation",
    "widen",
]
