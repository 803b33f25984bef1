"""Adam for pixels: bounded to [0, 1], with an average of the iterates as the result."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from impasto.online.lbfgs import Evaluate, SearchState

BETAS = (0.9, 0.99)
AVERAGE = 0.98
"""Decay of the average of iterates, which takes out Adam's grain (as in K. Crowson's style-transfer-pytorch)."""


class Adam:
    """Kingma and Ba 2015, on pixels in [0, 1].

    Args:
        start: pixels, any shape, float32; not changed.
        evaluate: pixels -> (loss, gradient).
        rate: step size, in the pixels' own unit.
        known: an earlier search on pixels of this shape, whose loss was much like this one: its moments are taken over.

    Attributes:
        x: the average of the iterates so far.
        loss: the loss of the newest iterate.
        recovered: how many gradients were not finite and were left out.
        stalled: never; Adam always walks on.
    """

    def __init__(self, start: Tensor, evaluate: Evaluate, *, rate: float = 0.02, known: Adam | None = None) -> None:
        self._newest = start.clamp(0, 1)
        self._evaluate = evaluate
        self._rate = rate
        self._mean: Tensor = known._mean if known else torch.zeros_like(start)
        self._square: Tensor = known._square if known else torch.zeros_like(start)
        self._steps: int = known._steps if known else 0
        self._sum, self._weight = torch.zeros_like(start), 0.0
        self.loss = math.inf
        self.recovered = 0
        self.stalled = False

    @property
    def x(self) -> Tensor:
        """The average of the iterates, or the start before the first step."""
        return self._sum / self._weight if self._weight else self._newest

    def step(self) -> float:
        """One evaluation. Returns the loss of the pixels it was made at."""
        loss, gradient = self._evaluate(self._newest)
        if not math.isfinite(loss) or not bool(gradient.isfinite().all()):
            self.recovered += 1
            self._mean.zero_()
            return self.loss
        self._steps += 1
        self.loss = loss
        b1, b2 = BETAS
        self._mean.lerp_(gradient, 1 - b1)
        self._square.lerp_(gradient.square(), 1 - b2)
        spread = (self._square / (1 - b2**self._steps)).sqrt_().add_(1e-12)
        self._newest = (self._newest - self._rate / (1 - b1**self._steps) * self._mean / spread).clamp_(0, 1)
        self._sum.mul_(AVERAGE).add_(self._newest)
        self._weight = self._weight * AVERAGE + 1
        return self.loss

    def state(self) -> SearchState:
        """All that it knows, for `load_state`."""
        tensors = {"newest": self._newest, "mean": self._mean, "square": self._square, "sum": self._sum}
        values = {"loss": self.loss, "weight": self._weight, "steps": self._steps, "recovered": self.recovered}
        return SearchState(tensors, values)

    def load_state(self, state: SearchState, *, elsewhere: bool = False) -> None:
        """Goes on from where another search, begun with the same pixels and loss, stood.

        Args:
            state: the other's, on the device of this one.
            elsewhere: whether its loss was rounded another way; nothing here depends on it.

        Raises:
            KeyError: when parts are missing.
            ValueError: when it is of pixels of another shape.
        """
        tensors, values = state.tensors, state.values
        if not state.fits(self._newest):
            raise ValueError("the state is of a picture of another size")
        self._newest, self._sum = tensors["newest"], tensors["sum"]
        self._mean, self._square = tensors["mean"], tensors["square"]
        self.loss, self._weight = float(values["loss"]), float(values["weight"])
        self._steps, self.recovered = int(values["steps"]), int(values["recovered"])
