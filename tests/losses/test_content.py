"""ContentLoss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses import (
    ContentLoss,
    Loss,
    NormalisedContentLoss,
    feature_distance,
    normalised_distance,
    normalised_features,
)

from .base import LossTests


class TestContentLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return ContentLoss(self.tap, target)

    def test_is_the_mean_square_of_differences(self) -> None:
        here, there = self.random(2), self.random(3)
        by_hand = sum((x - y) ** 2 for x, y in zip(here.flatten().tolist(), there.flatten().tolist(), strict=True))
        assert self.value(self.make(here), there).item() == pytest.approx(by_hand / here.numel(), rel=1e-5)

    def test_each_sample_has_its_own_target(self) -> None:
        target, features = self.random(2), self.random(3)
        alone = [feature_distance(f, t) for f, t in zip(features, target, strict=True)]
        torch.testing.assert_close(self.value(self.make(target), features), torch.stack(alone).mean())


class TestRelativeContentLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return ContentLoss(self.tap, target, relative=True)

    def test_nothing_at_all_is_1(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(1)

    @pytest.mark.parametrize("gain", [1e-3, 7.0, 1e4])
    def test_does_not_depend_on_the_encoders_gain(self, gain: float) -> None:
        here, there = self.random(2), self.random(3)
        torch.testing.assert_close(
            self.value(self.make(gain * here), gain * there), self.value(self.make(here), there), rtol=1e-4, atol=0
        )

    def test_a_target_of_zeros_is_no_division_by_zero(self) -> None:
        loss = self.make(torch.zeros(self.shape))
        assert self.value(loss, torch.zeros(self.shape)).item() == 0
        assert self.value(loss, self.random(2)).isfinite()


class TestNormalisedContentLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return NormalisedContentLoss(self.tap, target)

    def test_contrast_and_brightness_are_free(self) -> None:
        here, there = self.random(2), self.random(3)
        gain, shift = torch.tensor([[2.0], [0.5], [7.0], [1.0]])[..., None], torch.arange(4.0)[:, None, None]
        expected = self.value(self.make(here), there)
        torch.testing.assert_close(self.value(self.make(here), gain * there + shift), expected, rtol=1e-3, atol=0)

    def test_unrelated_maps_are_2_apart(self) -> None:
        maps = torch.randn(2, 1, 16, 64, 64, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(normalised_distance(*maps), torch.tensor([2.0]), rtol=0.03, atol=0)

    def test_each_sample_has_its_own_value(self) -> None:
        here, there = self.random(2), self.random(3)
        alone = [normalised_distance(h[None], t[None]) for h, t in zip(here, there, strict=True)]
        torch.testing.assert_close(normalised_distance(here, there), torch.cat(alone))


def test_normalised_features_by_hand() -> None:
    features = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]], [[2.0, 2.0], [2.0, 2.0]]]])
    expected = torch.tensor([[[-3.0, -1.0], [1.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]])[None] / 5**0.5
    torch.testing.assert_close(normalised_features(features), expected)
