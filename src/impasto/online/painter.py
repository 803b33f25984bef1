"""The one pixel optimiser: from coarse to fine, it changes a picture until a loss agrees with it.

A method says what the loss is at a given size; the painter does the rest: scales, optimiser, progress, previews, time
left, recovery, and the best picture so far when somebody asks to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event as StopSignal

import numpy as np
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.events import Done, Event, Notice, Preview, Progress
from impasto.losses import Loss
from impasto.machine import kept_memory
from impasto.online.adam import Adam
from impasto.online.evaluation import Evaluation, evaluate
from impasto.online.lbfgs import Lbfgs
from impasto.online.plan import Plan, Scale, Size
from impasto.online.sight import Sight
from impasto.picture import Picture, Pixels

LossAt = Callable[[Scale, Pixels], Loss]
"""A stage, and the picture so far at its size -> the loss there."""

Search = Lbfgs | Adam


class Clock:
    """Seconds since the start, and an estimate of those left: a step's time grows with its pixels, and with tiles."""

    def __init__(self, plan: Plan) -> None:
        self._start = time.monotonic()
        self._plan = plan
        self._work_left = sum(s.steps * plan.work(s.size) for s in plan.scales)
        self._work_done = 0.0

    def tick(self, scale: Scale, steps: int) -> None:
        """A step at `scale` is over, and with it so many of the plan's: more than one when the rest is dropped."""
        work = self._plan.work(scale.size)
        self._work_done += work
        self._work_left -= steps * work

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
        if earlier and earlier[0] != scale.size:  # of another shape: nothing but memory taken
            earlier = search = known = None
        pixels = plan.resize(pixels, scale.size)
        evaluation = evaluate(sight.encoder, loss_at(scale, pixels), plan, scale.size)
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
        pixels = plan.resize(pixels, content.size)
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
