"""Texture models that are summary statistics of feature maps."""

from impasto.losses.parametric.discrepancy import (
    DiscrepancyLoss,
    kernel_discrepancy,
    kernel_statistics,
    median_bandwidth,
)
from impasto.losses.parametric.gram import BalancedGramLoss, GramLoss, gram_distance, gram_matrix
from impasto.losses.parametric.histogram import HistogramLoss, channel_quantiles, histogram_distance
from impasto.losses.parametric.moments import (
    MomentLoss,
    Moments,
    channel_moments,
    moment_distance,
    relative_moment_distance,
)
from impasto.losses.parametric.sliced import SlicedLoss, random_directions, sliced_distance, sliced_quantiles
from impasto.losses.parametric.wasserstein import Gaussian, WassersteinLoss, gaussian, wasserstein_distance

__all__ = [
    "BalancedGramLoss",
    "DiscrepancyLoss",
    "Gaussian",
    "GramLoss",
    "HistogramLoss",
    "MomentLoss",
    "Moments",
    "SlicedLoss",
    "WassersteinLoss",
    "channel_moments",
    "channel_quantiles",
    "gaussian",
    "gram_distance",
    "gram_matrix",
    "histogram_distance",
    "kernel_discrepancy",
    "kernel_statistics",
    "median_bandwidth",
    "moment_distance",
    "random_directions",
    "relative_moment_distance",
    "sliced_distance",
    "sliced_quantiles",
    "wasserstein_distance",
]
