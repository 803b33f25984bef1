"""Files to Pictures and back, sizes and colours; numpy and Pillow only."""

from impasto.image.colour import (
    keep_luminance,
    linear_to_srgb,
    luminance,
    match_histogram,
    match_linear,
    srgb_to_linear,
)
from impasto.image.masks import composite, label_regions, partition, read_map, read_mask
from impasto.image.poisson import photorealistic
from impasto.image.reading import read
from impasto.image.resizing import fit, resize, resize_picture, turn
from impasto.image.targets import check_target
from impasto.image.transparency import unmatte
from impasto.image.writing import write

__all__ = [
    "check_target",
    "composite",
    "fit",
    "keep_luminance",
    "label_regions",
    "linear_to_srgb",
    "luminance",
    "match_histogram",
    "match_linear",
    "partition",
    "photorealistic",
    "read",
    "read_map",
    "read_mask",
    "resize",
    "resize_picture",
    "srgb_to_linear",
    "turn",
    "unmatte",
    "write",
]
