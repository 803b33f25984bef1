"""A loss as a function of pixels: all of them at once, or tile by tile with the same result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.errors import LimitError
from impasto.losses import IMAGE, Additive, Loss, Scaled, Sum, sum_of
from impasto.online.lbfgs import SearchState
from impasto.online.tiles import Window, add, window_side, windows

LOOK = 1.5
"""A tile's side where no gradient is wanted over its side where one is: about as much memory."""


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

    @property
    def pending(self) -> bool:
        """Whether the newest call left something out."""
        return False

    def surprise(self, pixels: Tensor) -> float:
        """By how much what was said of earlier pixels has turned out too low in the newest call."""
        return 0.0

    def look_next(self) -> None:
        """Leaves nothing out in the next call."""

    def state(self) -> SearchState:
        """What the next call depends on."""
        return SearchState({}, {})

    def load_state(self, state: SearchState) -> None:
        """Goes on from where another evaluation of the same loss stood."""


class TiledEvaluation(Evaluation):
    """`Evaluation` with the maps of one tile in memory at a time, and exactly its result.

    An additive loss is a function of sums over positions. A first pass adds them up over all tiles; their gradients
    follow from the whole picture's sums; a second pass takes these back through each tile. That is half as much work
    again, and what tiles overlap.

    Args:
        encoder: a chain of layers that each look only so far.
        loss: a sum of additive losses, and of losses that read the picture itself.
        tile: pixels of a tile's side, at most.
        mend: what to do where tiles are no help, for the error's message.

    Raises:
        LimitError: when encoder or loss have to see the whole picture at once.
    """

    def __init__(self, encoder: Encoder, loss: Loss, *, tile: int, mend: str = "a smaller --size") -> None:
        super().__init__(encoder, loss)
        self._tile = tile
        self._parts: list[tuple[float, Additive]] = []
        self._plain: list[Loss] = []
        for weight, leaf in leaves(loss):
            if leaf.taps == (IMAGE,):
                self._plain.append(weight * leaf)
            elif isinstance(leaf, Additive) and IMAGE not in leaf.taps:
                self._parts.append((weight, leaf))
            else:
                raise LimitError(f"this method has to see the whole picture, which does not fit; mend: {mend}")
        if self._taps and window_side(encoder, self._taps, tile) is None:
            raise LimitError(f"{encoder.name} has to see the whole picture, which does not fit; mend: {mend}")

    def __call__(self, pixels: Tensor) -> tuple[float, Tensor]:
        """(loss, gradient) at pixels of shape (1, 3, H, W)."""
        size = pixels.shape[2], pixels.shape[3]
        seen = windows(self._encoder, self._taps, size, self._tile) or []
        if len(seen) <= 1:
            return super().__call__(pixels)
        pixels = pixels.detach()
        terms, gradient = self._of_picture(pixels)
        steering, found = self._of_sums(self._add_up(pixels))
        for name, value in found.items():
            terms[name] = terms.get(name, 0.0) + value
        for window in seen:
            self._take_back(window, pixels, steering, gradient)
        self.terms = {**terms, "total": sum(terms.values())}
        return self.terms["total"], gradient

    def _of_picture(self, pixels: Tensor) -> tuple[dict[str, float], Tensor]:
        """Terms that read the picture itself, and their gradient."""
        if not self._plain:
            return {}, torch.zeros_like(pixels, memory_format=torch.contiguous_format)
        pixels = pixels.requires_grad_()
        terms = Sum(self._plain).terms({IMAGE: pixels})
        (gradient,) = torch.autograd.grad(sum_of(terms), pixels)
        pixels.requires_grad_(False)
        return {name: float(term.detach()) for name, term in terms.items()}, gradient.contiguous()

    @torch.no_grad()
    def _add_up(self, pixels: Tensor) -> list[tuple[Tensor, ...]]:
        """Each additive loss's sums over the whole picture."""
        size = pixels.shape[2], pixels.shape[3]
        added: list[tuple[Tensor, ...]] = []
        found: list[tuple[Tensor, ...]] = []
        for window in windows(self._encoder, self._taps, size, int(LOOK * self._tile)) or []:
            maps, places = window.inside(self._encoder, self._encoder(window.cut(pixels), self._taps))
            found = [leaf.sums(maps, places) for _, leaf in self._parts]
            added = [add(a, f) for a, f in zip(added, found, strict=True)] if added else [add((), f) for f in found]
        return [tuple(s.to(f) for s, f in zip(*pair, strict=True)) for pair in zip(added, found, strict=True)]

    def _of_sums(self, added: list[tuple[Tensor, ...]]) -> tuple[list[tuple[Tensor | None, ...]], dict[str, float]]:
        """The gradient of the loss with respect to each sum, and its terms."""
        steering: list[tuple[Tensor | None, ...]] = []
        terms: dict[str, float] = {}
        for (weight, leaf), sums in zip(self._parts, added, strict=True):
            known = [s.requires_grad_() for s in sums]
            value = weight * leaf.of_sums(*known)
            steering.append(torch.autograd.grad(value, known, allow_unused=True))
            terms[leaf.label] = terms.get(leaf.label, 0.0) + float(value.detach())
        return steering, terms

    def _take_back(
        self, window: Window, pixels: Tensor, steering: list[tuple[Tensor | None, ...]], gradient: Tensor
    ) -> None:
        """Adds to the gradient what the sums' gradients mean for one window."""
        seen = window.cut(pixels).clone().requires_grad_()
        maps, places = window.inside(self._encoder, self._encoder(seen, self._taps))
        sums, grads = [], []
        for (_, leaf), wanted in zip(self._parts, steering, strict=True):
            for s, g in zip(leaf.sums(maps, places), wanted, strict=True):
                if s.requires_grad and g is not None:
                    sums.append(s)
                    grads.append(g)
        del maps
        window.cut(gradient).add_(torch.autograd.grad(sums, seen, grads)[0])


def leaves(loss: Loss, weight: float = 1.0) -> Iterator[tuple[float, Loss]]:
    """The losses that a sum is made of, each with its weight."""
    if isinstance(loss, Scaled):
        yield from leaves(loss.loss, weight * loss.weight)
    elif isinstance(loss, Sum):
        for part in loss.losses:
            assert isinstance(part, Loss)  # noqa: S101 - nn.ModuleList has forgotten its type
            yield from leaves(part, weight)
    else:
        yield weight, loss
