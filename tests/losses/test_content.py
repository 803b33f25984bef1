"""ContentLoss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses import ContentLoss, Loss, feature_distance

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
