"""What every loss promises. A new loss subclasses `LossTests` and fills in `make`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.losses import IMAGE, Loss, TotalVariation, sum_of

DEVICES = ["meta", "cuda"] if torch.cuda.is_available() else ["meta"]
"""On "meta" nothing is computed, but a constant that was left on the CPU is still found out."""


class LossTests:
    """Base of every loss's tests.

    Attributes:
        tap: where the loss reads.
        shape: (B, C, H, W) of features to try.
    """

    tap = "relu"
    shape: tuple[int, int, int, int] = (2, 4, 5, 3)

    def make(self, target: Tensor) -> Loss:
        """A loss that is 0 at these features (B, C, H, W), which are `self.target()`'s."""
        raise NotImplementedError

    def target(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Features of `shape` at which the loss is 0."""
        return self.random(1).to(dtype)

    def random(self, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Other features of `shape`, in [0, 1)."""
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)

    def value(self, loss: Loss, features: Tensor) -> Tensor:
        found: Tensor = loss({self.tap: features})
        return found

    def test_zero_at_its_target(self) -> None:
        target = self.target()
        assert self.value(self.make(target), target).item() == 0

    @pytest.mark.parametrize("seed", range(2, 6))
    def test_positive_elsewhere(self, seed: int) -> None:
        assert self.value(self.make(self.target()), self.random(seed)).item() > 1e-4

    def test_is_a_float32_scalar_of_its_tap_alone(self) -> None:
        loss = self.make(self.target())
        value = self.value(loss, self.random(2))
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert loss.taps == (self.tap,)

    def differentiated(self, loss: Loss, at: Tensor) -> Callable[[Tensor], Tensor]:
        """The function of features whose gradient the loss's is; one that holds part of itself says so here."""
        return lambda x: self.value(loss, x)

    def test_gradient_is_right(self) -> None:
        loss = self.make(self.target(torch.float64))
        features = self.random(2, torch.float64).requires_grad_()
        function = self.differentiated(loss, features.detach())
        torch.testing.assert_close(function(features), self.value(loss, features))
        assert torch.autograd.gradcheck(function, (features,))
        gradients = [torch.autograd.grad(f(features), features)[0] for f in (function, lambda x: self.value(loss, x))]
        torch.testing.assert_close(*gradients)

    def test_a_small_step_down_the_gradient_comes_nearer(self) -> None:
        loss = self.make(self.target(torch.float64))
        features = self.random(2, torch.float64).requires_grad_()
        before = self.value(loss, features)
        (gradient,) = torch.autograd.grad(before, features)
        assert self.value(loss, features - 1e-3 * gradient / gradient.norm()) < before

    def test_batch_is_the_mean_of_a_loop(self) -> None:
        loss = self.make(self.target()[:1])
        features = torch.cat([self.random(2), self.random(3)])
        alone = [self.value(loss, sample[None]) for sample in features]
        torch.testing.assert_close(self.value(loss, features), torch.stack(alone).mean())

    def test_half_precision_features_give_a_float32_loss(self) -> None:
        features = self.random(2, torch.bfloat16).requires_grad_()
        target = self.target(torch.bfloat16)
        value = self.value(self.make(target), features)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, self.value(self.make(target.float()), features.float()))
        value.backward()
        assert features.grad is not None
        assert features.grad.dtype == torch.bfloat16
        assert features.grad.isfinite().all()

    def test_double_precision_stays(self) -> None:
        exact = self.value(self.make(self.target(torch.float64)), self.random(2, torch.float64))
        assert exact.dtype == torch.float64
        torch.testing.assert_close(exact.float(), self.value(self.make(self.target()), self.random(2)))

    @pytest.mark.parametrize("device", DEVICES)
    def test_device(self, device: str) -> None:
        loss = self.make(self.target()).to(device)
        assert self.value(loss, self.random(2).to(device)).device.type == device

    def test_target_is_no_weight(self) -> None:
        """Nothing to train, nothing in a checkpoint, and no graph behind the target."""
        loss = self.make(self.target().requires_grad_())
        assert not list(loss.parameters())
        assert not loss.state_dict()
        assert not any(buffer.requires_grad for buffer in loss.buffers())

    def test_memory_order_does_not_matter(self) -> None:
        features = self.random(2)
        loss = self.make(self.target())
        last = features.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(self.value(loss, last), self.value(loss, features))

    def test_adds_and_scales(self) -> None:
        first, second = self.make(self.target()), TotalVariation()
        features = {self.tap: self.random(2), IMAGE: self.random(3)}
        both = 3 * first + 0.5 * second
        torch.testing.assert_close(both(features), 3 * first(features) + 0.5 * second(features))
        assert set(both.taps) == {self.tap, IMAGE}

    def test_terms_sum_to_the_loss(self) -> None:
        first = self.make(self.target())
        features = {self.tap: self.random(2)}
        terms = first.terms(features)
        assert set(terms) == {first.label}
        torch.testing.assert_close(sum_of(terms), first(features))
        twice = (2 * first + 3 * first).terms(features)
        assert set(twice) == {first.label}
        torch.testing.assert_close(twice[first.label], 5 * first(features))

    def test_one_position(self) -> None:
        """Maps of 1x1, as a deep layer makes of a small picture."""
        here, there = self.random(2)[..., :1, :1], self.random(3)[..., :1, :1]
        loss = self.make(here)
        assert self.value(loss, here).item() == 0
        assert self.value(loss, there).isfinite()
