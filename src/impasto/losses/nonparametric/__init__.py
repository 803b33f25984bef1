"""Texture models that keep the painting's features themselves, and look for those most like the picture's."""

from impasto.losses.nonparametric.contextual import ContextualLoss, contextual_similarity
from impasto.losses.nonparametric.earth_mover import (
    StrotssStyleLoss,
    draw_positions,
    even_scales,
    moment_matching,
    palette_distance,
    relaxed_earth_movers,
    sample,
)
from impasto.losses.nonparametric.matching import nearest
from impasto.losses.nonparametric.neighbours import CosineLoss, NearestLoss, hypercolumns
from impasto.losses.nonparametric.patches import PatchBank, PatchLoss, patches

__all__ = [
    "ContextualLoss",
    "CosineLoss",
    "NearestLoss",
    "PatchBank",
    "PatchLoss",
    "StrotssStyleLoss",
    "contextual_similarity",
    "draw_positions",
    "even_scales",
    "hypercolumns",
    "moment_matching",
    "nearest",
    "palette_distance",
    "patches",
    "relaxed_earth_movers",
    "sample",
]
