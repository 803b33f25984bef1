"""A picture too large for memory, seen window by window, so that each feature comes out as it does in the whole.

A window is a tile, and around it as many pixels as the deepest layer looks beyond it. What they spoil by ending is left
out. Windows begin where every layer's grid has a point, and end where the grids end alike: networks that pad by the
size of what they are given then pad a window as they pad the whole. A window at the picture's border ends with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder, StagedEncoder
from impasto.encoders.winograd import WinogradConv
from impasto.losses import Features, Places

PROBE = 768
"""Pixels of the strip on which a network's reach is found; it has to be less than half of that."""

GRID = 4
"""Features of the deepest layer from one window's start to the next, or a multiple: Winograd's convolutions compute
squares of so many, and round alike only where these lie alike. What is rounded to the other side of a ReLU's 0 is no
small difference in the gradient."""

Reach = tuple[int, int]
"""Pixels that features need before a tile's first pixel, and after its last."""

_KNOWN: WeakKeyDictionary[Encoder, dict[Any, Reach | None]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Span:
    """One side of a window.

    Attributes:
        start: first pixel that is looked at, a multiple of every stride.
        end: the pixel after the last that is.
        first: first pixel of the tile, a multiple of every stride.
        last: the pixel after its last, or None for the tile that ends with the picture.
    """

    start: int
    end: int
    first: int
    last: int | None

    def places(self, stride: int, found: int) -> slice:
        """Which features of the whole map the tile is, given how many the window has."""
        return slice(self.first // stride, self.start // stride + found if self.last is None else self.last // stride)


@dataclass(frozen=True)
class Window:
    """What is looked at for one tile."""

    rows: Span
    columns: Span

    def cut(self, picture: Tensor) -> Tensor:
        """The window of a picture (..., H, W)."""
        return picture[..., self.rows.start : self.rows.end, self.columns.start : self.columns.end]

    def inside(self, encoder: Encoder, maps: Features) -> tuple[dict[str, Tensor], Places]:
        """The tile's part of the window's maps (1, C, h, w), and where it lies in the maps of the whole."""
        inside, places = {}, {}
        for tap, found in maps.items():
            stride = encoder.stride(tap)
            places[tap] = rows, columns = (
                self.rows.places(stride, found.shape[2]),
                self.columns.places(stride, found.shape[3]),
            )
            down, across = self.rows.start // stride, self.columns.start // stride
            inside[tap] = found[
                :, :, rows.start - down : rows.stop - down, columns.start - across : columns.stop - across
            ]
        return inside, places


def windows(encoder: Encoder, taps: Sequence[str], size: tuple[int, int], tile: int) -> list[Window] | None:
    """The windows that make up a picture.

    Args:
        encoder: what looks.
        taps: what is looked at.
        size: (height, width) of the picture.
        tile: pixels of a tile's side, at most (rounded to the deepest stride).

    Returns:
        Windows row by row; one alone for a picture no larger than a tile. None when the encoder does not say how far
        it looks, or looks at everything at once.
    """
    if max(size) <= tile or not taps:
        return [whole_window(size)]
    step = max(encoder.stride(tap) for tap in taps)
    sides = []
    for axis, side in enumerate(size):
        found = reach(encoder, taps, axis=axis, length=side)
        if found is None:
            return None
        sides.append(_spans(side, tile, step, found))
    return [Window(rows, columns) for rows in sides[0] for columns in sides[1]]


def whole_window(size: tuple[int, int]) -> Window:
    """The one window of a picture (height, width) that is seen at once."""
    return Window(Span(0, size[0], 0, None), Span(0, size[1], 0, None))


def add(added: tuple[Tensor, ...], found: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Sums of tiles added up in double precision, so that it does not matter how many tiles there are.

    On the processor: not every device has such numbers, and these are few.
    """
    if not added:
        return tuple(f.to("cpu", torch.float64, copy=True) for f in found)
    return tuple(a.add_(f.cpu()) for a, f in zip(added, found, strict=True))


def window_side(encoder: Encoder, taps: Sequence[str], tile: int) -> int | None:
    """Pixels of the largest side that a window around a tile has; None as in `windows`."""
    found = [reach(encoder, taps, axis=axis, length=0) for axis in (0, 1)]
    step = max((encoder.stride(tap) for tap in taps), default=1)
    return None if None in found else tile + max(sum(r) for r in found if r) + (GRID + 2) * step


def _spans(length: int, tile: int, step: int, reached: Reach) -> list[Span]:
    """Tiles of about the same size, none much smaller than the others."""
    grid = GRID * step
    before, after = -(-reached[0] // step) * step, reached[1]
    count = max(1, min(math.ceil(length / tile), length // (2 * grid)))
    starts = [max(0, round((i * length / count - before) / grid)) * grid for i in range(count)]
    firsts = [0, *(start + before for start in starts[1:])]
    spans = []
    for start, first, last in zip(starts, firsts, [*firsts[1:], None], strict=True):
        end = length if last is None else length - max(0, length - last - after) // step * step
        spans.append(Span(start, end, first, last))
    return spans


def reach(encoder: Encoder, taps: Sequence[str], *, axis: int, length: int) -> Reach | None:
    """How far beyond a tile an encoder looks.

    Found by asking it about a strip, one half of which is not a number: neither are the features that see any of it.

    Args:
        encoder: what looks.
        taps: what is looked at.
        axis: 0 for downwards, 1 for across.
        length: of the picture along that axis; a network's padding may depend on it.

    Returns:
        Pixels before and after; None for an encoder that is not a chain of layers, or sees half of the strip at once.
    """
    if not isinstance(encoder, StagedEncoder):
        return None
    known = _KNOWN.setdefault(encoder, {})
    key = (frozenset(taps), axis, length % max(encoder.stride(tap) for tap in taps))
    if key not in known:
        known[key] = _probe(encoder, list(key[0]), axis, key[2])
    return known[key]


@torch.no_grad()
def _probe(encoder: Encoder, taps: Sequence[str], axis: int, odd: int) -> Reach | None:
    """`reach` for a picture that is so much longer than a multiple of the largest stride."""
    step = max(encoder.stride(tap) for tap in taps)
    whole = -(-PROBE // step) * step + odd
    middle = whole // 2 // step * step
    thin = max(step, *(encoder.layer(tap).least for tap in taps))
    device = next((p.device for p in (*encoder.parameters(), *encoder.buffers())), torch.device("cpu"))
    spoilt = []
    with _directly(encoder):
        for before in (True, False):
            line = torch.full((whole,), 0.5, device=device)
            edge = middle if before else middle + odd
            line[slice(0, edge) if before else slice(edge, whole)] = math.nan
            strip = line[:, None].expand(whole, thin) if axis == 0 else line[None].expand(thin, whole)
            maps = encoder(strip.expand(1, 3, -1, -1).contiguous(), taps)
            seen = [
                _beyond(encoder.stride(tap), found.amax((0, 1, 3 - axis)), edge, before) for tap, found in maps.items()
            ]
            if None in seen:
                return None
            spoilt.append(max(s for s in seen if s is not None))
    return spoilt[0], spoilt[1]


def _beyond(stride: int, line: Tensor, edge: int, before: bool) -> int | None:
    """Pixels from the edge of what is not a number to where the first feature lies that does not see it."""
    clean = line.isfinite().nonzero().flatten().tolist()
    if not clean or clean != list(range(clean[0], clean[-1] + 1)):
        return None
    if before:
        return max(0, clean[0] * stride - edge) if clean[-1] == len(line) - 1 else None
    return max(0, edge - (clean[-1] + 1) * stride) if clean[0] == 0 else None


@contextmanager
def _directly(encoder: Encoder) -> Iterator[None]:
    """Winograd's convolutions computed pixel by pixel: in tiles, one number spoils sixteen."""

    def convolve(module: nn.Module, args: Any, found: Tensor) -> Tensor:
        assert isinstance(module, WinogradConv)  # noqa: S101 - nothing else is hooked
        return module.directly(args[0])

    hooks = [m.register_forward_hook(convolve) for m in encoder.modules() if isinstance(m, WinogradConv)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
