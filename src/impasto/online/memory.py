"""What painting takes of this machine's memory, before it starts: whole, or seen in tiles."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from impasto.encoders.device import free_memory
from impasto.errors import LimitError
from impasto.online.lbfgs import memory_of_pairs
from impasto.online.options import Optimizer
from impasto.online.sight import Sight
from impasto.online.tiles import window_side

Size = tuple[int, int]

MAPS_KEPT = 1.1
"""Memory over that of one copy of every map, measured on VGG-19 in float32, at once and in tiles."""

DEFERRED = 20
"""Bytes of a number in the map of the style's last layer but one, where what lies beyond is deferred: two copies are
kept, three more are worked on."""

FIXED = 900
"""Bytes a pixel for what is the same with every encoder, measured on EfficientNet-Lite0."""

CANVAS = 16 * 12
"""Bytes a pixel that tiles do not save: photo, painting and result, and what the optimiser works on besides pairs."""

WORK = 1.5e8
"""Bytes whatever the size: what libraries work in, measured."""

LOOK = 900
"""Bytes a pixel that looking at a painting takes, besides the maps that are wanted of it; see `sight.WHOLE`."""

PIXEL = 12
"""Bytes of one in float32."""

TILES = (1024, 768, 512, 384, 256)
"""Sides of a tile, in pixels, of which the largest is taken that fits: smaller ones overlap more."""

ENOUGH = 5.2e9
"""Bytes that a run in tiles takes even where there are more, which would save a fifth of its time."""

SHARE = 0.75
"""Part of the free memory that a run takes where tiles can do with less: there is other work on the machine."""


@dataclass(frozen=True)
class Kept:
    """Bytes that a loss takes besides the photo's content maps, in tiles or not.

    Attributes:
        canvas: for each pixel of the canvas, in a step.
        style: for each pixel of every painting, as large as it is seen.
        reading: for each pixel of the largest painting: what is made of one at a time, and gone before the first step.
        bank: whatever the sizes.
    """

    canvas: float = 0.0
    style: float = 0.0
    reading: float = 0.0
    bank: float = 0.0

    def beside(self, scale: float, paintings: int) -> Kept:
        """The same, all for a pixel of the canvas: each painting has its area, times `scale` each way."""
        seen = scale**2 * paintings * (self.style + PIXEL)
        return Kept(canvas=seen + max(self.canvas, scale**2 * self.reading), bank=self.bank)

    def with_styles(self, pixels: Sequence[int]) -> Kept:
        """The same with paintings of so many pixels each, whatever the canvas."""
        seen = sum(pixels) * (self.style + PIXEL) + max(pixels) * self.reading
        return Kept(canvas=self.canvas, bank=self.bank + seen)


NOTHING = Kept()


@dataclass(frozen=True)
class Memory:
    """What painting with a loss takes, for canvases of one shape.

    Attributes:
        sight: what looks.
        optimizer: what remembers.
        kept: what the loss takes besides; of the paintings what `Kept.beside` or `Kept.with_styles` made of them.
        tiles: whether the loss can be seen in tiles, if the encoder can: all of it is sums over positions.
    """

    sight: Sight
    optimizer: Optimizer
    kept: Kept = NOTHING
    tiles: bool = True

    def of(self, size: Size, tile: int | None = None) -> float:
        """Bytes that painting takes.

        Args:
            size: (width, height) of the canvas.
            tile: side of the tiles that it is seen in; None for at once. What cannot be tiled never is.
        """
        tile = tile if self._tiled else None
        pixels = size[0] * size[1]
        side = window_side(self.sight.encoder, self._taps, tile) if tile else None
        seen = pixels if side is None else min(side, size[0]) * min(side, size[1])
        content = bytes_of_maps(self.sight, self.sight.content)
        pairs = memory_of_pairs(3 * pixels) if self.optimizer == "lbfgs" else 0
        deferred = 0.0 if tile or self.optimizer != "lbfgs" else self._deferred()
        kept = pixels * self.kept.canvas + self.kept.bank + WORK
        return seen * self._seen() + pixels * (CANVAS + content + deferred) + kept + pairs

    def fitting_tile(self, size: Size) -> int | None:
        """How a result of (width, height) goes into this machine: None for at once, or the side of its tiles.

        Raises:
            LimitError: when it does not; names a size that does.
        """
        free = free_memory(self.sight.device)
        if free is None or self.of(size) <= SHARE * free:
            return None
        if self._tiled:
            for tile in TILES:
                if self.of(size, tile) <= min(SHARE * free, ENOUGH):
                    return tile
            if self.of(size, TILES[-1]) <= free:
                return TILES[-1]
        if self.of(size) <= free:
            return None
        least, fits = self.of(size, TILES[-1]), self.largest(size, free, tile=TILES[-1])
        possible = self.of(shrunk(size, fits), TILES[-1]) <= free
        raise LimitError(
            f"painting {size[0]}x{size[1]} takes {least / 1e9:.3g} GB of memory, {max(free, 0) / 1e9:.3g} GB are free; "
            f"mend: {f'--size {fits}' if possible else 'free some memory, or a smaller --style-scale'}"
        )

    def largest(self, size: Size, free: float, *, tile: int | None = None) -> int:
        """The long side, in steps of 16 pixels, of the largest canvas of this shape that `free` bytes suffice for."""
        most = range(1, max(size) // 16 + 1)
        return 16 * max(1, bisect_right(most, free, key=lambda n: self.of(shrunk(size, 16 * n), tile)))

    def at_once(self, size: Size) -> int:
        """The long side of the largest canvas of this shape that would need no tiles."""
        return self.largest(size, SHARE * (free_memory(self.sight.device) or 0))

    def whole_beside(self, size: Size, tile: int) -> int:
        """Pixels of the largest canvas that takes no more memory at once than the result does in tiles."""
        most = self.of(size, tile)
        return bisect_right(range(size[0] * size[1]), most, key=lambda n: self.of((n, 1))) - 1

    @property
    def _tiled(self) -> bool:
        """Whether loss and encoder can be seen in tiles."""
        taps = self._taps
        return self.tiles and bool(taps) and window_side(self.sight.encoder, taps, TILES[-1]) is not None

    @property
    def _taps(self) -> tuple[str, ...]:
        return (*self.sight.style, *self.sight.content)

    def _deferred(self) -> float:
        """Bytes a pixel that the model of the deepest layers takes, if there is one; see `deferred.border_of`."""
        encoder, border = self.sight.encoder, self.sight.style[-2:-1]
        return DEFERRED * math.fsum(encoder.channels(tap) / encoder.stride(tap) ** 2 for tap in border)

    def _seen(self) -> float:
        """Bytes a pixel that a look takes, with its gradient: every map up to the deepest tap."""
        encoder, waiting, passed = self.sight.encoder, set(self._taps), []
        for name in encoder.layers:
            passed.append(name)
            waiting.discard(name)
            if not waiting:
                break
        return MAPS_KEPT * bytes_of_maps(self.sight, passed) + FIXED - CANVAS


def bytes_of_maps(sight: Sight, taps: Iterable[str]) -> float:
    """Bytes for each pixel of a picture that its feature maps at `taps` take."""
    encoder = sight.encoder
    item = next((p.element_size() for p in encoder.parameters()), 4)
    return item * math.fsum(encoder.channels(tap) / encoder.stride(tap) ** 2 for tap in taps)


def shrunk(size: Size, side: float) -> Size:
    """(width, height) with a long side of `side`."""
    return max(1, round(size[0] * side / max(size))), max(1, round(size[1] * side / max(size)))
