"""The one pixel optimiser: from coarse to fine, it changes a picture until a loss agrees with it.

A method says what the loss is at a given size; the painter does the rest: scales, optimiser, progress, previews, time
left, recovery, and the best picture so far when somebody asks to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event as StopSignal

import numpy as np
from torch import Tensor

from impasto.encoders.encoder import Encoder, StagedEncoder
from impasto.errors import ImpastoError
from impasto.events import Done, Event, Notice, Preview, Progress
from impasto.losses import Loss
from impasto.machine import kept_memory
from impasto.online.adam import Adam
from impasto.online.checkpoint import Checkpoint, Stand, where
from impasto.online.clock import Clock
from impasto.online.deferred import DeferredEvaluation, border_of
from impasto.online.evaluation import Evaluation, TiledEvaluation
from impasto.online.lbfgs import Lbfgs
from impasto.online.plan import Plan, Scale, Size
from impasto.online.sight import Sight
from impasto.picture import Picture, Pixels

LossAt = Callable[[Scale, Pixels], Loss]
"""A stage, and the picture so far at its size -> the loss there."""

Search = Lbfgs | Adam


def paint_pixels(
    content: Picture,
    start: Pixels,
    plan: Plan,
    sight: Sight,
    loss_at: LossAt,
    *,
    stop: StopSignal,
    checkpoint: Checkpoint | None = None,
) -> Iterator[Event]:
    """Optimises pixels from coarse to fine.

    Args:
        content: the photo at the result's size; alpha and metadata of the result come from it.
        start: where to begin, (H, W, 3) of any size.
        plan: scales, optimiser, previews.
        sight: what the loss's taps are read with.
        loss_at: what to optimise; asked once a scale, or every `plan.every` steps.
        stop: set to end with the best picture so far.
        checkpoint: where the state is kept; what it holds already is gone on from, exactly.

    Yields:
        Progress after each step, Preview as asked, Notice on recoveries, and Done.

    Raises:
        OptionError: when the checkpoint is damaged.
    """
    with kept_memory():
        painting = _Painting(start, plan, sight, loss_at, stop, checkpoint)
        yield from painting.run(content)


class _Painting:
    """A run: where it stands, and what it goes on with."""

    def __init__(
        self,
        start: Pixels,
        plan: Plan,
        sight: Sight,
        loss_at: LossAt,
        stop: StopSignal,
        checkpoint: Checkpoint | None,
    ) -> None:
        found, plan = checkpoint.load(plan, sight) if checkpoint else (None, plan)
        self._at = found or Stand(start)
        self._pixels, self._saved = self._at.painted, self._at.done
        self._plan, self._sight, self._loss_at = plan, sight, loss_at
        self._stop, self._checkpoint, self._clock = stop, checkpoint, Clock(plan)

    def run(self, content: Picture) -> Iterator[Event]:
        """All events."""
        yield from self._greeting()
        if not self._at.finished:
            yield from self._coarse_to_fine()
        pixels, clock, at = self._pixels, self._clock, self._at
        if pixels.shape != content.pixels.shape:
            pixels = self._plan.resize(pixels, content.size)
        stopped = not at.finished and self._stop.is_set() and at.done < self._plan.steps
        yield Done(content.with_pixels(pixels), clock.seconds, at.terms, stopped=stopped)

    def _greeting(self) -> Iterator[Notice]:
        """What there is to say of the checkpoint that the run goes on from."""
        at, here = self._at, where(self._sight, self._plan)
        if not self._checkpoint or not at.done:
            return
        path = self._checkpoint.path
        if at.finished:
            yield Notice(f"{path} holds the picture of this run, which is finished; delete it to paint anew")
            return
        yield Notice(f"goes on after step {at.done} of {self._plan.steps} from {path}")
        if at.where != here:
            yield Notice(f"it was begun with {at.where}; {here} rounds another way from here on")

    def _coarse_to_fine(self) -> Iterator[Event]:
        earlier: tuple[Size, Search] | None = None
        at, last = self._at, None
        for number, scale in enumerate(self._plan.rounds()):
            if number < at.round:
                self._clock.skip_round(scale)
                continue
            self._clock.begin(scale)
            if earlier and earlier[0] != scale.size:  # of another shape: nothing but memory taken
                earlier = last = None
            if number > at.round:
                at.round, at.made = number, 0
            at.painted = self._pixels = self._plan.resize(self._pixels, scale.size)
            evaluation = evaluate(self._sight.encoder, self._loss_at(scale, at.painted), self._plan, scale.size)
            try:
                last = self._begin(scale, evaluation, earlier[1] if earlier else None)
            except ImpastoError as error:
                if not at.done:
                    raise
                yield Notice(f"{error}; kept what was painted before {scale.size[0]}x{scale.size[1]}", "warning")
                return
            self._go_on(scale, last, evaluation)
            self._clock.ready(scale)
            yield from self._steps(scale, last, evaluation)
            yield from _remarks(last, scale)
            self._pixels, earlier = to_pixels(last.x), (scale.size, last)
            if self._stop.is_set() and at.done < self._plan.steps:
                return
        yield from self._finish()

    def _begin(self, scale: Scale, evaluation: Evaluation, known: Search | None) -> Search:
        """A search from where the round began, which knows what an earlier one at this size learnt of the curvature."""
        start, plan = self._sight.tensor(self._at.painted), self._plan
        if plan.optimizer == "adam":
            return Adam(start, evaluation, rate=plan.rate, known=known if isinstance(known, Adam) else None)
        return Lbfgs(start, evaluation, known=known if isinstance(known, Lbfgs) else None)

    def _go_on(self, scale: Scale, search: Search, evaluation: Evaluation) -> None:
        """Brings a search that has begun to where the one before the interruption stood."""
        at = self._at
        if not at.search or not self._checkpoint:
            return
        if isinstance(search, Adam):
            evaluation(search.x)  # some losses hold on to what they saw first; L-BFGS has just shown it
        elsewhere = at.where != where(self._sight, self._plan)
        self._checkpoint.restore(search, evaluation, at.search, elsewhere=elsewhere)
        self._clock.skip(scale, scale.steps if search.stalled else at.made)
        at.search = None

    def _steps(self, scale: Scale, search: Search, evaluation: Evaluation) -> Iterator[Event]:
        """The rest of a round."""
        at, clock, plan = self._at, self._clock, self._plan
        at.terms = at.terms if at.made else evaluation.terms or at.terms
        while at.made < scale.steps and not self._stop.is_set() and not search.stalled:
            if at.made == scale.steps - 1:
                evaluation.look_next()
            search.step()
            at.made += 1
            at.done += 1
            if evaluation.terms["total"] == search.loss:  # those of the picture that is kept, not of one taken back
                at.terms = evaluation.terms
            clock.tick(scale, 1 if not search.stalled else scale.steps - at.made + 1)
            yield Progress(at.done, plan.steps, scale.size, at.terms, clock.seconds, clock.seconds_left)
            if plan.preview_every and at.done % plan.preview_every == 0:
                yield Preview(at.done, Picture(to_pixels(search.x)))
            if self._checkpoint and self._checkpoint.due:
                yield from self._save(search, evaluation)
        if self._stop.is_set():
            yield from self._save(search, evaluation)

    def _save(self, search: Search, evaluation: Evaluation) -> Iterator[Notice]:
        """Keeps the state, when there is more than was kept before."""
        if not self._checkpoint or self._at.done == self._saved:
            return
        state = search.state() | evaluation.state()
        at = replace(self._at, search=state, where=where(self._sight, self._plan))
        if trouble := self._checkpoint.save(at, self._plan):
            yield trouble
        self._saved = self._at.done

    def _finish(self) -> Iterator[Notice]:
        """Keeps the result in place of the state: who delivers it may yet be killed."""
        if not self._checkpoint:
            return
        at = replace(self._at, painted=self._pixels, search=None, finished=True)
        if trouble := self._checkpoint.save(at, self._plan):
            yield trouble


def evaluate(encoder: Encoder, loss: Loss, plan: Plan, size: Size) -> Evaluation:
    """The loss as a function of a canvas of (width, height), seen at once or in tiles as the plan says.

    L-BFGS compares what it is told and so can be told of surprises; Adam looks at everything in every step.

    Raises:
        LimitError: when a later, larger canvas will have to be seen in tiles, and cannot be.
    """
    if plan.tile is None:
        border = border_of(encoder, loss) if plan.optimizer == "lbfgs" else None
        if border and isinstance(encoder, StagedEncoder):
            return DeferredEvaluation(encoder, loss, border)
        return Evaluation(encoder, loss)
    tiled = TiledEvaluation(encoder, loss, tile=plan.tile, mend=f"--size {plan.at_once}")
    return tiled if plan.tile_at(size) else Evaluation(encoder, loss)


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
