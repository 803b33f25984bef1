"""The one pixel optimiser: from coarse to fine, it changes a picture until a loss agrees with it.

A method says what the loss is at a given size; the painter does the rest: scales, optimiser, progress, previews, time
left, recovery, and the best picture so far when somebody asks to stop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Event as StopSignal

import numpy as np
import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.errors import ImpastoError, LimitError
from impasto.events import Done, Event, Notice, Preview, Progress
from impasto.image import resize
from impasto.losses import IMAGE, Loss, sum_of
from impasto.machine import check_memory, kept_memory
from impasto.online.adam import Adam
from impasto.online.lbfgs import LEAST_HISTORY, Lbfgs, longer_memory
from impasto.online.options import OnlineOptions, Optimizer, Quality
from impasto.online.sight import Sight
from impasto.picture import Picture, Pixels

Size = tuple[int, int]
LossAt = Callable[[Size, Pixels], Loss]
"""(width, height) of the canvas, and the picture so far at that size -> the loss there."""

Search = Lbfgs | Adam

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
    """One stage of coarse-to-fine painting: so many steps at this (width, height)."""

    size: Size
    steps: int


@dataclass(frozen=True)
class Plan:
    """How to paint, whatever the loss.

    Attributes:
        scales: from coarse to fine; the last is the result's size.
        optimizer: "lbfgs" or "adam".
        rate: Adam's step size.
        preview_every: steps between previews, 0 for none.
        every: steps after which the loss is made anew; None for once a scale.
    """

    scales: tuple[Scale, ...]
    optimizer: Optimizer = "lbfgs"
    rate: float = 0.02
    preview_every: int = 0
    every: int | None = None

    @property
    def steps(self) -> int:
        """Steps at all scales."""
        return sum(s.steps for s in self.scales)

    def rounds(self) -> Iterator[Scale]:
        """The scales, in pieces of `every` steps: one loss each."""
        for scale in self.scales:
            most = self.every or scale.steps
            yield from (Scale(scale.size, min(most, scale.steps - made)) for made in range(0, scale.steps, most))


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


class Evaluation:
    """A loss as a function of pixels, as optimisers want it: one encoder pass for all its taps, forward and back.

    Attributes:
        terms: the terms of the newest evaluation, and "total".
    """

    def __init__(self, encoder: Encoder, loss: Loss) -> None:
        self._encoder, self._loss = encoder, loss
        self._taps = [tap for tap in loss.taps if tap != IMAGE]
        self.terms: Mapping[str, float] = {}

    def __call__(self, pixels: Tensor) -> tuple[float, Tensor]:
        """(loss, gradient) at pixels of shape (1, 3, H, W)."""
        pixels = pixels.detach().requires_grad_()
        terms = self._loss.terms({**self._encoder(pixels, self._taps), IMAGE: pixels})
        total = sum_of(terms)
        (gradient,) = torch.autograd.grad(total, pixels)
        self.terms = {**{name: float(term.detach()) for name, term in terms.items()}, "total": float(total.detach())}
        return self.terms["total"], gradient.contiguous()


class Clock:
    """Seconds since the start, and an estimate of those left: a step's time grows with its pixels."""

    def __init__(self, plan: Plan) -> None:
        self._start = time.monotonic()
        self._work_left = sum(s.steps * s.size[0] * s.size[1] for s in plan.scales)
        self._work_done = 0

    def tick(self, scale: Scale, steps: int) -> None:
        """A step at `scale` is over, and with it so many of the plan's: more than one when the rest is dropped."""
        pixels = scale.size[0] * scale.size[1]
        self._work_done += pixels
        self._work_left -= steps * pixels

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    @property
    def seconds_left(self) -> float:
        """At the rate so far."""
        return self.seconds * self._work_left / self._work_done if self._work_done else 0.0


def paint_pixels(
    content: Picture,
    start: Pixels,
    plan: Plan,
    sight: Sight,
    loss_at: LossAt,
    *,
    stop: StopSignal,
) -> Iterator[Event]:
    """Optimises pixels from coarse to fine.

    Args:
        content: the photo at the result's size; alpha and metadata of the result come from it.
        start: where to begin, (H, W, 3) of any size.
        plan: scales, optimiser, previews.
        sight: what the loss's taps are read with.
        loss_at: what to optimise; asked once a scale, or every `plan.every` steps.
        stop: set to end with the best picture so far.

    Yields:
        Progress after each step, Preview as asked, Notice on recoveries, and Done.
    """
    with kept_memory():
        yield from _coarse_to_fine(content, start, plan, sight, loss_at, stop)


def _coarse_to_fine(
    content: Picture,
    start: Pixels,
    plan: Plan,
    sight: Sight,
    loss_at: LossAt,
    stop: StopSignal,
) -> Iterator[Event]:
    clock, pixels, done = Clock(plan), start, 0
    terms: Mapping[str, float] = {}
    earlier: tuple[Size, Search] | None = None
    for scale in plan.rounds():
        pixels = resize(pixels, scale.size)
        evaluation = Evaluation(sight.encoder, loss_at(scale.size, pixels))
        known = earlier[1] if earlier and earlier[0] == scale.size else None
        try:
            search = _begin(plan, sight.tensor(pixels), evaluation, known)
        except ImpastoError as error:
            if not done:
                raise
            yield Notice(f"{error}; kept what was painted before {scale.size[0]}x{scale.size[1]}", "warning")
            break
        terms, made = evaluation.terms or terms, 0
        while made < scale.steps and not stop.is_set() and not search.stalled:
            search.step()
            made += 1
            done += 1
            if evaluation.terms["total"] == search.loss:  # those of the picture that is kept, not of one taken back
                terms = evaluation.terms
            clock.tick(scale, 1 if not search.stalled else scale.steps - made + 1)
            yield Progress(done, plan.steps, scale.size, terms, clock.seconds, clock.seconds_left)
            if plan.preview_every and done % plan.preview_every == 0:
                yield Preview(done, Picture(to_pixels(search.x)))
        yield from _remarks(search, scale)
        pixels, earlier = to_pixels(search.x), (scale.size, search)
        if stop.is_set():
            break
    if pixels.shape != content.pixels.shape:
        pixels = resize(pixels, content.size)
    yield Done(content.with_pixels(pixels), clock.seconds, terms, stopped=stop.is_set() and done < plan.steps)


def _begin(plan: Plan, start: Tensor, evaluation: Evaluation, known: Search | None) -> Search:
    """A search from `start` on, which knows what an earlier one at this size learnt about the curvature."""
    if plan.optimizer == "adam":
        return Adam(start, evaluation, rate=plan.rate, known=known if isinstance(known, Adam) else None)
    return Lbfgs(start, evaluation, known=known if isinstance(known, Lbfgs) else None)


def _remarks(search: Search, scale: Scale) -> Iterator[Notice]:
    if search.recovered:
        count = f"{search.recovered} step{'s' if search.recovered > 1 else ''}"
        yield Notice(f"{count} at {scale.size[0]}x{scale.size[1]} gave no finite loss and were taken back", "warning")
    if search.stalled:
        yield Notice(f"nothing left to improve at {scale.size[0]}x{scale.size[1]}")


def to_pixels(image: Tensor) -> Pixels:
    """(1, 3, H, W) to (H, W, 3), float32 in [0, 1]."""
    array: Pixels = image.detach()[0].permute(1, 2, 0).clamp(0, 1).float().cpu().numpy()
    return np.ascontiguousarray(array)
