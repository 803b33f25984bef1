"""How a picture will be painted, whatever the loss: the sizes from coarse to fine, the steps at each, the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from impasto.errors import LimitError
from impasto.image import resize
from impasto.online.memory import NOTHING, Kept, Memory, shrunk
from impasto.online.options import STEPS, OnlineOptions, Optimizer, Quality
from impasto.online.sight import Sight
from impasto.picture import Pixels

Size = tuple[int, int]

FACTOR = 2.0
"""From one scale to the next."""

SMALLEST = 128
"""Long side of the coarsest scale; below it the deepest layers see no shapes any more."""

ANY_SIZE = 10_000
"""Pixels whose time a step takes even if there are none: what is called once, whatever the size (gatys, 2 cores)."""

TILED = 2.5
"""Time of a step in tiles over one at once: two passes, and what tiles overlap."""

FINAL_SHARE: dict[Quality, float] = {"draft": 0.25, "good": 0.4, "best": 0.7}
"""Part of the steps that are made at the result's size, where each of them costs most."""

HALVED, LEAST_PART = 0.5, 0.25
"""Steps of each coarse scale over those of the coarser one before it, and over those of the coarsest at least."""


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
        return ANY_SIZE + size[0] * size[1] * (TILED if self.tile_at(size) else 1)

    def rounds(self) -> Iterator[Scale]:
        """The scales, in pieces of at most `every` steps, none much shorter than another: one loss each."""
        for scale in self.scales:
            count = math.ceil(scale.steps / self.every) if self.every else 1
            for turn in range(count):
                yield Scale(scale.size, (turn + 1) * scale.steps // count - turn * scale.steps // count, turn)


def plan(
    size: Size,
    options: OnlineOptions,
    sight: Sight,
    *,
    every: int | None = None,
    kept: Kept = NOTHING,
    tiles: bool = True,
) -> Plan:
    """The plan for a result of (width, height), with no scale too small for the layers that look at it.

    Args:
        size: (width, height) of the result.
        options: steps or quality, scales, optimiser, previews.
        sight: what looks.
        every: steps after which the loss is made anew; None for once a scale.
        kept: what the loss takes besides the photo's content maps.
        tiles: whether the loss can be seen in tiles.

    Raises:
        LimitError: when the result is too large for this machine's memory, or too small for the layers.
    """
    memory = Memory(sight, options.optimizer, kept, tiles)
    tile = memory.fitting_tile(size)
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
        whole=memory.whole_beside(size, tile) if tile else 0,
        at_once=memory.at_once(size) if tile else 0,
    )


def ladder(
    size: Size, steps: int, count: int | None = None, *, least: int = 1, final: float = FINAL_SHARE["best"]
) -> tuple[Scale, ...]:
    """Scales from coarse to fine, each `FACTOR` larger than the one before.

    Args:
        size: (width, height) of the result.
        steps: steps at all scales; of the coarse ones, the coarsest gets most.
        count: how many scales; as many as there are from `SMALLEST` on when not given.
        least: pixels that a scale's shorter side must have; scales below are left out.
        final: part of the steps that are made at the result's size.
    """
    natural = 1 + max(0, math.floor(math.log(max(size) / SMALLEST, FACTOR) + 1e-6)) if max(size) > SMALLEST else 1
    deepest = 1 + max(0, math.floor(math.log(max(min(size) / least, 1), FACTOR) + 1e-6))
    count = min(count or natural, deepest, steps)
    sides = [max(size) / FACTOR**i for i in range(count - 1, 0, -1)]
    coarse = _shared(round(steps * (1 - final)), steps - 1, len(sides))
    return (
        *(Scale(shrunk(size, side), made) for side, made in zip(sides, coarse, strict=True)),
        Scale(size, steps - sum(coarse)),
    )


def _shared(steps: int, most: int, count: int) -> list[int]:
    """About so many steps for `count` coarse scales, the coarsest first; at least one each, at most `most` in all."""
    parts = [max(HALVED**i, LEAST_PART) for i in range(count)]
    shared: list[int] = []
    for i, part in enumerate(parts):
        rest = most - sum(shared) - (count - 1 - i)  # of which each scale after this one needs a step
        shared.append(min(max(1, round(steps * part / sum(parts))), rest))
    return shared
