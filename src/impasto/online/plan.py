"""How a picture will be painted, whatever the loss: the sizes from coarse to fine, the steps at each, the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from impasto.errors import LimitError
from impasto.image import resize
from impasto.machine import check_memory
from impasto.online.lbfgs import LEAST_HISTORY, longer_memory
from impasto.online.options import OnlineOptions, Optimizer, Quality
from impasto.online.sight import Sight
from impasto.picture import Pixels

Size = tuple[int, int]

FACTOR = 2.0
"""From one scale to the next."""

SMALLEST = 128
"""Long side of the coarsest scale; below it the deepest layers see no shapes any more."""

MAPS_KEPT = 1.8
"""Memory over that of one copy of every tapped map, measured on VGG-19 at 512 px."""

FIXED = 900
"""Bytes a pixel for what is the same with every encoder, measured on EfficientNet-Lite0."""

STEPS: dict[Quality, int] = {"draft": 30, "good": 90, "best": 300}

FINAL_SHARE = 0.6
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
    """

    scales: tuple[Scale, ...]
    optimizer: Optimizer = "lbfgs"
    rate: float = 0.02
    preview_every: int = 0
    every: int | None = None
    resize: Callable[[Pixels, Size], Pixels] = resize

    @property
    def steps(self) -> int:
        """Steps at all scales."""
        return sum(s.steps for s in self.scales)

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
    check_fits(size, sight, options.optimizer)
    least = max(sight.encoder.layer(tap).least for tap in (*sight.style, *sight.content))
    if min(size) < least:
        fits = math.ceil(max(size) * least / min(size))
        raise LimitError(f"{size[0]}x{size[1]} is too small for {sight.encoder.name}'s layers; mend: --size {fits}")
    return Plan(
        ladder(size, options.steps or STEPS[options.quality], options.scales, least=least),
        optimizer=options.optimizer,
        preview_every=options.preview_every,
        every=every,
    )


def check_fits(size: Size, sight: Sight, optimizer: Optimizer) -> None:
    """Refuses a result of (width, height) that is too large for this machine's memory.

    Raises:
        LimitError: names a size that fits.
    """
    longer = longer_memory(3 * size[0] * size[1]) if optimizer == "lbfgs" else 0
    check_memory(size, bytes_per_pixel(sight, optimizer), besides=longer)


def bytes_per_pixel(sight: Sight, optimizer: Optimizer) -> float:
    """Memory that painting takes: every map up to the deepest tap with its gradient, and the optimiser's least."""
    maps = 0.0
    waiting = {*sight.style, *sight.content}
    for name in sight.encoder.layers:
        maps += sight.encoder.channels(name) / sight.encoder.stride(name) ** 2
        waiting.discard(name)
        if not waiting:
            break
    item = next((p.element_size() for p in sight.encoder.parameters()), 4)
    pixels = 3 * 4 * (2 * LEAST_HISTORY + 8 if optimizer == "lbfgs" else 12)
    return MAPS_KEPT * maps * item + pixels + FIXED


def ladder(size: Size, steps: int, count: int | None = None, *, least: int = 1) -> tuple[Scale, ...]:
    """Scales from coarse to fine, each `FACTOR` larger than the one before.

    Args:
        size: (width, height) of the result.
        steps: steps at all scales.
        count: how many scales; as many as there are from `SMALLEST` on when not given.
        least: pixels that a scale's shorter side must have; scales below are left out.
    """
    natural = 1 + max(0, math.floor(math.log(max(size) / SMALLEST, FACTOR) + 1e-6)) if max(size) > SMALLEST else 1
    deepest = 1 + max(0, math.floor(math.log(max(min(size) / least, 1), FACTOR) + 1e-6))
    count = min(count or natural, deepest, steps)
    each = max(1, round(steps * (1 - FINAL_SHARE) / (count - 1))) if count > 1 else 0
    sides = [max(size) / FACTOR**i for i in range(count - 1, 0, -1)]
    return (*(Scale(_shrunk(size, side), each) for side in sides), Scale(size, steps - each * (count - 1)))


def _shrunk(size: Size, side: float) -> Size:
    return max(1, round(size[0] * side / max(size))), max(1, round(size[1] * side / max(size)))
