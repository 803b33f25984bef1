"""How a picture will be painted, whatever the loss: the sizes from coarse to fine, the steps at each, the optimiser."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from impasto import machine
from impasto.errors import LimitError
from impasto.image import resize
from impasto.online.lbfgs import memory_of_pairs
from impasto.online.options import OnlineOptions, Optimizer, Quality
from impasto.online.sight import Sight
from impasto.online.tiles import window_side
from impasto.picture import Pixels

Size = tuple[int, int]

FACTOR = 2.0
"""From one scale to the next."""

SMALLEST = 128
"""Long side of the coarsest scale; below it the deepest layers see no shapes any more."""

MAPS_KEPT = 1.1
"""Memory over that of one copy of every map, measured on VGG-19 in float32, at once and in tiles."""

FIXED = 900
"""Bytes a pixel for what is the same with every encoder, measured on EfficientNet-Lite0."""

CANVAS = 16 * 12
"""Bytes a pixel that tiles do not save: photo, painting and result, and what the optimiser works on besides pairs."""

TILES = (1024, 768, 512, 384, 256)
"""Sides of a tile, in pixels, of which the largest is taken that fits: smaller ones overlap more."""

TILED = 2.5
"""Time of a step in tiles over one at once: two passes, and what tiles overlap."""

ENOUGH = 5.2e9
"""Bytes that a run in tiles takes even where there are more, which would save a fifth of its time."""

SHARE = 0.75
"""Part of the free memory that a run takes where tiles can do with less: there is other work on the machine."""

STEPS: dict[Quality, int] = {"draft": 21, "good": 104, "best": 300}

FINAL_SHARE: dict[Quality, float] = {"draft": 0.25, "good": 0.4, "best": 0.6}
"""Part of the steps that are made at the result's size, where each of them costs most."""


@dataclass(frozen=True)
class Scale:
    """One stage of coarse-to-fine painting.

    Attributes:
        size: (width, height).
        steps: how many at this size.
        turn: which loss at this size it is, from 0, where the loss is made anew every some steps.
    """

    size: Size
    steps: int
    turn: int = 0


@dataclass(frozen=True)
class Plan:
    """How to paint, whatever the loss.

    Attributes:
        scales: from coarse to fine; the last is the result's size.
        optimizer: "lbfgs" or "adam".
        rate: Adam's step size.
        preview_every: steps between previews, 0 for none.
        every: steps after which the loss is made anew; None for once a scale.
        resize: how the picture goes from one scale to the next.
        tile: pixels of a tile's side, for scales that are too large to be seen at once; None where none is.
        whole: pixels of the largest canvas that is seen at once; only read where there are tiles.
        at_once: long side of the largest result that would need none; likewise.
    """

    scales: tuple[Scale, ...]
    optimizer: Optimizer = "lbfgs"
    rate: float = 0.02
    preview_every: int = 0
    every: int | None = None
    resize: Callable[[Pixels, Size], Pixels] = resize
    tile: int | None = None
    whole: int = 0
    at_once: int = 0

    @property
    def steps(self) -> int:
        """Steps at all scales."""
        return sum(s.steps for s in self.scales)

    def tile_at(self, size: Size) -> int | None:
        """The side of a tile on a canvas of (width, height); None where it is seen at once."""
        return self.tile if size[0] * size[1] > self.whole else None

    def work(self, size: Size) -> float:
        """What a step on a canvas of (width, height) costs, in pixels that are seen at once."""
        return size[0] * size[1] * (TILED if self.tile_at(size) else 1)

    def rounds(self) -> Iterator[Scale]:
        """The scales, in pieces of `every` steps: one loss each."""
        for scale in self.scales:
            most = self.every or scale.steps
            for turn, made in enumerate(range(0, scale.steps, most)):
                yield Scale(scale.size, min(most, scale.steps - made), turn)


def plan(size: Size, options: OnlineOptions, sight: Sight, *, every: int | None = None) -> Plan:
    """The plan for a result of (width, height), with no scale too small for the layers that look at it.

    Args:
        size: (width, height) of the result.
        options: steps or quality, scales, optimiser, previews.
        sight: what looks.
        every: steps after which the loss is made anew; None for once a scale.

    Raises:
        LimitError: when the result is too large for this machine's memory, or too small for the layers.
    """
    tile = fitting_tile(size, sight, options.optimizer)
    least = max(sight.encoder.layer(tap).least for tap in (*sight.style, *sight.content))
    if min(size) < least:
        fits = math.ceil(max(size) * least / min(size))
        raise LimitError(f"{size[0]}x{size[1]} is too small for {sight.encoder.name}'s layers; mend: --size {fits}")
    return Plan(
        ladder(
            size,
            options.steps or STEPS[options.quality],
            options.scales,
            least=least,
            final=FINAL_SHARE[options.quality],
        ),
        optimizer=options.optimizer,
        preview_every=options.preview_every,
        every=every,
        tile=tile,
        whole=whole_beside(size, sight, options.optimizer, tile) if tile else 0,
        at_once=largest(size, sight, options.optimizer, SHARE * (machine.available_memory() or 0)) if tile else 0,
    )


def fitting_tile(size: Size, sight: Sight, optimizer: Optimizer) -> int | None:
    """How a result of (width, height) goes into this machine's memory: None for at once, or the side of its tiles.

    Raises:
        LimitError: when it does not; names a size that does.
    """
    free = machine.available_memory()
    if free is None or memory(size, sight, optimizer) <= SHARE * free:
        return None
    taps = (*sight.style, *sight.content)
    if taps and window_side(sight.encoder, taps, TILES[-1]) is not None:
        for tile in TILES:
            if memory(size, sight, optimizer, tile) <= min(SHARE * free, ENOUGH):
                return tile
        if memory(size, sight, optimizer, TILES[-1]) <= free:
            return TILES[-1]
    if memory(size, sight, optimizer) <= free:
        return None
    least = memory(size, sight, optimizer, TILES[-1])
    raise LimitError(
        f"painting {size[0]}x{size[1]} takes {least / 1e9:.3g} GB of memory, {max(free, 0) / 1e9:.3g} GB are free; "
        f"mend: --size {largest(size, sight, optimizer, free, tile=TILES[-1])}"
    )


def largest(size: Size, sight: Sight, optimizer: Optimizer, free: float, *, tile: int | None = None) -> int:
    """The long side, in steps of 16 pixels, of the largest picture of this shape that `free` bytes suffice for."""
    most = range(1, max(size) // 16 + 1)
    taken = bisect_right(most, free, key=lambda n: memory(_shrunk(size, 16 * n), sight, optimizer, tile))
    return 16 * max(1, taken)


def whole_beside(size: Size, sight: Sight, optimizer: Optimizer, tile: int) -> int:
    """Pixels of the largest canvas that takes no more memory at once than the result does in tiles."""
    most = memory(size, sight, optimizer, tile)
    return bisect_right(range(size[0] * size[1]), most, key=lambda n: memory((n, 1), sight, optimizer)) - 1


def memory(size: Size, sight: Sight, optimizer: Optimizer, tile: int | None = None) -> float:
    """Bytes that painting takes.

    Args:
        size: (width, height) of the canvas.
        sight: what looks.
        optimizer: what remembers.
        tile: side of the tiles that it is seen in; None for at once. Encoders that cannot be tiled are never.
    """
    pixels = size[0] * size[1]
    taps = (*sight.style, *sight.content)
    side = window_side(sight.encoder, taps, tile) if tile and taps else None
    seen = pixels if side is None else min(side, size[0]) * min(side, size[1])
    canvas = pixels * (CANVAS + _targets(sight)) + (memory_of_pairs(3 * pixels) if optimizer == "lbfgs" else 0)
    return seen * bytes_per_pixel(sight) + canvas


def bytes_per_pixel(sight: Sight) -> float:
    """Memory that a look takes, with its gradient: every map up to the deepest tap."""
    maps = 0.0
    waiting = {*sight.style, *sight.content}
    for name in sight.encoder.layers:
        maps += sight.encoder.channels(name) / sight.encoder.stride(name) ** 2
        waiting.discard(name)
        if not waiting:
            break
    return MAPS_KEPT * maps * _item(sight) + FIXED - CANVAS


def _targets(sight: Sight) -> float:
    """Bytes a pixel of the photo's maps, which the content loss keeps."""
    encoder = sight.encoder
    return sum(encoder.channels(tap) / encoder.stride(tap) ** 2 for tap in sight.content) * _item(sight)


def _item(sight: Sight) -> int:
    return next((p.element_size() for p in sight.encoder.parameters()), 4)


def ladder(
    size: Size, steps: int, count: int | None = None, *, least: int = 1, final: float = FINAL_SHARE["best"]
) -> tuple[Scale, ...]:
    """Scales from coarse to fine, each `FACTOR` larger than the one before.

    Args:
        size: (width, height) of the result.
        steps: steps at all scales.
        count: how many scales; as many as there are from `SMALLEST` on when not given.
        least: pixels that a scale's shorter side must have; scales below are left out.
        final: part of the steps that are made at the result's size.
    """
    natural = 1 + max(0, math.floor(math.log(max(size) / SMALLEST, FACTOR) + 1e-6)) if max(size) > SMALLEST else 1
    deepest = 1 + max(0, math.floor(math.log(max(min(size) / least, 1), FACTOR) + 1e-6))
    count = min(count or natural, deepest, steps)
    each = min(max(1, round(steps * (1 - final) / (count - 1))), (steps - 1) // (count - 1)) if count > 1 else 0
    sides = [max(size) / FACTOR**i for i in range(count - 1, 0, -1)]
    return (*(Scale(_shrunk(size, side), each) for side in sides), Scale(size, steps - each * (count - 1)))


def _shrunk(size: Size, side: float) -> Size:
    return max(1, round(size[0] * side / max(size))), max(1, round(size[1] * side / max(size)))
