"""Relaxed earth mover's distance, moments, palette, and the loss of them."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses import (
    IMAGE,
    Loss,
    StrotssStyleLoss,
    draw_positions,
    even_scales,
    moment_matching,
    palette_distance,
    relaxed_earth_movers,
)
from impasto.losses.nonparametric.earth_mover import DARK, Metric, sample

from .single import SingleTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


POSITIONS = draw_positions(12)


class TestStrotssStyleLoss(SingleTests):
    def make(self, target: Tensor) -> Loss:
        return StrotssStyleLoss([self.tap], sample({self.tap: target}, POSITIONS), positions=POSITIONS)

    def test_flat_and_empty_maps_have_a_finite_value_and_gradient(self, level: float = 0.5) -> None:
        """Without a spread to measure by, any spread is far too much; but not at the target."""
        flat = torch.full(self.shape, level, requires_grad=True)
        value = self.value(self.make(self.target()), flat)
        assert value.isfinite()
        assert torch.autograd.grad(value, flat)[0].isfinite().all()
        assert self.value(self.make(flat.detach()), flat).item() == 0

    def test_palette_is_a_part_of_it(self) -> None:
        features = {self.tap: self.random(2), IMAGE: random(1, 3, 14, 12)}
        bank, colours = sample({self.tap: self.random(3)}, POSITIONS), random(20, 3, seed=4)
        plain = StrotssStyleLoss([self.tap], bank, positions=POSITIONS)
        coloured = StrotssStyleLoss([self.tap], bank, positions=POSITIONS, colours=colours, palette=0.5)
        seen = sample({IMAGE: features[IMAGE]}, POSITIONS)
        assert coloured.taps == (self.tap, IMAGE)
        torch.testing.assert_close(coloured(features) - plain(features), 0.5 * palette_distance(seen, colours))

    def test_size_of_features_does_not_matter(self) -> None:
        here, there = self.random(2), self.random(3)
        torch.testing.assert_close(self.value(self.make(1e3 * here), 1e3 * there), self.value(self.make(here), there))


@pytest.mark.parametrize("metric", get_args(Metric))
@pytest.mark.parametrize("chunk_bytes", [64, 700, 1 << 26])
def test_earth_movers_by_hand(metric: Metric, chunk_bytes: int) -> None:
    x, y = random(17, 3, seed=1), random(23, 3, seed=2) + 0.3
    table = 1 - functional.cosine_similarity(x[:, None], y[None], dim=2)
    if metric != "cosine":
        table = table + (x[:, None] - y[None]).norm(dim=2)
    expected = torch.maximum(table.amin(0).mean(), table.amin(1).mean())
    found = relaxed_earth_movers(x, y, metric, chunk_bytes=chunk_bytes)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(relaxed_earth_movers(y, x, metric), found)


@pytest.mark.parametrize("metric", get_args(Metric))
def test_the_same_set_is_0_in_any_order(metric: Metric) -> None:
    x = random(30, 4)
    assert relaxed_earth_movers(x, x.flip(0), metric).item() == 0


def test_all_alike_is_not_enough() -> None:
    """One stroke of the painting everywhere: every x has a perfect match, most of y has none."""
    y = random(30, 4)
    assert relaxed_earth_movers(y[:1].expand(30, 4), y).item() > 0.05


@pytest.mark.parametrize("metric", get_args(Metric))
def test_gradient_goes_through_the_chosen_pairs(metric: Metric) -> None:
    x, y = random(6, 3, seed=1).double().requires_grad_(), random(7, 3, seed=2).double() + 0.3
    assert torch.autograd.gradcheck(lambda x: relaxed_earth_movers(x, y, metric), (x,))


def test_moments_by_hand() -> None:
    x, y = torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    # means (2, 2) and (0, 1); covariances ((1, 2), (2, 4)) and ((0, 0), (0, 1))
    assert moment_matching(x, y).item() == pytest.approx((2 + 1) / 2 + (1 + 2 + 2 + 3) / 4)
    assert moment_matching(x, y, relative=True).item() == pytest.approx(1.5 / 0.5 + 2 / 0.25)
    assert moment_matching(x, x).item() == 0


def test_moments_do_not_depend_on_how_many_there_are() -> None:
    x, y = random(9, 4), random(5, 4, seed=1)
    torch.testing.assert_close(moment_matching(x.repeat(3, 1), y), moment_matching(x, y))


def test_palette_knows_dark_from_bright() -> None:
    dark, bright = 0.1 * torch.ones(4, 3), 0.9 * torch.ones(4, 3)
    assert relaxed_earth_movers(dark, bright).item() == pytest.approx(0, abs=1e-6)
    assert palette_distance(dark, bright).item() == pytest.approx(0.8 * 3**0.5, rel=1e-3)


def test_black_has_no_hue_and_pulls_no_harder_than_others() -> None:
    """Pixels stay in a box of which exact black is a corner; the gradient of a direction is infinite there."""
    black, colours = torch.zeros(20, 3, requires_grad=True), 0.2 + 0.6 * random(20, 3)
    gradient = torch.autograd.grad(palette_distance(black, colours), black)[0]
    assert 0 < gradient.sum(0).norm() < 1 + 1 / DARK


def test_sample_is_bilinear() -> None:
    ramp = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(6.0), indexing="ij"))[None]
    positions = torch.tensor([[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]])
    expected = torch.tensor([[3.5, 2.5], [1.5, 4.0], [0.0, 5.0]])
    torch.testing.assert_close(sample({"a": ramp}, positions), expected)
    both = sample({"a": ramp, "b": random(1, 3, 4, 3)}, positions, scales={"a": 2.0, "b": 1.0})
    assert both.shape == (3, 5)
    torch.testing.assert_close(both[:, :2], 2 * expected)


def test_positions_are_inside_and_repeatable() -> None:
    positions = draw_positions(500, seed=2)
    assert positions.shape == (500, 2)
    assert positions.min() >= 0
    assert positions.max() <= 1
    assert torch.equal(positions, draw_positions(500, seed=2))
    assert not torch.equal(positions, draw_positions(500, seed=3))


def test_positions_follow_a_guide() -> None:
    guide = torch.full((1, 1, 8, 10), 1e-6)
    guide[..., 2:4, 5:] = 1
    positions = draw_positions(100, guide=guide)
    assert len(positions) == 10
    assert (positions[:, 0] >= 0.25).all()
    assert (positions[:, 0] <= 0.5).all()
    assert (positions[:, 1] >= 0.5).all()


def test_even_scales_make_layers_equally_loud() -> None:
    features = {"a": 100 * random(1, 4, 3, 3), "b": random(1, 2, 5, 5), "c": torch.zeros(1, 2, 3, 3)}
    scales = even_scales(features)
    for tap in "ab":
        assert (scales[tap] * features[tap]).square().mean().item() == pytest.approx(1)
    assert scales["c"] * features["c"].sum() == 0
