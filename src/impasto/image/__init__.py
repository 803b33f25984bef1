"""Files to Pictures and back, sizes and colours; numpy and Pillow only."""

from impasto.image.colour import (
    keep_luminance,
    linear_to_srgb,
    luminance,
    match_histogram,
    match_linear,
    srgb_to_linear,
)
from impasto.image.reading import read
from impasto.image.resizing import fit, resize, resize_picture
from impasto.image.targets import check_target
from impasto.image.transparency import unmatte
from impasto.image.writing import write

__all__ = [
    "check_target",
    "fit",
    "keep_luminance",
    "linear_to_srgb",
    "luminance",
    "match_histogram",
    "match_linear",
    "read",
    "resize",
    "resize_picture",
    "srgb_to_linear",
    "unmatte",
    "write",
]
