"""A loss as a function of pixels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.losses import IMAGE, Loss, sum_of


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
