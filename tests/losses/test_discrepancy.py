"""Maximum mean discrepancy, with each kernel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.errors import OptionError
from impasto.losses import (
    DiscrepancyLoss,
    GramLoss,
    Loss,
    gram_matrix,
    kernel_discrepancy,
    kernel_statistics,
    median_bandwidth,
)
from impasto.losses.parametric.discrepancy import POSITIONS, Kernel

from .base import LossTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel", ["linear", "polynomial", "gaussian"])
class TestDiscrepancyLoss(LossTests):
    @pytest.fixture(autouse=True)
    def _kernel(self, kernel: Kernel) -> None:
        self.kernel: Kernel = kernel

    def make(self, target: Tensor) -> Loss:
        return DiscrepancyLoss(self.tap, target, kernel=self.kernel)

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        moved = features.flatten(2)[..., torch.randperm(15)].view(self.shape)
        assert self.value(self.make(features), moved).item() == pytest.approx(0, abs=1e-6)

    def test_painting_may_have_another_size(self) -> None:
        assert self.value(self.make(random(1, 4, 9, 8)), random(1, 4, 3, 5)).item() > 0

    def test_relative_is_1_for_nothing(self) -> None:
        loss = DiscrepancyLoss(self.tap, self.target(), kernel=self.kernel, relative=True)
        assert self.value(loss, torch.zeros(self.shape)).item() == pytest.approx(1, rel=1e-5)

    @pytest.mark.parametrize("gain", [1e-2, 7.0, 1e3])
    def test_relative_does_not_depend_on_the_encoders_gain(self, gain: float) -> None:
        here, there = self.random(2), self.random(3)
        small, large = (DiscrepancyLoss(self.tap, g * here, kernel=self.kernel, relative=True) for g in (1, gain))
        torch.testing.assert_close(self.value(large, gain * there), self.value(small, there), rtol=1e-3, atol=0)

    def test_guides_leave_positions_of_both_out(self) -> None:
        picture, style = random(2, 4, 5, 6), random(1, 4, 5, 8, seed=1)
        guides = [torch.ones(1, 1, *m.shape[2:]) for m in (picture, style)]
        guides[0][..., :2], guides[1][..., :3] = 0, 0
        guided = DiscrepancyLoss(self.tap, style, kernel=self.kernel, style_guide=guides[1], guide=guides[0])
        plain = DiscrepancyLoss(self.tap, style[..., 3:], kernel=self.kernel)
        torch.testing.assert_close(self.value(guided, picture), self.value(plain, picture[..., 2:]))

    @pytest.mark.parametrize("target", [torch.zeros(1, 4, 5, 5), torch.ones(1, 4, 5, 5), random(1, 4, 5, 5)])
    @pytest.mark.parametrize("found", [torch.zeros(1, 4, 5, 5), 7 * torch.ones(1, 4, 5, 5), random(1, 4, 1, 1)])
    def test_flat_maps_are_finite(self, found: Tensor, target: Tensor) -> None:
        features = found.clone().requires_grad_()
        value = self.value(DiscrepancyLoss(self.tap, target, kernel=self.kernel, relative=True), features)
        (gradient,) = torch.autograd.grad(value, features)
        assert value.isfinite()
        assert gradient.isfinite().all()


def test_polynomial_is_the_gram_loss() -> None:
    """Li et al. 2017, equation 8: the squared difference of Gram matrices, summed over C^2 instead of its mean."""
    picture, style = random(2, 6, 5, 7), random(1, 6, 4, 9, seed=1)
    found = DiscrepancyLoss("relu", style, kernel="polynomial")({"relu": picture})
    torch.testing.assert_close(found, 36 * GramLoss("relu", gram_matrix(style))({"relu": picture}))


def test_linear_is_the_distance_of_the_means() -> None:
    picture, style = random(1, 6, 5, 7), random(1, 6, 4, 9, seed=1)
    found = DiscrepancyLoss("relu", style, kernel="linear")({"relu": picture})
    torch.testing.assert_close(found, (picture.mean((0, 2, 3)) - style.mean((0, 2, 3))).square().sum())


def kernel(x: Tensor, y: Tensor, width: Tensor) -> Tensor:
    return torch.exp(-torch.cdist(x, y).square() / (2 * width.square()[:, None, None])).mean((1, 2))


def test_gaussian_by_all_pairs() -> None:
    """More rows than are in memory at once, and the gradient that autograd finds without them."""
    picture, style = random(2, 4, 16, 20).double().requires_grad_(), random(1, 4, 11, 9, seed=1).double()
    x, y = picture.flatten(2).mT, style.flatten(2).mT
    width = median_bandwidth(y)
    expected = kernel(x, x, width) + kernel(y, y, width) - 2 * kernel(x, y.expand(2, -1, -1), width)
    loss = DiscrepancyLoss("relu", style)
    value = loss({"relu": picture})
    torch.testing.assert_close(value, expected.mean())
    gradients = [torch.autograd.grad(v, picture)[0] for v in (value, expected.mean())]
    torch.testing.assert_close(*gradients, atol=1e-8, rtol=1e-5)


def test_gaussian_in_float32_far_from_the_origin() -> None:
    near, far = (
        kernel_discrepancy(*(random(1, 50, 4, seed=s) + shift for s in (1, 2)), torch.ones(1)) for shift in (0, 1000)
    )
    torch.testing.assert_close(near, far, rtol=1e-2, atol=0)


def test_gaussian_sees_what_gram_matrices_cannot() -> None:
    """Two distributions with the same mean and the same second moments: plus or minus 1, and a normal one."""
    coins, normal = random(1, 2, 32, 32).sign(), random(1, 2, 32, 32, seed=1)
    same = DiscrepancyLoss("relu", normal, relative=True)({"relu": random(1, 2, 32, 32, seed=2)})
    assert DiscrepancyLoss("relu", normal, relative=True)({"relu": coins}) > 10 * same


def test_bandwidth_is_the_median_distance() -> None:
    samples = torch.tensor([0.0, 1.0, 10.0, 100.0]).view(1, 4, 1)
    assert median_bandwidth(samples).item() == 9  # of 16 pairs: 0 0 0 0 1 1 9 9 10 10 90 90 99 99 100 100
    assert median_bandwidth(torch.tensor([0.0] * 9 + [1.0]).view(1, 10, 1)).item() > 0


def test_positions_are_bounded_and_change_with_the_seed() -> None:
    features = random(1, 3, 60, 70)
    first, again, other = (kernel_statistics(features, "gaussian", seed=s) for s in (1, 1, 2))
    assert first.shape == (1, POSITIONS, 3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first[0].unique(dim=0)) == POSITIONS


def test_unknown_kernel() -> None:
    with pytest.raises(OptionError, match="'cubic'; there are linear, polynomial, gaussian"):
        DiscrepancyLoss("relu", random(1, 2, 3, 3), kernel="cubic")  # type: ignore[arg-type]
