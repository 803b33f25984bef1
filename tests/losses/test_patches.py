"""Patches, their bank, and PatchLoss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import LimitError, OptionError
from impasto.losses import Loss, PatchBank, PatchLoss
from impasto.losses.nonparametric.patches import patch_places, patches

from .single import SingleTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def by_hand(features: Tensor, style: Tensor, *, stride: int = 2) -> float:
    """The paper's formula, patch by patch, each element over the number of patches that cover its position."""
    mine, theirs = patches(features, 3, stride), patches(style)
    mean = style.mean((2, 3)).repeat_interleave(9, 1)
    alike = functional.cosine_similarity((mine - mean)[:, None], (theirs - mean)[None], dim=2)
    matched = theirs[alike.argmax(1)]
    places = patch_places(*features.shape[2:], 3, stride)
    cover = torch.bincount(places.flatten(), minlength=features[0, 0].numel())
    squares = (mine - matched).square().view(len(mine), -1, 9) / cover[places][:, None]
    return float(squares.sum() / (cover > 0).sum() / features.shape[1] / style.square().mean())


class TestPatchLoss(SingleTests):
    def make(self, target: Tensor) -> Loss:
        return PatchLoss(self.tap, PatchBank([target]))

    def differentiated(self, loss: Loss, at: Tensor) -> Callable[[Tensor], Tensor]:
        """Matches are held: nearby they do not change, and the gradient is that of the distance to them."""
        assert isinstance(loss, PatchLoss)
        wanted, rest, weight = loss.matched(at)

        def held(x: Tensor) -> Tensor:
            squares = (x[0].flatten(1).T - wanted).square().mean(1) + rest
            return loss.scale * (weight * squares).sum() / weight.sum()

        return held

    def test_one_position(self) -> None:
        with pytest.raises(LimitError, match="1x1 is too small for patches of 3x3"):
            self.make(self.target()[..., :1, :1])
        with pytest.raises(LimitError, match="2x6 is too small"):
            self.value(self.make(self.target()), torch.zeros(1, 4, 6, 2))

    @pytest.mark.parametrize("stride", [1, 2, 3])
    def test_is_the_mean_over_patches(self, stride: int) -> None:
        here, there = self.random(2), self.random(3)
        loss = PatchLoss(self.tap, PatchBank([there]), stride=stride)
        assert self.value(loss, here).item() == pytest.approx(by_hand(here, there, stride=stride), rel=1e-4)

    def test_gradient_is_the_mean_over_the_patches_that_cover_a_position(self) -> None:
        """Not the sum: the border, which fewer patches cover, is painted as fast as the middle."""
        features = torch.full((1, 2, 9, 9), 3.0, requires_grad=True)
        loss = PatchLoss(self.tap, PatchBank([torch.ones(1, 2, 5, 5)]), stride=1)
        (gradient,) = torch.autograd.grad(self.value(loss, features), features)
        torch.testing.assert_close(gradient, gradient[0, 0, 0, 0].expand_as(gradient))
        assert gradient[0, 0, 0, 0] > 0

    def test_a_mosaic_of_the_paintings_patches_is_style(self) -> None:
        painting = self.random(3)
        mosaic = torch.cat([painting[..., 1:5, 2:5], painting[..., 0:4, 1:4]], 3)
        loss = PatchLoss(self.tap, PatchBank([painting]), stride=3)
        assert self.value(loss, mosaic[..., :3, :]).item() == 0

    def test_guide_leaves_positions_out(self) -> None:
        painting, features = self.random(2), self.random(3).requires_grad_()
        guide = torch.full((1, 1, 7, 6), 1e-6)
        guide[..., :3] = 1
        loss = PatchLoss(self.tap, PatchBank([painting]), guide=guide)
        (gradient,) = torch.autograd.grad(self.value(loss, features), features)
        assert gradient[..., 4:].abs().max() < 1e-5 * gradient[..., :3].abs().max()
        moved = features.detach().clone()
        moved[..., 5:] += 1
        torch.testing.assert_close(self.value(loss, moved), self.value(loss, features.detach()), rtol=1e-4, atol=0)

    def test_guide_of_ones_changes_nothing(self) -> None:
        painting, features = self.random(2), self.random(3)
        guided = PatchLoss(self.tap, PatchBank([painting]), guide=torch.ones(1, 1, 7, 6))
        torch.testing.assert_close(self.value(guided, features), self.value(self.make(painting), features))

    def test_matches_are_kept_between_every_so_many_calls(self) -> None:
        near, far = self.random(2), self.random(3)
        loss = PatchLoss(self.tap, PatchBank([self.target()]), every=2)
        fresh = PatchLoss(self.tap, PatchBank([self.target()]))
        first, second, third = self.value(loss, near), self.value(loss, far), self.value(loss, far)
        assert first == self.value(fresh, near)
        assert second > third
        assert third == self.value(fresh, far)

    def test_another_size_is_matched_at_once(self) -> None:
        loss = PatchLoss(self.tap, PatchBank([self.target()]), every=100)
        self.value(loss, self.random(2))
        assert self.value(loss, random(1, 4, 9, 9)).isfinite()


def test_patches_are_those_of_unfold() -> None:
    features = random(1, 3, 7, 5)
    torch.testing.assert_close(patches(features), functional.unfold(features, 3)[0].T)
    torch.testing.assert_close(patches(features, 3, 2), functional.unfold(features, 3, stride=2)[0].T)


@pytest.mark.parametrize("stride", [1, 2, 3, 9])
def test_every_position_is_covered(stride: int) -> None:
    covered = patch_places(8, 10, 3, stride).unique()
    if stride <= 3:
        assert covered.tolist() == list(range(80))
    assert covered[-1] == 79
    assert len(patch_places(3, 3)) == 1


def test_patches_occur_once() -> None:
    places = patch_places(7, 9, 3, 2)
    assert len(places.unique(dim=0)) == len(places) == 3 * 4


def test_shares_are_parts_of_the_bank() -> None:
    first, second, third = (random(1, 2, 12, 12, seed=s) for s in range(3))
    bank = PatchBank([first, second, third], shares=[0.75, 0.25, 0.0])
    of = bank.places[:, 0] // 144
    assert torch.bincount(of).tolist() == [100, 33]
    assert len(PatchBank([first, second]).places) == 200
    thin = PatchBank([first, second], shares=[3, 1], most=40)
    assert torch.bincount(thin.places[:, 0] // 144).tolist() == [30, 10]
    assert thin.places.tolist() == PatchBank([first, second], shares=[3, 1], most=40).places.tolist()
    with pytest.raises(OptionError, match="all 0"):
        PatchBank([first], shares=[0.0])


def test_several_maps_of_other_sizes_are_one_bank() -> None:
    first, second = random(1, 2, 5, 9), random(1, 2, 7, 4, seed=1)
    bank = PatchBank([first, second])
    rows = bank.rows[bank.places].transpose(1, 2).flatten(1)
    torch.testing.assert_close(rows, torch.cat([patches(first), patches(second)]))
    for painting in (first, second):
        assert PatchLoss("relu", bank)({"relu": painting}).item() == 0


def test_principal_channels_find_what_all_channels_do() -> None:
    """A map of 8 causes in 24 channels, and a little noise: 8 channels are enough to match on."""
    mix = torch.randn(8, 24, generator=torch.Generator().manual_seed(0))
    maps = [
        (torch.einsum("bchw,cd->bdhw", random(1, 8, 12, 12, seed=s), mix) + 0.01 * random(1, 24, 12, 12))
        for s in (1, 2)
    ]
    found = []
    for kept in (8, 24):
        bank = PatchBank([maps[0]], kept=kept)
        assert bank.keys.shape == (100, 9 * kept)
        found.append(bank.match(bank.vectors(maps[1][0].flatten(1).T, patch_places(12, 12))))
    assert (found[0] == found[1]).float().mean() > 0.95


def test_centred_or_as_in_the_paper() -> None:
    """A large offset common to all hides what differs, unless it is taken off."""
    painting, features = 100 + random(1, 2, 6, 6), 100 + random(1, 2, 6, 6, seed=1)
    plain, centred = (PatchLoss("relu", PatchBank([painting], centred=c)) for c in (False, True))
    assert float(plain.bank.mean.abs().max()) == 0
    assert plain({"relu": features}) != centred({"relu": features})


def test_guides_leave_patches_of_the_painting_out() -> None:
    painting, guide = random(1, 2, 8, 10), torch.full((1, 1, 8, 10), 1e-6)
    guide[..., :4] = 1
    bank = PatchBank([painting, painting], guides=[guide, None])
    first = bank.places[bank.places[:, 0] < 80]
    assert len(bank.places) - len(first) == 6 * 8
    assert (first[:, 4] % 10).unique().tolist() == [1, 2, 3]
    sliver = torch.zeros(1, 1, 8, 10)
    sliver[..., 0] = 1
    assert (PatchBank([painting], guides=[sliver]).places[:, 0] % 10).unique().tolist() == [0]
    assert len(PatchBank([painting], guides=[torch.zeros(1, 1, 8, 10)]).places) == 6 * 8
