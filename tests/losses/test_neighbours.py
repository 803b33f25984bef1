"""Hypercolumnsment, CosineLoss and NearestLoss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses import CosineLoss, Loss, NearestLoss, hypercolumns
from impasto.losses.nonparametric.matching import rows_of

from .single import SingleTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestCosineLoss(SingleTests):
    def make(self, target: Tensor) -> Loss:
        return CosineLoss([self.tap], hypercolumns({self.tap: target}, (4, 3)))

    def test_is_one_minus_the_cosine(self) -> None:
        here, there = self.random(2), self.random(3)
        both = [functional.interpolate(x, (4, 3), mode="bilinear") for x in (here, there)]
        expected = 1 - functional.cosine_similarity(*both, dim=1).mean()
        torch.testing.assert_close(self.value(self.make(here), there), expected)

    def test_length_is_free(self) -> None:
        features = self.random(2)
        assert self.value(self.make(features), 3 * features).item() == pytest.approx(0, abs=1e-6)

    def test_guide_leaves_positions_out(self) -> None:
        target, features = self.random(2), self.random(3)
        guide = torch.zeros(1, 1, 7, 6)
        guide[..., 2, 1] = 0.5
        guided = CosineLoss([self.tap], target, guide=guide)
        expected = 1 - functional.cosine_similarity(features[..., 2, 1], target[..., 2, 1])[0]
        torch.testing.assert_close(self.value(guided, features), expected)


class TestNearestLoss(SingleTests):
    def make(self, target: Tensor) -> Loss:
        return NearestLoss(self.tap, rows_of(target))

    def test_by_hand(self) -> None:
        here, there = self.random(2), self.random(3)
        mean = there.mean((2, 3))
        x, y = rows_of(here) - mean, rows_of(there) - mean
        expected = (1 - functional.cosine_similarity(x[:, None], y[None], dim=2)).amin(1).mean()
        torch.testing.assert_close(self.value(self.make(there), here), expected)

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        assert self.value(self.make(features), features.flip(2, 3)).item() == 0

    def test_grid_is_no_finer_than_asked_and_moves_only_when_told(self) -> None:
        features = random(1, 4, 12, 20).requires_grad_()
        loss = NearestLoss(self.tap, rows_of(random(1, 4, 5, 5, seed=1)), side=5, seed=1)

        def seen() -> list[list[int]]:
            (gradient,) = torch.autograd.grad(self.value(loss, features), features)
            places: list[list[int]] = gradient.abs().sum((0, 1)).nonzero().tolist()
            return places

        first = seen()
        assert len(first) == 3 * 5
        assert seen() == first
        loss = NearestLoss(self.tap, rows_of(random(1, 4, 5, 5, seed=1)), side=5, seed=4)
        assert seen() != first

    def test_guide_leaves_positions_out(self) -> None:
        bank, features = rows_of(self.random(2)), self.random(3)
        guide = torch.zeros(1, 1, 7, 6)
        guide[..., :3] = 1
        guided = NearestLoss(self.tap, bank, guide=guide)
        torch.testing.assert_close(
            self.value(guided, features), self.value(NearestLoss(self.tap, bank), features[..., :3])
        )


def test_hypercolumns_are_layers_over_their_channels() -> None:
    features = {"a": random(1, 2, 6, 4), "b": random(1, 5, 3, 2, seed=1)}
    found = hypercolumns(features, (3, 2))
    assert found.shape == (1, 7, 3, 2)
    torch.testing.assert_close(found[:, 2:], features["b"] / 5)
    torch.testing.assert_close(found[:, :2], functional.avg_pool2d(features["a"], 2) / 2)
    torch.testing.assert_close(hypercolumns(features, (3, 2), scales={"a": 1, "b": 3})[:, 2:], 3 * features["b"])


def test_hypercolumns_are_float32_at_least() -> None:
    assert hypercolumns({"a": random(1, 2, 3, 3).bfloat16()}, (3, 3)).dtype == torch.float32
    assert hypercolumns({"a": random(1, 2, 3, 3).double()}, (3, 3)).dtype == torch.float64
