"""Histograms of channels and HistogramLoss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.losses import HistogramLoss, Loss, channel_quantiles, histogram_distance
from impasto.losses.parametric.histogram import QUANTILES, ascending, chosen, matched, quantiles_of

from .base import LossTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class TestHistogramLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return HistogramLoss(self.tap, target)

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        moved = features.flatten(2)[..., torch.randperm(15)].view(self.shape)
        assert self.value(self.make(features), moved).item() == 0

    def test_painting_may_have_another_size(self) -> None:
        assert self.value(self.make(random(1, 4, 9, 8)), random(1, 4, 3, 5)).item() > 0

    def test_gradient_is_the_way_to_the_matched_values(self) -> None:
        """The paper's form: the matched values held, the gradient is twice the difference, over how many there are."""
        features, target = self.random(2).requires_grad_(), self.random(3)
        (gradient,) = torch.autograd.grad(self.value(self.make(target), features), features)
        flat = features.detach().flatten(2)
        ordered = target.flatten(2).sort(2).values
        wanted = torch.empty_like(flat).scatter_(2, flat.argsort(2), ordered).view(self.shape)
        torch.testing.assert_close(gradient, 2 * (features.detach() - wanted) / features.numel())

    def test_one_step_down_the_gradient_arrives(self) -> None:
        features, target = self.random(2).requires_grad_(), self.random(3)
        loss = self.make(target)
        (gradient,) = torch.autograd.grad(self.value(loss, features), features)
        assert self.value(loss, features - gradient * features.numel() / 2).item() == pytest.approx(0, abs=1e-12)


class TestRelativeHistogramLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return HistogramLoss(self.tap, target, relative=True)

    def test_nothing_at_all_is_1(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(1)

    def test_a_target_of_zeros_is_no_division_by_zero(self) -> None:
        loss = self.make(torch.zeros(self.shape))
        assert self.value(loss, torch.zeros(self.shape)).item() == 0
        assert self.value(loss, self.random(2)).isfinite()


def halves(like: Tensor, low: float = 0.0) -> Tensor:
    """A guide that leaves out the first column."""
    guide = torch.ones(1, 1, *like.shape[2:])
    guide[..., : like.shape[3] // 2] = low
    return guide


def test_a_guide_chooses_positions_of_both() -> None:
    picture, style = random(2, 3, 4, 6), random(1, 3, 5, 8, seed=1)
    guided = HistogramLoss("relu", style, style_guide=halves(style, 0.49), guide=halves(picture))
    plain = HistogramLoss("relu", style[..., 4:])
    torch.testing.assert_close(guided({"relu": picture}), plain({"relu": picture[..., 3:]}))


def test_every_picture_may_have_a_guide_of_its_own() -> None:
    picture, target = random(2, 3, 4, 6), channel_quantiles(random(1, 3, 5, 5, seed=1))
    guide = torch.cat([halves(picture), torch.ones(1, 1, 4, 6)])
    both = histogram_distance(picture, target, guide)
    alone = [histogram_distance(picture[:1, :, :, 3:], target), histogram_distance(picture[1:], target)]
    torch.testing.assert_close(both, torch.cat(alone))


def test_a_guide_of_zeros_chooses_everything() -> None:
    assert chosen(random(1, 2, 3, 4), torch.zeros(1, 1, 3, 4))[0].shape == (2, 12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matched_values_keep_their_ranks(dtype: torch.dtype) -> None:
    """Negative and positive numbers, tiny and huge, by NumPy's keys and by torch's sort."""
    values = (random(3, 1000).sign() * (12 * random(3, 1000, seed=1)).exp()).to(dtype)
    found = matched(values, ascending(random(3, 1000, seed=2).to(dtype)))
    assert torch.equal(found.argsort(1), values.argsort(1))
    assert torch.equal(found.sort(1).values, random(3, 1000, seed=2).to(dtype).sort(1).values)


def test_rows_need_not_lie_together() -> None:
    values, quantiles = random(50, 4).T, ascending(random(4, 50, seed=1))
    torch.testing.assert_close(matched(values, quantiles), matched(values.contiguous(), quantiles), rtol=0, atol=0)


def test_equal_values_have_no_direction_in_the_map() -> None:
    """A flat area must not become a ramp from its top to its bottom."""
    found = matched(torch.zeros(1, 4096), torch.linspace(-1, 1, 4096)[None]).view(64, 64)
    assert found.mean(0).diff().abs().max() < 1
    assert abs(np.corrcoef(found.flatten(), np.arange(4096))[0, 1]) < 0.05


def test_quantiles_of_another_number_are_those_of_the_same_distribution() -> None:
    ramp = torch.arange(1000.0)
    few = quantiles_of(ramp, 10)
    torch.testing.assert_close(few, torch.arange(49.5, 1000, 100))
    assert quantiles_of(few, 1000).sub(ramp).abs()[50:-50].max() < 1e-2


def test_memory_is_bounded_and_little_is_lost() -> None:
    features = random(1, 2, 100, 120)
    kept = channel_quantiles(features)
    assert kept.shape == (1, 2, QUANTILES)
    assert histogram_distance(features, kept).item() < 1e-4


@pytest.mark.parametrize("found", [torch.zeros(1, 4, 5, 5), torch.ones(1, 4, 5, 5), random(1, 4, 1, 1)])
@pytest.mark.parametrize("target", [torch.zeros(1, 4, 5, 5), torch.ones(1, 4, 5, 5), random(1, 4, 5, 5)])
def test_flat_maps_are_finite(found: Tensor, target: Tensor) -> None:
    features = found.clone().requires_grad_()
    value = HistogramLoss("relu", target, relative=True)({"relu": features})
    (gradient,) = torch.autograd.grad(value, features)
    assert value.isfinite()
    assert gradient.isfinite().all()
