"""Deep layers that are looked at now and then; between two looks the loss goes on along their gradient.

What lies beyond the last but one of the style's layers takes a third of a step's arithmetic, and has the least news
from one step to the next. Its part of the loss is therefore replaced by a first-order model in the features of the last
layer before it, which every step computes anyway. Each look tells how far off the model was, and so for how long the
next one may be trusted, as in trust regions (Nocedal and Wright, Numerical Optimization, algorithm 4.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder, StagedEncoder
from impasto.losses import IMAGE, Additive, ContentLoss, Loss, Sum, sum_of, widen
from impasto.online.evaluation import Evaluation, leaves
from impasto.online.lbfgs import SearchState

LONGEST = 16
"""Evaluations from one look to the next, at most."""

SHALLOW = 4
"""Pixels from one feature to the next below which a layer is no border: beyond it, every step has news."""

RIGHT, WRONG = 0.05, 0.15
"""How far off the model's slope may be, over that of the whole loss there, to be trusted twice as long; and half. With
the paper's weights of Gatys it is off by a hundredth after 16 calls, in a texture from noise by half after one."""


@dataclass(frozen=True, eq=False)
class Model:
    """The deep layers' part of the loss near a picture that they have seen.

    Attributes:
        seen: what it was there, by label.
        features: the last shallow layer's map there.
        slope: its gradient with respect to that map.
        label: of the term that the change since then is counted with.
    """

    seen: Mapping[str, float]
    features: Tensor
    slope: Tensor
    label: str

    def terms(self, features: Tensor) -> dict[str, Tensor]:
        """The terms at another map, by label."""
        change = (widen(self.slope) * (widen(features) - widen(self.features))).sum()
        return {n: change + seen if n == self.label else change.new_tensor(seen) for n, seen in self.seen.items()}


class DeferredEvaluation(Evaluation):
    """`Evaluation` whose deepest layers are looked at every few calls.

    Args:
        encoder: a chain of layers.
        loss: a sum.
        border: the last layer that is looked at in every call; see `border_of`.
    """

    def __init__(self, encoder: StagedEncoder, loss: Loss, border: str) -> None:
        super().__init__(encoder, loss)
        parts = list(leaves(loss))
        beyond = set(_beyond(encoder, border))
        self._near = Sum([weight * leaf for weight, leaf in parts if not beyond & set(leaf.taps)])
        self._deep = Sum([weight * leaf for weight, leaf in parts if beyond & set(leaf.taps)])
        self._label = max((leaf for _, leaf in parts), key=lambda leaf: _depth(encoder, leaf)).label
        self._chain, self._border = encoder, border
        self._near_taps = [tap for tap in dict.fromkeys((*self._near.taps, border)) if tap != IMAGE]
        self._model: Model | None = None
        self._at: Tensor | None = None
        self._error: tuple[Tensor, float] | None = None
        self._pause, self._calls = 1, 0

    @property
    def pending(self) -> bool:
        """Whether the newest call went by what the deep layers had said earlier."""
        return self._calls > 0

    def __call__(self, pixels: Tensor) -> tuple[float, Tensor]:
        """(loss, gradient) at pixels of shape (1, 3, H, W)."""
        pixels = pixels.detach().requires_grad_()
        maps = {**self._chain(pixels, self._near_taps), IMAGE: pixels}
        terms, features = self._near.terms(maps), maps[self._border]
        looks = self._model is None or self._calls + 1 >= self._pause
        model = self._look(features) if looks or self._model is None else self._model
        for name, term in model.terms(features).items():
            terms[name] = terms[name] + term if name in terms else term
        total = sum_of(terms)
        gradient, slope = torch.autograd.grad(total, [pixels, features])
        self.terms = {**{name: float(term.detach()) for name, term in terms.items()}, "total": float(total.detach())}
        self._error, self._calls = None, self._calls + 1
        if looks and math.isfinite(self.terms["total"]):  # else it is taken back, and the next call looks again
            self._learn(model, pixels.detach(), features.detach(), slope)
        return self.terms["total"], gradient.contiguous()

    def _learn(self, now: Model, pixels: Tensor, features: Tensor, slope: Tensor) -> None:
        """How good the model before was, and so how long the next one is to serve.

        Where a search has come near the bottom, what the layers before and beyond the border ask for all but cancels
        out: what counts is how far the slope was off beside the slope of everything.
        """
        before, since = self._model, self._at
        self._model, self._at, self._calls = now, pixels, 0
        if before is None or since is None:
            return
        error = float(sum_of(now.terms(features)) - sum_of(before.terms(features)))
        self._error = since, error / max(float((pixels - since).square().sum()), 1e-30)
        off = float(widen(now.slope - before.slope).norm() / widen(slope).norm().clamp_min(1e-30))
        if off <= RIGHT:
            self._pause = min(2 * self._pause, LONGEST)
        elif off > WRONG:
            self._pause = max(self._pause // 2, 1)

    def surprise(self, pixels: Tensor) -> float:
        """An error of first order grows with the square of the way from where the model was exact."""
        if self._error is None:
            return 0.0
        since, rate = self._error
        return rate * float((pixels - since).square().sum())

    def _look(self, features: Tensor) -> Model:
        """What the deep layers say of what the border passes on to them."""
        features = features.detach().requires_grad_()
        terms = self._deep.terms(self._chain.onward(features, self._border, self._deep.taps))
        (slope,) = torch.autograd.grad(sum_of(terms), features)
        return Model(
            {name: float(term.detach()) for name, term in terms.items()}, features.detach(), slope, self._label
        )

    def look_next(self) -> None:
        """The next call looks at everything."""
        self._calls = LONGEST

    def state(self) -> SearchState:
        """What its next call depends on."""
        numbers: dict[str, float] = {"pause": self._pause, "calls": self._calls}
        if self._at is None:
            return SearchState({}, numbers)
        return SearchState({"looked at": self._at.clone()}, numbers)  # it may be the search's own picture

    def load_state(self, state: SearchState) -> None:
        """Goes on from where another evaluation of the same loss stood."""
        self._at = state.tensors["looked at"]
        with torch.no_grad():
            features = self._chain(self._at, [self._border])[self._border]
        self._model = self._look(features)
        self._pause, self._calls = int(state.values["pause"]), int(state.values["calls"])


def border_of(encoder: Encoder, loss: Loss) -> str | None:
    """The style's last layer but one, where what lies beyond it may be deferred; None where it may not.

    It has to be a chain of layers, and what looks beyond the border must look at nothing before it, and change
    smoothly: sums over positions do, matches of patches do not.
    """
    if not isinstance(encoder, StagedEncoder):
        return None
    parts = [leaf for _, leaf in leaves(loss)]
    style = {tap for leaf in parts for tap in leaf.taps if leaf.label != ContentLoss.label and tap != IMAGE}
    ordered = sorted(style, key=encoder.layers.index)
    if len(ordered) < 2 or encoder.stride(ordered[-2]) < SHALLOW:
        return None
    beyond = set(_beyond(encoder, ordered[-2]))
    deep = [leaf for leaf in parts if beyond & set(leaf.taps)]
    return ordered[-2] if all(isinstance(leaf, Additive) and set(leaf.taps) <= beyond for leaf in deep) else None


def _beyond(encoder: Encoder, border: str) -> tuple[str, ...]:
    return encoder.layers[encoder.layers.index(border) + 1 :]


def _depth(encoder: Encoder, leaf: Loss) -> int:
    return max((encoder.layers.index(tap) for tap in leaf.taps if tap != IMAGE), default=-1)
