"""Texture models that are summary statistics of feature maps."""

from impasto.losses.parametric.gram import GramLoss, gram_distance, gram_matrix

__all__ = ["GramLoss", "gram_distance", "gram_matrix"]
