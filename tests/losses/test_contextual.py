"""Contextual similarity and ContextualLoss."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from impasto.losses import ContextualLoss, Loss, contextual_similarity

from .single import SingleTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def by_hand(x: list[list[float]], y: list[list[float]], h: float) -> float:
    """The paper's equations 2 to 5, number by number."""
    mean = [sum(c) / len(y) for c in zip(*y, strict=True)]

    def distance(a: list[float], b: list[float]) -> float:
        a, b = ([v - m for v, m in zip(w, mean, strict=True)] for w in (a, b))
        return 1 - sum(p * q for p, q in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    best = [0.0] * len(y)
    for a in x:
        d = [distance(a, b) for b in y]
        w = [math.exp((1 - v / (min(d) + 1e-5)) / h) for v in d]
        best = [max(old, v / sum(w)) for old, v in zip(best, w, strict=True)]
    return sum(best) / len(best)


class TestContextualLoss(SingleTests):
    def make(self, target: Tensor) -> Loss:
        return ContextualLoss(self.tap, target, bandwidth=0.5)

    def test_does_not_see_where(self) -> None:
        features = self.random(2)
        assert self.value(self.make(features), features.flip(2, 3)).item() == pytest.approx(0, abs=1e-4)

    def test_looks_at_so_many_positions(self) -> None:
        features = self.random(2).requires_grad_()
        loss = ContextualLoss(self.tap, self.random(3), most=10)
        (gradient,) = torch.autograd.grad(self.value(loss, features), features)
        assert 0 < len(gradient.abs().sum((0, 1)).nonzero()) <= 10
        assert loss.target.shape == (10, 4)

    def test_guide_leaves_positions_out(self) -> None:
        features = self.random(2).requires_grad_()
        guide = torch.full((1, 1, 7, 6), 1e-6)
        guide[..., :3] = 1
        loss = ContextualLoss(self.tap, self.random(3), guide=guide)
        (gradient,) = torch.autograd.grad(self.value(loss, features), features)
        assert gradient[..., 3:].abs().max() == 0
        assert gradient[..., :3].abs().max() > 0


@pytest.mark.parametrize("bandwidth", [0.1, 0.5])
def test_is_the_papers_formula(bandwidth: float) -> None:
    x, y = random(7, 3), random(5, 3, seed=1)
    expected = by_hand(x.tolist(), y.tolist(), bandwidth)
    assert contextual_similarity(x, y, bandwidth=bandwidth).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("chunk_bytes", [1, 60, 200])
def test_strips_change_neither_value_nor_gradient(chunk_bytes: int) -> None:
    x, y = random(11, 3).requires_grad_(), random(5, 3, seed=1)
    found = [contextual_similarity(x, y, chunk_bytes=c) for c in (chunk_bytes, 1 << 26)]
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*(torch.autograd.grad(f, x)[0] for f in found))


def test_the_target_itself_is_met_whole() -> None:
    x = random(20, 6)
    assert contextual_similarity(x, x).item() == pytest.approx(1, abs=1e-4)
    assert contextual_similarity(random(20, 6, seed=1), x).item() < 0.9


def test_what_is_left_of_repeated_features_is_no_loss() -> None:
    """Of two positions alike, neither is nearer: half of each is met, and no picture could meet more."""
    twice = random(1, 4, 3, 3).repeat(1, 1, 2, 1)
    loss = ContextualLoss("relu", twice)
    assert loss.rest.item() == pytest.approx(0.5, rel=1e-3)
    assert loss({"relu": twice}).item() == 0
    assert loss({"relu": random(1, 4, 6, 3, seed=2)}).item() > 0
