"""Masks: which part of a picture is meant. White is in, black is out, grey is a soft edge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.errors import OptionError
from impasto.image.reading import read
from impasto.image.resizing import resize

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.float32]

_DIM, _SPECK = 0.25, 0.002  # a mask darker or smaller than this leaves the picture as it was
_DARK = 1 / 255  # a mask with nothing above it is black all over
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

LABELS = 8
"""Most colours that a semantic map may have."""

_ALIKE = 0.12  # colours nearer than this, of a diagonal of 1.73, are one label
_RARE = 0.002  # part of a map below which a colour is an accident of JPEG or of soft edges
_SKETCH = 128  # long side of the copies in which colours are looked for


def read_mask(source: Any, size: tuple[int, int]) -> tuple[Pixels, list[str]]:
    """A mask at the size of the picture that it belongs to.

    Args:
        source: whatever `read` takes. Colours count by their brightness as encoded, transparent parts as black.
        size: (width, height).

    Returns:
        (H, W) float32 in [0, 1], and remarks: a mask of another shape than its picture is stretched, and that is said.

    Raises:
        OptionError: when it is black all over.
        PictureError: when it cannot be read.
    """
    picture = read(source)
    grey = picture.pixels @ _LUMA
    if picture.alpha is not None:
        grey = grey * picture.alpha
    name = _name(source, "the mask")
    mask = resize(grey.astype(np.float32), size)
    if float(mask.max()) <= _DARK:
        raise OptionError(f"{name} is all black; white says where to paint")
    return mask, [*_stretched(name, picture.size, size), *_faint(name, mask)]


def _faint(name: str, mask: Pixels) -> list[str]:
    """A remark where a mask lets next to nothing through."""
    if (most := float(mask.max())) < _DIM:
        return [f"{name} is {most:.0%} white at most; paint will hardly be seen"]
    if (share := float(mask.mean())) < _SPECK:
        return [f"{name} is white in {share:.2%} of the picture only"]
    return []


def read_map(source: Any, size: tuple[int, int]) -> tuple[Pixels, list[str]]:
    """A semantic map at the size of the picture that it belongs to.

    Args:
        source: whatever `read` takes.
        size: (width, height).

    Returns:
        (H, W, 3) float32 in [0, 1], and remarks: a map of another shape than its picture is stretched, and that is
        said.

    Raises:
        PictureError: when it cannot be read.
    """
    picture = read(source)
    return resize(picture.pixels, size), _stretched(_name(source, "the map"), picture.size, size)


def _name(source: Any, otherwise: str) -> str:
    return Path(source).name if isinstance(source, str | Path) else otherwise


def _stretched(name: str, own: tuple[int, int], size: tuple[int, int]) -> list[str]:
    """A remark where a mask or a map has another shape than its picture, but for what rounding does."""
    (width, height), (wide, high) = own, size
    same = own == size or abs(width * high - height * wide) <= max(*size, *own)
    return [] if same else [f"{name} is {width}x{height}; it was resized to {wide}x{high}"]


def partition(masks: Sequence[Pixels]) -> tuple[list[Pixels], Pixels]:
    """Masks as shares of each pixel: where they overlap, each keeps its part.

    Args:
        masks: (H, W) each, in [0, 1], all of one size.

    Returns:
        The shares, which sum to at most 1, and what is left of each pixel.

    Example:
        >>> shares, rest = partition([np.ones((1, 2), np.float32), np.array([[1, 0]], np.float32)])
        >>> shares[1].tolist(), rest.tolist()
        ([[0.5, 0.0]], [[0.0, 0.0]])
    """
    total = np.sum(masks, 0, dtype=np.float32)
    over = np.maximum(total, 1).astype(np.float32)
    rest: Pixels = (1 - total / over).astype(np.float32)
    return [(mask / over).astype(np.float32) for mask in masks], rest


def composite(painted: Pixels, photo: Pixels, mask: Pixels) -> Pixels:
    """The painted picture where the mask is 1, the photo where it is 0.

    Mixed as encoded values, as image editors do: mixed as light, a soft edge beside something dark is too bright.

    Args:
        painted: (H, W, 3) in [0, 1].
        photo: the same shape.
        mask: (H, W) in [0, 1].
    """
    mixed: Pixels = photo + mask[..., None] * (painted - photo)
    return np.clip(mixed, 0, 1)


def label_regions(here: Pixels, there: Pixels) -> tuple[list[tuple[Pixels, Pixels]], list[str]]:
    """What two maps paint in one colour (Champandard 2016, arXiv 1603.01768).

    Args:
        here: the photo's map, (H, W, 3) in [0, 1].
        there: the painting's, (H', W', 3).

    Returns:
        For each colour that both have: where it is in either, (H, W) and (H', W'), soft at edges. In each map the
        colours that the other has not go to the nearest one that both have, and remarks say so.

    Raises:
        OptionError: when the maps have no colour in common.
    """
    (ours, more_of_ours), (theirs, more_of_theirs) = _palette(here), _palette(there)
    apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
    pairs = [(n, int(row.argmin())) for n, row in enumerate(apart) if row.min() <= _ALIKE]
    if not pairs:
        raise OptionError("the two semantic maps have no colour in common; paint what belongs together in one colour")
    colours = np.stack([(ours[n] + theirs[m]) / 2 for n, m in pairs])
    remarks = _left_over("photo", len(ours) - len(pairs), more=more_of_ours)
    remarks += _left_over("painting", len(theirs) - len({m for _, m in pairs}), more=more_of_theirs)
    return list(zip(_shares(here, colours), _shares(there, colours), strict=True)), remarks


def _left_over(whose: str, count: int, *, more: bool) -> list[str]:
    if more:
        return [f"the {whose}'s semantic map has more than {LABELS} colours; the rest go to the nearest"]
    if count:
        return [f"colours of the {whose}'s semantic map that the other has not: {count}; they go to the nearest"]
    return []


def _palette(pixels: Pixels) -> tuple[Pixels, bool]:
    """The map's colours, the most frequent first, (N, 3), and whether there are more."""
    zoom = min(1.0, _SKETCH / max(pixels.shape[:2]))
    step = max(1, round(1 / zoom))
    inside = _inside(pixels)[::step, ::step]
    left = pixels[::step, ::step][inside if inside.any() else ...].reshape(-1, 3)
    whole = len(left)
    found: list[Pixels] = []
    while len(left) > _RARE * whole and len(found) < LABELS:
        bins, counts = np.unique(np.round(left * 15).astype(np.int64), axis=0, return_counts=True)
        near = np.linalg.norm(left - bins[counts.argmax()] / np.float32(15), axis=1) <= _ALIKE
        if near.mean() * len(left) / whole > _RARE:
            found.append(left[near].mean(0))
        left = left[~near]
    return np.stack(found), len(left) > _RARE * whole


def _inside(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Where all four neighbours have a pixel's own colour, (H, W): on no soft edge."""
    alike = np.ones(pixels.shape[:2], np.bool_)
    for axis in (0, 1):
        for step in (1, -1):
            alike &= np.abs(pixels - np.roll(pixels, step, axis)).max(2) <= _ALIKE
    return alike


def _shares(pixels: Pixels, colours: Pixels) -> list[Pixels]:
    """How much of each pixel is of each colour: its own wholly, between two of them a part of either."""
    near = [1 / (np.linalg.norm(pixels - colour, axis=2) + 1e-3) ** 8 for colour in colours]
    total = np.sum(near, 0)
    return [(n / total).astype(np.float32) for n in near]
