"""Channel moments and MomentLoss."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from torch import Tensor

from impasto.losses import Loss, MomentLoss, channel_moments, moment_distance, relative_moment_distance
from impasto.losses.parametric import moments
from impasto.losses.parametric.moments import VARIANCE_FLOOR

from .base import LossTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class TestMomentLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return MomentLoss(self.tap, channel_moments(target))

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        moved = features.flatten(2)[..., torch.randperm(15)].view(self.shape)
        assert self.value(self.make(features), moved).item() == pytest.approx(0, abs=1e-10)

    def test_painting_may_have_another_size(self) -> None:
        assert self.value(self.make(random(1, 4, 9, 8)), random(1, 4, 3, 5)).item() > 0

    def test_sees_contrast_alone(self) -> None:
        features = self.random(2)
        mean = features.mean((2, 3), keepdim=True)
        assert self.value(self.make(features), mean + 2 * (features - mean)).item() > 1e-2


class TestRelativeMomentLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return MomentLoss(self.tap, channel_moments(target), relative=True)

    def differentiated(self, loss: Loss, at: Tensor) -> Callable[[Tensor], Tensor]:
        """The sizes by which a sample is measured are held at what they are."""
        target = channel_moments(self.target(torch.float64))
        sizes = [(a.square() + b.square()).sum(1) for a, b in zip(channel_moments(at), target, strict=True)]

        def value(x: Tensor) -> Tensor:
            parts = zip(channel_moments(x), target, sizes, strict=True)
            return torch.stack([((a - b).square().sum(1) / size).mean() for a, b, size in parts]).sum()

        return value

    def test_nothing_at_all_is_2(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(2, abs=0.05)

    @pytest.mark.parametrize("gain", [7.0, 1e4])
    def test_does_not_depend_on_the_encoders_gain(self, gain: float) -> None:
        here, there = self.random(2), self.random(3)
        torch.testing.assert_close(
            self.value(self.make(gain * here), gain * there), self.value(self.make(here), there), rtol=1e-3, atol=0
        )


class TestGuidedMomentLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        guide = torch.linspace(0.2, 1, target[0, 0].numel()).view(1, 1, *target.shape[2:])
        return MomentLoss(self.tap, channel_moments(target, guide), guide=guide)


def test_positions_that_do_not_count_are_not_seen() -> None:
    features, guide = random(2, 3, 4, 6), torch.zeros(1, 1, 4, 6)
    guide[..., 2:] = 0.3
    for found, expected in zip(channel_moments(features, guide), channel_moments(features[..., 2:]), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_position_that_counts_twice_is_two_positions() -> None:
    features, guide = random(1, 3, 1, 6), torch.tensor([2.0, 1, 1, 1, 1, 1]).view(1, 1, 1, 6)
    torch.testing.assert_close(
        channel_moments(features, guide).mean, channel_moments(torch.cat([features[..., :1], features], 3)).mean
    )


def test_a_single_position_that_counts_has_no_spread() -> None:
    features, guide = random(1, 3, 4, 6).requires_grad_(), torch.zeros(1, 1, 4, 6)
    guide[0, 0, 1, 2] = 0.7
    moments = channel_moments(features, guide)
    torch.testing.assert_close(moments.mean, features[..., 1, 2])
    assert moments.deviation.max().item() < 0.01
    assert torch.autograd.grad(moments.deviation.sum(), features)[0].isfinite().all()


def test_are_mean_and_unbiased_deviation() -> None:
    features = random(2, 3, 4, 5)
    mean, deviation = channel_moments(features)
    torch.testing.assert_close(mean, features.mean((2, 3)))
    torch.testing.assert_close(deviation, features.flatten(2).std(2), rtol=1e-4, atol=0)


def test_distances_are_of_each_sample() -> None:
    here, there = channel_moments(random(2, 3, 4, 5, seed=1)), channel_moments(random(2, 3, 4, 5, seed=2))
    for distance in (moment_distance, relative_moment_distance):
        assert distance(here, there).shape == (2,)
        assert distance(here, here).tolist() == [0, 0]
    by_hand = [(a - b).square().mean(1) for a, b in zip(here, there, strict=True)]
    torch.testing.assert_close(moment_distance(here, there), by_hand[0] + by_hand[1])


def test_a_silent_channel_has_a_finite_gradient() -> None:
    features = torch.zeros(1, 2, 3, 3, requires_grad=True)
    channel_moments(features).deviation.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (3, 2, 5, 7), (2, 4, 1, 1), (2, 3, 1, 2)])
def test_are_means_and_unbiased_variances(shape: tuple[int, ...], order: torch.memory_format) -> None:
    features = random(*shape).double().contiguous(memory_format=order).requires_grad_()
    flat = features.flatten(2)
    variance = flat.var(2, correction=min(1, flat.shape[2] - 1))
    expected = (flat.mean(2), torch.sqrt(variance + VARIANCE_FLOOR))
    for found, right in zip(channel_moments(features), expected, strict=True):
        torch.testing.assert_close(found, right)
        ours, theirs = (torch.autograd.grad(of.square().sum(), features, retain_graph=True)[0] for of in (found, right))
        torch.testing.assert_close(ours, theirs)
        assert ours.is_contiguous(memory_format=order)


def test_second_derivatives_are_right() -> None:
    features = random(2, 2, 3, 2).double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: tuple(channel_moments(x)), features)


def test_pictures_by_themselves_and_as_a_batch_have_the_same() -> None:
    """Other devices look at a whole batch at once."""
    features = random(4, 3, 6, 5)
    with mock.patch.object(moments, "pieces", lambda batch: (batch,)):
        expected = channel_moments(features)
    for found, right in zip(channel_moments(features), expected, strict=True):
        torch.testing.assert_close(found, right)
