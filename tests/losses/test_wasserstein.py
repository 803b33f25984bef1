"""Gaussians of features and WassersteinLoss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from impasto.losses import Gaussian, Loss, WassersteinLoss, gaussian, wasserstein_distance
from impasto.losses.parametric import wasserstein
from impasto.losses.parametric.wasserstein import (
    RIDGE,
    gaussian_of_sums,
    gaussian_sums,
    newton_schulz,
    orthogonal_factor,
)

from .base import LossTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_scipy(found: Tensor, target: Tensor) -> float:
    """The textbook's formula on NumPy's means and covariances, and the variance that every direction has besides."""
    points = [m[0].flatten(1).double().numpy() for m in (found, target)]
    means = [p.mean(1) for p in points]
    ridge = RIDGE * (points[1] ** 2).mean()
    first, second = (np.cov(p, bias=True) + ridge * np.eye(len(p)) for p in points)
    root = np.real(scipy.linalg.sqrtm(second))
    shared = np.real(scipy.linalg.sqrtm(root @ first @ root))
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(first + second - 2 * shared))


class WassersteinTests(LossTests):
    """Zero at the target but for rounding: sums about the target's mean are not summed as the target was."""

    def test_zero_at_its_target(self) -> None:
        target = self.target()
        assert self.value(self.make(target), target).item() == pytest.approx(0, abs=1e-6)

    def test_one_position(self) -> None:
        here, there = self.random(2)[..., :1, :1], self.random(3)[..., :1, :1]
        assert self.value(self.make(here), here).item() == pytest.approx(0, abs=1e-6)
        assert self.value(self.make(here), there).isfinite()


class TestWassersteinLoss(WassersteinTests):
    def make(self, target: Tensor) -> Loss:
        return WassersteinLoss(self.tap, gaussian(target))

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        moved = features.flatten(2)[..., torch.randperm(15)].view(self.shape)
        assert self.value(self.make(features), moved).item() == pytest.approx(0, abs=1e-6)

    def test_a_shift_costs_its_square(self) -> None:
        features = self.random(2)
        assert self.value(self.make(features), features + 3).item() == pytest.approx(9, rel=1e-5)

    def test_minimum_is_at_the_target(self) -> None:
        """The gradient there is nothing beside that of a picture a little way off."""
        loss = self.make(self.target())
        sizes = []
        for away in (0.0, 0.1):
            features = (self.target() + away * self.random(5)).requires_grad_()
            sizes.append(torch.autograd.grad(self.value(loss, features), features)[0].norm().item())
        assert sizes[0] < 1e-3 * sizes[1]

    @pytest.mark.parametrize("guided", [False, True])
    def test_tiles_add_up_to_the_picture(self, guided: bool) -> None:
        features = random(1, 6, 9, 14)
        guide = random(1, 1, 9, 14, seed=1).abs() if guided else None
        loss = WassersteinLoss(self.tap, gaussian(random(1, 6, 8, 8, seed=2)), guide=guide)
        tiles = [(slice(0, 9), slice(0, 5)), (slice(0, 9), slice(5, 14))]
        found = [
            loss.sums({self.tap: features[..., rows, columns]}, {self.tap: (rows, columns)}) for rows, columns in tiles
        ]
        whole = loss.of_sums(*(sum(parts[1:], parts[0]) for parts in zip(*found, strict=True)))
        torch.testing.assert_close(whole, self.value(loss, features))


class TestRelativeWassersteinLoss(WassersteinTests):
    def make(self, target: Tensor) -> Loss:
        return WassersteinLoss(self.tap, gaussian(target), relative=True)

    def test_nothing_at_all_is_1(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(1, rel=1e-4)

    @pytest.mark.parametrize("gain", [1e-2, 7.0, 1e3])
    def test_does_not_depend_on_the_encoders_gain(self, gain: float) -> None:
        here, there = self.random(2), self.random(3)
        torch.testing.assert_close(
            self.value(self.make(gain * here), gain * there), self.value(self.make(here), there), rtol=1e-4, atol=0
        )


class TestGuidedWassersteinLoss(WassersteinTests):
    def make(self, target: Tensor) -> Loss:
        guide = self.guide(target)
        return WassersteinLoss(self.tap, gaussian(target, guide), guide=guide)

    def guide(self, like: Tensor) -> Tensor:
        return torch.linspace(0.2, 1, like[0, 0].numel()).view(1, 1, *like.shape[2:])

    def test_positions_that_do_not_count_are_not_seen(self) -> None:
        features, guide = random(1, 4, 6, 6), torch.ones(1, 1, 6, 6)
        guide[..., 3:] = 0
        torch.testing.assert_close(gaussian(features, 5 * guide), gaussian(features[..., :3]))


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (1, 8, 12, 9), (1, 12, 2, 3)])
def test_distance_by_scipy(shape: tuple[int, int, int, int]) -> None:
    """Also where there are fewer positions than channels."""
    found, target = random(*shape).exp(), 1.5 * random(*shape, seed=1)
    distance = wasserstein_distance(gaussian(found), gaussian(target)).item()
    assert distance == pytest.approx(by_scipy(found, target), rel=1e-4)


def test_float32_is_as_good_as_float64_on_many_channels_of_all_sizes() -> None:
    """Value and gradient, with variances from 1 down to a millionth as encoders have them, and means above them all."""
    gains = torch.logspace(0, -3, 64)[:, None, None]
    found, target = (gains * (random(1, 64, 16, 16, seed=s) + 4) for s in (1, 2))
    results = []
    for dtype in (torch.float32, torch.float64):
        features = found.to(dtype).requires_grad_()
        value = WassersteinLoss("relu", gaussian(target.to(dtype)))({"relu": features})
        results.append((value.double(), torch.autograd.grad(value, features)[0].double()))
    (value, gradient), (exact, expected) = results
    assert value.item() == pytest.approx(exact.item(), rel=1e-4)
    assert (gradient - expected).norm() < 1e-3 * expected.norm()


def test_gaussian_is_mean_and_covariance() -> None:
    features = random(2, 3, 4, 5)
    mean, covariance = gaussian(features)
    torch.testing.assert_close(mean, features.mean((2, 3)))
    torch.testing.assert_close(covariance, torch.stack([torch.cov(f.flatten(1), correction=0) for f in features]))


def test_a_shift_saves_the_digits_of_small_variances() -> None:
    features = random(1, 3, 20, 20) + 1e3
    mean = features.mean((2, 3))
    exact = torch.cov(features[0].flatten(1).double(), correction=0)
    shifted = gaussian_of_sums(*gaussian_sums(features, None, mean + 1), shift=mean + 1)
    torch.testing.assert_close(shifted.covariance[0].double(), exact, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(shifted.mean, mean)
    plain = gaussian_of_sums(*gaussian_sums(features))
    assert (plain.covariance[0] - exact).abs().max() > 1e-2


@pytest.mark.parametrize("least", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("factor", [orthogonal_factor, newton_schulz])
def test_orthogonal_factor_is_that_of_the_singular_vectors(factor: Callable[[Tensor], Tensor], least: float) -> None:
    left, right = (torch.linalg.qr(random(2, 16, 16, seed=s).double()).Q for s in (1, 2))
    matrix = left * torch.logspace(0, np.log10(least), 16, dtype=torch.float64) @ right.mT
    torch.testing.assert_close(factor(matrix), left @ right.mT, rtol=0, atol=1e-6)
    torch.testing.assert_close(factor(matrix.float()), (left @ right.mT).float(), rtol=0, atol=1e-5 / least)


def test_other_devices_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Value and gradient with the iteration, which graphics cards are quick at, and with singular vectors."""
    target, results = gaussian(random(1, 16, 8, 8)), []
    for factor in (orthogonal_factor, newton_schulz):
        monkeypatch.setattr(wasserstein, "orthogonal_factor", factor)
        features = random(1, 16, 6, 9, seed=1).requires_grad_()
        value = WassersteinLoss("relu", target)({"relu": features})
        results.append((value, torch.autograd.grad(value, features)[0]))
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("target", [torch.zeros(1, 4, 5, 5), torch.ones(1, 4, 5, 5), random(1, 4, 5, 5)])
@pytest.mark.parametrize("found", [torch.zeros(1, 4, 5, 5), 7 * torch.ones(1, 4, 5, 5), random(1, 4, 1, 1)])
def test_flat_maps_are_finite(found: Tensor, target: Tensor) -> None:
    features = found.clone().requires_grad_()
    value = WassersteinLoss("relu", gaussian(target), relative=True)({"relu": features})
    (gradient,) = torch.autograd.grad(value, features)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_what_is_not_finite_is_no_error() -> None:
    """A painter takes such a step back; it need not be caught."""
    features = torch.full((1, 4, 5, 5), torch.nan)
    assert WassersteinLoss("relu", gaussian(random(1, 4, 5, 5)))({"relu": features}).isnan()


def test_distance_does_not_change_with_who_is_first() -> None:
    first, second = gaussian(random(1, 4, 6, 6)), gaussian(random(1, 4, 6, 6, seed=1))
    apart = wasserstein_distance(first, second), wasserstein_distance(second, first)
    torch.testing.assert_close(*apart, rtol=1e-2, atol=0)  # each is measured with its own target's least variance


def test_one_dimension_is_the_distance_of_the_deviations() -> None:
    here, there = (Gaussian(torch.zeros(1, 1), torch.tensor([[[s**2]]])) for s in (3.0, 5.0))
    assert wasserstein_distance(here, there).item() == pytest.approx(4, rel=1e-2)
