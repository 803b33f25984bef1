"""LaplacianLoss and SelfSimilarityLoss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses import (
    IMAGE,
    LaplacianLoss,
    Loss,
    SelfSimilarityLoss,
    draw_positions,
    laplacian,
    self_distances,
)
from impasto.losses.structure import pooled_laplacian

from .base import LossTests
from .single import SingleTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestLaplacianLoss(LossTests):
    tap = IMAGE
    shape = (2, 3, 6, 5)

    def make(self, target: Tensor) -> Loss:
        return LaplacianLoss(target, pools=(1, 2))

    def test_adds_and_scales(self) -> None:
        first = self.make(self.target())
        features = {IMAGE: self.random(2)}
        torch.testing.assert_close((3 * first + first)(features), 4 * first(features))

    def test_one_position(self) -> None:
        here = self.random(2)[..., :1, :1]
        assert self.value(self.make(here), here + 0.5).item() == 0

    def test_brightness_and_slopes_are_free(self) -> None:
        photo = self.random(2)
        slope = torch.linspace(0, 1, 5).expand(6, 5)
        loss = LaplacianLoss(photo, pools=(1,))
        assert self.value(loss, photo + 0.3).item() == pytest.approx(0, abs=1e-10)
        inside = (laplacian(photo + slope) - laplacian(photo))[..., 1:-1, 1:-1]
        assert inside.abs().max() < 1e-5

    def test_relative_of_no_lines_is_1(self) -> None:
        loss = LaplacianLoss(self.random(2), pools=(1, 2), relative=True)
        assert self.value(loss, torch.full(self.shape, 0.4)).item() == pytest.approx(1, rel=1e-4)

    def test_a_flat_photo_is_no_division_by_zero(self) -> None:
        loss = LaplacianLoss(torch.full(self.shape, 0.4), relative=True)
        assert self.value(loss, torch.full(self.shape, 0.7)).item() == pytest.approx(0, abs=1e-4)
        assert self.value(loss, self.random(2)).isfinite()

    def test_large_pools_see_no_fine_lines(self) -> None:
        flat = torch.full((1, 3, 16, 16), 0.5)
        checks = flat + 0.3 * (-1) ** (torch.arange(16)[:, None] + torch.arange(16))
        assert LaplacianLoss(flat, pools=(1,))({IMAGE: checks}).item() > 1
        assert LaplacianLoss(flat, pools=(2, 4))({IMAGE: checks}).item() == pytest.approx(0, abs=1e-8)


def test_laplacian_is_that_of_all_channels() -> None:
    image = random(2, 3, 6, 7)
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]).expand(1, 3, 3, 3)
    torch.testing.assert_close(laplacian(image)[..., 1:-1, 1:-1], functional.conv2d(image, kernel), atol=1e-5, rtol=0)
    assert laplacian(torch.ones(1, 3, 4, 4)).abs().max() == 0


def test_pools_take_in_every_pixel() -> None:
    image = random(1, 3, 7, 9)
    assert pooled_laplacian(image, 4).shape == (1, 1, 2, 3)
    moved = image.clone()
    moved[..., -1, -1] += 1
    assert not torch.equal(pooled_laplacian(image, 4), pooled_laplacian(moved, 4))


class TestSelfSimilarityLoss(SingleTests):
    def make(self, target: Tensor) -> Loss:
        return SelfSimilarityLoss([self.tap], {self.tap: target}, positions=draw_positions(10))

    def test_by_hand(self) -> None:
        x, y = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)).abs()
        tables = []
        for z in (x, y):
            table = 1 - functional.cosine_similarity(z[:, None], z[None], dim=2)
            tables.append(table / table.sum(0, keepdim=True))
        torch.testing.assert_close(self_distances(x) - self_distances(y), tables[0] - tables[1], atol=1e-5, rtol=0)

    def test_colours_may_change_if_they_change_alike(self) -> None:
        """Channels swapped, turned and made brighter: what was alike still is."""
        features = self.random(2)
        turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0))).Q
        turned = 3 * torch.einsum("bchw,cd->bdhw", features, turn)
        assert self.value(self.make(features), turned).item() == pytest.approx(0, abs=1e-4)

    def test_does_see_where(self) -> None:
        features = self.random(2)
        assert self.value(self.make(features), features.flip(3)).item() > 0.01

    def test_a_thousand_positions_if_nothing_else_is_said(self) -> None:
        loss = SelfSimilarityLoss([self.tap], {self.tap: self.target()})
        assert loss.target.shape == (1024, 1024)

    def test_rounded_it_is_smooth_where_the_picture_is_the_photo(self) -> None:
        features, nearly = self.random(2), self.random(2) + 1e-3 * self.random(3)
        where = draw_positions(10)
        sharp, soft = (
            SelfSimilarityLoss([self.tap], {self.tap: features}, positions=where, rounding=r) for r in (0.0, 0.05)
        )
        slopes = []
        for loss in (sharp, soft):
            x = nearly.clone().requires_grad_()
            slopes.append(torch.autograd.grad(loss({self.tap: x}), x)[0].abs().mean())
        assert slopes[1] < 0.2 * slopes[0]
        far = self.random(4)
        assert self.value(soft, far).item() == pytest.approx(self.value(sharp, far).item(), abs=0.025)
