"""Gram matrices and GramLoss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.losses import BalancedGramLoss, GramLoss, Loss, gram_distance, gram_matrix, relative_distance

from .base import LossTests


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class TestGramLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return GramLoss(self.tap, gram_matrix(target))

    def test_does_not_see_where(self) -> None:
        """Style has no place: the same features in another order are the same style."""
        features = self.random(2)
        moved = features.flatten(2)[..., torch.randperm(15)].view(self.shape)
        assert self.value(self.make(features), moved).item() == pytest.approx(0, abs=1e-10)
        assert self.value(self.make(features), self.random(3)).item() > 1e-3

    def test_painting_may_have_another_size(self) -> None:
        loss = self.make(random(1, 4, 9, 8))
        assert self.value(loss, random(1, 4, 3, 5)).item() > 0

    def test_mean_target_has_the_gradient_of_a_weighted_sum(self) -> None:
        """What lets several styles share one loss a layer."""
        first, second = gram_matrix(random(1, 4, 5, 5, seed=1)), gram_matrix(random(1, 4, 5, 5, seed=2))
        features = random(1, 4, 3, 3).requires_grad_()
        blend = GramLoss(self.tap, 0.7 * first + 0.3 * second)
        both = 0.7 * GramLoss(self.tap, first) + 0.3 * GramLoss(self.tap, second)
        gradients = [torch.autograd.grad(self.value(loss, features), features)[0] for loss in (blend, both)]
        torch.testing.assert_close(*gradients)


class TestRelativeGramLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return GramLoss(self.tap, gram_matrix(target), relative=True)

    def test_nothing_at_all_is_1(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(1)

    @pytest.mark.parametrize("gain", [1e-2, 7.0, 1e3])
    def test_does_not_depend_on_the_encoders_gain(self, gain: float) -> None:
        here, there = self.random(2), self.random(3)
        torch.testing.assert_close(
            self.value(self.make(gain * here), gain * there), self.value(self.make(here), there), rtol=1e-4, atol=0
        )

    def test_a_target_of_zeros_is_no_division_by_zero(self) -> None:
        loss = self.make(torch.zeros(self.shape))
        assert self.value(loss, torch.zeros(self.shape)).item() == 0
        assert self.value(loss, self.random(2)).isfinite()


class TestBalancedGramLoss(LossTests):
    def make(self, target: Tensor) -> Loss:
        return BalancedGramLoss(self.tap, gram_matrix(target))

    def differentiated(self, loss: Loss, at: Tensor) -> Callable[[Tensor], Tensor]:
        """The size by which a sample is measured is held at what it is."""
        target = gram_matrix(self.target(torch.float64))
        size = (gram_matrix(at).square() + target.square()).sum((1, 2))
        return lambda x: ((gram_matrix(x) - target).square().sum((1, 2)) / size).mean()

    def test_nothing_at_all_is_1(self) -> None:
        assert self.value(self.make(self.target()), torch.zeros(self.shape)).item() == pytest.approx(1)

    def test_far_too_much_is_1_as_well(self) -> None:
        assert self.value(self.make(self.target()), 1e3 * self.random(2)).item() == pytest.approx(1, abs=1e-3)

    def test_every_sample_has_the_same_voice(self) -> None:
        """A painting of a hundredfold contrast does not drown the other."""
        features, target = self.random(2), self.random(3)
        gain = torch.tensor([100.0, 1.0])[:, None, None, None]
        expected = self.value(self.make(target), features)
        torch.testing.assert_close(self.value(self.make(gain * target), gain * features), expected)

    def test_nothing_against_nothing_is_0(self) -> None:
        features = torch.zeros(self.shape, requires_grad=True)
        value = self.value(self.make(torch.zeros(self.shape)), features)
        assert value.item() == 0
        value.backward()
        assert features.grad is not None
        assert features.grad.isfinite().all()


def test_relative_distance_by_hand() -> None:
    found, target = torch.tensor([[3.0, 0.0], [1.0, 2.0], [1.0, -1.0]]), torch.tensor([[0.0, 4.0], [1.0, 2.0], [-1, 1]])
    assert relative_distance(found, target).tolist() == [1, 0, 2]


def test_relative_distance_to_one_target_for_all() -> None:
    found, target = random(3, 4, 5, seed=1), random(1, 4, 5, seed=2)
    torch.testing.assert_close(relative_distance(found, target), relative_distance(found, target.expand(3, -1, -1)))


def test_is_the_mean_product_of_every_two_channels() -> None:
    features = random(2, 3, 4, 5)
    gram = gram_matrix(features)
    assert gram.shape == (2, 3, 3)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                expected = (features[b, i] * features[b, j]).mean().item()
                assert gram[b, i, j].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("positions", [(1, 1), (3, 5), (4, 8), (9, 11), (40, 41)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_of_a_single_picture_nothing_is_left_out(positions: tuple[int, int], order: torch.memory_format) -> None:
    """It is added up in parts, and what does not divide by their number is added as well."""
    features = random(1, 4, *positions).contiguous(memory_format=order)
    expected = torch.einsum("bchw,bdhw->bcd", features.double(), features.double()) / (positions[0] * positions[1])
    torch.testing.assert_close(gram_matrix(features).double(), expected, rtol=1e-5, atol=1e-6)


def test_is_symmetric_and_has_no_negative_eigenvalue() -> None:
    gram = gram_matrix(random(1, 8, 2, 2))
    torch.testing.assert_close(gram, gram.mT)
    assert torch.linalg.eigvalsh(gram).min() > -1e-5


def test_does_not_grow_with_the_picture() -> None:
    features = random(1, 4, 5, 6)
    torch.testing.assert_close(gram_matrix(features.repeat(1, 1, 3, 2)), gram_matrix(features))


def test_one_position_is_an_outer_product() -> None:
    features = torch.tensor([2.0, -3.0]).view(1, 2, 1, 1)
    assert gram_matrix(features).tolist() == [[[4, -6], [-6, 9]]]


def test_bf16_is_summed_in_float32() -> None:
    """A sum of 10 000 ones would stop at 256 in bf16."""
    gram = gram_matrix(torch.ones(1, 1, 100, 100, dtype=torch.bfloat16))
    assert gram.dtype == torch.float32
    assert gram.item() == 1


def test_distance() -> None:
    assert gram_distance(torch.zeros(1, 2, 2), torch.tensor([[[1.0, 2], [3, 4]]])).item() == (1 + 4 + 9 + 16) / 4


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_the_matrix_are_right_whatever_follows(order: torch.memory_format) -> None:
    """Its own backward pass, under upstream gradients that are not symmetric, and once more through itself."""
    features = random(2, 4, 3, 5).double().contiguous(memory_format=order).requires_grad_()
    assert torch.autograd.gradcheck(gram_matrix, (features,))
    assert torch.autograd.gradgradcheck(gram_matrix, (features,))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_gradient_keeps_the_memory_order_of_an_encoder(order: torch.memory_format) -> None:
    features = random(1, 8, 3, 5).contiguous(memory_format=order).requires_grad_()
    gram_matrix(features).sum().backward()
    assert features.grad is not None
    assert torch.allclose(features.grad, 2 * features.sum(1, keepdim=True).expand_as(features) / 15, atol=1e-5)
