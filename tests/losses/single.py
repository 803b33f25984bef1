"""What losses promise that take one picture at a time."""

from __future__ import annotations

import pytest
import torch

from impasto.errors import OptionError

from .base import LossTests


class SingleTests(LossTests):
    """`LossTests` of a loss whose matches are a picture's own."""

    shape = (1, 4, 7, 6)

    def test_batch_is_the_mean_of_a_loop(self) -> None:
        loss = self.make(self.target())
        with pytest.raises(OptionError, match="one picture at a time"):
            self.value(loss, torch.cat([self.random(2), self.random(3)]))

    @pytest.mark.parametrize("level", [0.0, 0.5])
    def test_flat_and_empty_maps_have_a_finite_value_and_gradient(self, level: float) -> None:
        flat = torch.full(self.shape, level, requires_grad=True)
        here = self.random(2).requires_grad_()
        for loss, features in ((self.make(self.target()), flat), (self.make(flat.detach()), here)):
            value = self.value(loss, features)
            (gradient,) = torch.autograd.grad(value, features)
            assert value.isfinite()
            assert gradient.isfinite().all()
        assert self.value(self.make(flat.detach()), flat).item() == 0
