"""Sliced Wasserstein distance as a loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses import HistogramLoss, Loss, SlicedLoss, random_directions, sliced_distance, sliced_quantiles
from impasto.losses.parametric.sliced import layer_generator

from .base import LossTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def directions(channels: int, count: int, seed: int = 0) -> Tensor:
    return random_directions(channels, count, torch.Generator().manual_seed(seed))


class TestSlicedLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return SlicedLoss(self.tap, target)

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        moved = features.flatten(2)[..., torch.randperm(15)].view(self.shape)
        assert self.value(self.make(features), moved).item() == pytest.approx(0, abs=1e-10)

    def test_painting_may_have_another_size(self) -> None:
        assert self.value(self.make(random(1, 4, 9, 8)), random(1, 4, 3, 5)).item() > 0

    def test_is_the_same_at_every_step(self) -> None:
        loss, features = self.make(self.target()), self.random(2)
        assert (
            self.value(loss, features) == self.value(loss, features) == self.value(self.make(self.target()), features)
        )

    def test_another_seed_sees_from_other_sides(self) -> None:
        first, second = (SlicedLoss(self.tap, self.target(), seed=s) for s in (0, 1))
        assert self.value(first, self.random(2)) != self.value(second, self.random(2))

    def test_gradient_of_many_positions_in_float32(self) -> None:
        """The quick sort of float32 against torch's own, through the same formula."""
        features = random(1, 4, 30, 40).requires_grad_()
        loss = self.make(random(1, 4, 20, 20, seed=1))
        value = self.value(loss, features)
        exact = features.detach().double().requires_grad_()
        expected = self.value(loss, exact)
        torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=0)
        gradients = torch.autograd.grad(value, features)[0].double(), torch.autograd.grad(expected, exact)[0]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6)


class TestRelativeSlicedLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return SlicedLoss(self.tap, target, directions=7, relative=True)

    def test_nothing_at_all_is_1(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(1)

    @pytest.mark.parametrize("gain", [1e-2, 7.0, 1e3])
    def test_does_not_depend_on_the_encoders_gain(self, gain: float) -> None:
        here, there = self.random(2), self.random(3)
        torch.testing.assert_close(
            self.value(self.make(gain * here), gain * there), self.value(self.make(here), there), rtol=1e-4, atol=0
        )


def test_a_guide_chooses_positions_of_both() -> None:
    picture, style = random(2, 3, 4, 6), random(1, 3, 5, 8, seed=1)
    guides = [torch.ones(1, 1, *m.shape[2:]) for m in (picture, style)]
    guides[0][..., :2], guides[1][..., :3] = 0.4, 0
    guided = SlicedLoss("relu", style, style_guide=guides[1], guide=guides[0])
    plain = SlicedLoss("relu", style[..., 3:])
    torch.testing.assert_close(guided({"relu": picture}), plain({"relu": picture[..., 2:]}))


def test_along_the_axes_it_is_the_histogram_loss() -> None:
    picture, style, axes = random(1, 4, 9, 8), random(1, 4, 5, 7, seed=1), torch.eye(4)
    found = sliced_distance(picture, sliced_quantiles(style, axes), axes).mean()
    torch.testing.assert_close(found, HistogramLoss("relu", style)({"relu": picture}))


def test_sees_what_histograms_do_not() -> None:
    """The same values in every channel, but other ones together."""
    style = random(1, 4, 5, 7)
    mixed = style.clone()
    mixed[:, 0] = style[:, 0].flip(1)
    assert HistogramLoss("relu", style)({"relu": mixed}).item() == 0
    assert SlicedLoss("relu", style)({"relu": mixed}).item() > 1e-3


def test_of_two_shifted_clouds_it_is_known() -> None:
    """Along a direction they are as far apart as its part of the way."""
    features, way, sides = random(1, 3, 40, 40), torch.tensor([1.0, 2.0, -2.0]), directions(3, 200)
    found = sliced_distance(features + way.view(1, 3, 1, 1), sliced_quantiles(features, sides), sides)
    assert found.item() == pytest.approx((sides @ way).square().mean().item(), rel=1e-4)


def test_directions_are_unit_vectors_of_their_generator() -> None:
    one, same, other = (directions(8, 5, seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    torch.testing.assert_close(one.norm(dim=1), torch.ones(5))


def test_every_layer_and_seed_has_directions_of_its_own() -> None:
    drawn = {
        float(random_directions(4, 3, layer_generator(layer, seed)).sum())
        for layer in ("relu1_1", "relu2_1")
        for seed in (0, 1, 2**40)
    }
    assert len(drawn) == 6


@pytest.mark.parametrize("found", [torch.zeros(1, 4, 5, 5), torch.ones(1, 4, 5, 5), random(1, 4, 1, 1)])
@pytest.mark.parametrize("target", [torch.zeros(1, 4, 5, 5), torch.ones(1, 4, 5, 5), random(1, 4, 5, 5)])
def test_flat_maps_are_finite(found: Tensor, target: Tensor) -> None:
    features = found.clone().requires_grad_()
    value = SlicedLoss("relu", target, relative=True)({"relu": features})
    (gradient,) = torch.autograd.grad(value, features)
    assert value.isfinite()
    assert gradient.isfinite().all()
