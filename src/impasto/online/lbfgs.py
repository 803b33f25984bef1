"""L-BFGS for pixels: bounded to [0, 1], one evaluation a step, and never a step uphill, as far as it is told.

Nocedal and Wright, Numerical Optimization, algorithm 7.4, with changes that painting asks for. Pixels live in a
box: those at its edge whose gradient points outside are left out of the step (Bertsekas 1982), so that what is
optimised is what can be saved. A trial point that is worse, or not finite, is taken back and the step shortened. When
nothing improves any more, it says so instead of walking on. And the first guess at the curvature is a smoothing
filter, not a multiple of the identity: a loss on pictures is far stiffer for fine detail than for large shapes, and
knowing that saves about a quarter of the steps. A long memory and a bold guess save about a fifth of what is left.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from impasto.errors import ImpastoError

Evaluate = Callable[[Tensor], tuple[float, Tensor]]
"""Pixels -> (loss, gradient)."""


@runtime_checkable
class Deferring(Protocol):
    """An `Evaluate` that may go by a model for some calls, and tells what became of it."""

    @property
    def pending(self) -> bool:
        """Whether the newest call left something out."""

    def surprise(self, pixels: Tensor) -> float:
        """By how much what was said of earlier pixels has turned out too low in the newest call."""

    def look_next(self) -> None:
        """Leaves nothing out in the next call."""


HISTORY, LEAST_HISTORY, FEWEST = 100, 20, 3
"""Pairs of steps and gradient changes to remember, each as large as two pictures: as many as fit into `MEMORY`."""

MEMORY, MOST_MEMORY = 512 << 20, 1 << 30
"""Bytes for all pairs; where `LEAST_HISTORY` of them take more, those too; where these do, no more than `FEWEST`."""

BOLD, KNOWN = 2.0, 10
"""The first guess at the inverse curvature over their equation 7.20, which is led by the stiffest of what was seen:
bold once `KNOWN` pairs keep the stiff directions in check."""

SHORTEN = 0.25
COARSE, FALL = 0.1, 2.0
"""The filter 1 / (COARSE + f) ** FALL, f in cycles a pixel."""

PATIENCE = 12
"""Worse trial points in a row before the search counts as stalled; after each third of them it trusts less of what it
knows."""


def pairs_kept(numbers: int) -> int:
    """How many pairs a search over so many float32 numbers remembers: the same on every machine."""
    pair = 2 * 4 * numbers
    return max(FEWEST, min(LEAST_HISTORY, MOST_MEMORY // pair), min(HISTORY, MEMORY // pair))


def memory_of_pairs(numbers: int) -> int:
    """Bytes of the pairs that a search over so many numbers remembers, at most; fewer numbers never take more."""
    pair = 2 * 4 * numbers
    return max(FEWEST * pair, min(LEAST_HISTORY * pair, MOST_MEMORY), min(HISTORY * pair, MEMORY))


@dataclass(frozen=True, eq=False)
class SearchState:
    """A search between two steps: with it, one that has begun at the same pixels goes on as this one would.

    Attributes:
        tensors: those that it holds, not copies.
        values: its numbers.
    """

    tensors: dict[str, Tensor]
    values: dict[str, float]

    def __or__(self, other: SearchState) -> SearchState:
        """What both know."""
        return SearchState(self.tensors | other.tensors, self.values | other.values)

    def fits(self, pixels: Tensor) -> bool:
        """Whether it is of a search over pixels of this shape."""
        return all(found.shape == pixels.shape and found.dtype == pixels.dtype for found in self.tensors.values())


class Lbfgs:
    """Minimises a function of pixels in [0, 1].

    Args:
        start: pixels, (..., H, W), or any numbers (N,); float32; not changed.
        evaluate: pixels -> (loss, gradient).
        history: pairs of steps and gradient changes to remember; `pairs_kept` says how many if not given.
        known: an earlier search on pixels of this shape, whose loss was much like this one: its pairs are taken over.

    Attributes:
        x: the best pixels so far.
        loss: their loss.
        recovered: how many trial points were not finite and were taken back.
        stalled: True when no direction leads downhill any more.
    """

    def __init__(
        self, start: Tensor, evaluate: Evaluate, *, history: int | None = None, known: Lbfgs | None = None
    ) -> None:
        self.x = start.clamp(0, 1)
        self._evaluate = evaluate
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(
            known._pairs if known else (), maxlen=pairs_kept(start.numel()) if history is None else history
        )
        self.loss, self._gradient = evaluate(self.x)
        if not math.isfinite(self.loss):
            raise ImpastoError(
                "the loss of the starting picture is not finite; mend: --precision fp32, or another --init"
            )
        self._direction: Tensor | None = None
        self._filter: Tensor | None = None
        self._length = 1.0
        self._failures = 0
        self.recovered = 0
        self.stalled = False

    def step(self) -> float:
        """One evaluation. Returns the best loss so far; it rises only by what a deferring loss had hidden."""
        if self.stalled:
            return self.loss
        if self._direction is None:
            self._direction = self._search_direction()
            if not bool(self._direction.any()):
                self.stalled = True
                return self.loss
            self._length = 1.0 if self._pairs else min(1.0, 0.02 / float(self._direction.abs().mean().clamp_min(1e-30)))
        trial = torch.add(self.x, self._direction, alpha=self._length).clamp_(0, 1)
        loss, gradient = self._evaluate(trial)
        if math.isfinite(loss) and bool(gradient.isfinite().all()):
            if isinstance(self._evaluate, Deferring):
                self.loss += self._evaluate.surprise(self.x)  # both losses by one measure
            self._remember(trial, gradient)
            if loss < self.loss:
                self.x, self.loss, self._gradient = trial, loss, gradient
                self._direction, self._failures = None, 0
                return self.loss
        else:
            self.recovered += 1
        self._take_back()
        return self.loss

    def state(self) -> SearchState:
        """All that it knows, for `load_state`."""
        tensors = {"x": self.x, "gradient": self._gradient}
        if self._direction is not None:
            tensors["direction"] = self._direction
        values = {"loss": self.loss, "length": self._length, "failures": self._failures, "stalled": self.stalled}
        values |= {"recovered": self.recovered, "pairs": len(self._pairs)}
        for number, (s, y, rho) in enumerate(self._pairs):
            tensors |= {f"s {number}": s, f"y {number}": y}
            values[f"rho {number}"] = rho
        return SearchState(tensors, values)

    def load_state(self, state: SearchState, *, elsewhere: bool = False) -> None:
        """Goes on from where another search, begun with the same pixels and loss, stood.

        Args:
            state: the other's, on the device of this one.
            elsewhere: whether its loss was rounded another way, so that it must not be compared with those to come.

        Raises:
            KeyError: when parts are missing.
            ValueError: when it is of pixels of another shape.
        """
        tensors, values = state.tensors, state.values
        if not state.fits(self.x):
            raise ValueError("the state is of a picture of another size")
        self.x, self._gradient, self._direction = tensors["x"], tensors["gradient"], tensors.get("direction")
        self._pairs.clear()
        for n in range(int(values["pairs"])):
            self._pairs.append((tensors[f"s {n}"], tensors[f"y {n}"], float(values[f"rho {n}"])))
        self.loss, self._length = float(values["loss"]), float(values["length"])
        self._failures, self.recovered = int(values["failures"]), int(values["recovered"])
        self.stalled = bool(values["stalled"])
        if elsewhere:
            self.loss, self._gradient = self._evaluate(self.x)

    def _take_back(self) -> None:
        """Shortens the step; after a few in vain forgets all curvature but the newest, then that too, and gives up."""
        self._failures += 1
        self._length *= SHORTEN
        if self._failures in (PATIENCE // 3, 2 * PATIENCE // 3):
            kept = 1 if self._failures == PATIENCE // 3 else 0  # the newest says how long a step should be, or misleads
            while len(self._pairs) > kept:
                self._pairs.popleft()
            self._direction = None
            if isinstance(self._evaluate, Deferring) and self._evaluate.pending:  # it may have been the model's fault
                self._evaluate.look_next()
                self.loss, self._gradient = self._evaluate(self.x)
        self.stalled = self._failures >= PATIENCE

    def _remember(self, trial: Tensor, gradient: Tensor) -> None:
        s, y = trial - self.x, gradient - self._gradient
        curvature = float(torch.dot(s.flatten(), y.flatten()))
        if curvature > 1e-10 * float(y.norm()) * float(s.norm()):
            self._pairs.append((s, y, 1 / curvature))

    def _search_direction(self) -> Tensor:
        """The two-loop recursion, on the pixels that are free to move."""
        free = ~(((self.x <= 0) & (self._gradient > 0)) | ((self.x >= 1) & (self._gradient < 0)))
        q = self._gradient * free
        if not self._pairs:
            return self._smooth(q).mul_(free).neg_()
        kept = []
        for s, y, rho in reversed(self._pairs):
            a = rho * float(torch.dot(s.flatten(), q.flatten()))
            q.sub_(y, alpha=a)
            kept.append(a)
        s, y, rho = self._pairs[-1]
        boldness = BOLD if len(self._pairs) >= KNOWN else 1.0
        scale = boldness / (rho * float(torch.dot(y.flatten(), self._smooth(y).flatten())))
        q = self._smooth(q).mul_(scale)
        for (s, y, rho), a in zip(self._pairs, reversed(kept), strict=True):
            q.add_(s, alpha=a - rho * float(torch.dot(y.flatten(), q.flatten())))
        q.mul_(free)
        if float(torch.dot(q.flatten(), self._gradient.flatten())) <= 0:  # not downhill once the edges are left out
            self._pairs.clear()
            return -self._gradient * free
        return q.neg_()

    def _smooth(self, pixels: Tensor) -> Tensor:
        """The first guess at the inverse curvature, up to a factor: symmetric and positive, so steps stay downhill."""
        if pixels.ndim < 2:  # no neighbours to agree with
            return pixels.clone()
        if self._filter is None:
            down = torch.fft.fftfreq(pixels.shape[-2], device=pixels.device)[:, None]
            across = torch.fft.rfftfreq(pixels.shape[-1], device=pixels.device)
            self._filter = (COARSE + torch.hypot(down, across)) ** -FALL
            self._filter /= self._filter.mean()
        smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(pixels).mul_(self._filter), s=pixels.shape[-2:])
        return smooth
