"""TotalVariation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses import IMAGE, Loss, TotalVariation, total_variation

from .base import LossTests


class TestTotalVariation(LossTests):
    tap = IMAGE
    shape = (2, 3, 5, 4)

    def make(self, target: Tensor) -> Loss:
        return TotalVariation()

    def target(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Flat, each channel on its own."""
        return torch.tensor([0.2, 0.5, 1.0], dtype=dtype).view(1, 3, 1, 1).repeat(2, 1, 5, 4)


def test_by_hand() -> None:
    image = torch.tensor([[0.0, 1.0], [3.0, 7.0]]).view(1, 1, 2, 2)
    assert total_variation(image).item() == (3**2 + 6**2 + 1**2 + 4**2) / 4


@pytest.mark.parametrize(("height", "width"), [(1, 6), (6, 1)])
def test_a_single_row_or_column(height: int, width: int) -> None:
    ramp = torch.arange(6.0).view(1, 1, height, width)
    assert total_variation(ramp).item() == pytest.approx(5 / 6)


def test_a_single_pixel_is_flat() -> None:
    image = torch.rand(1, 3, 1, 1, requires_grad=True)
    value = total_variation(image)
    assert value.item() == 0
    value.backward()
    assert image.grad is not None
    assert not image.grad.any()


def test_turning_and_mirroring_change_nothing() -> None:
    image = torch.rand(1, 3, 6, 9)
    for other in (image.flip(2), image.flip(3), image.mT, image + 0.3):
        torch.testing.assert_close(total_variation(other), total_variation(image))


def test_grain_counts_more_than_a_slope() -> None:
    slope = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    grain = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert total_variation(grain) > 10 * total_variation(slope)
