"""Adam in a box."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from impasto.online.adam import AVERAGE, Adam

TARGET = torch.tensor([0.2, 0.5, 0.85])


def bowl(x: Tensor) -> tuple[float, Tensor]:
    return float((x - TARGET).square().sum()), 2 * (x - TARGET)


def test_converges_on_a_bowl() -> None:
    optimiser = Adam(torch.tensor([0.9, 0.1, 0.4]), bowl)
    for _ in range(600):
        optimiser.step()
    torch.testing.assert_close(optimiser.x, TARGET, rtol=0, atol=5e-3)


def test_first_step_has_the_length_of_the_rate_whatever_the_gradient() -> None:
    for gain in (1e-6, 1.0, 1e6):
        optimiser = Adam(torch.full((3,), 0.5), lambda x, gain=gain: (1.0, torch.tensor([gain, -gain, 0])), rate=0.03)
        optimiser.step()
        torch.testing.assert_close(optimiser.x, torch.tensor([0.47, 0.53, 0.5]), rtol=0, atol=1e-4)


def test_never_leaves_the_box_and_reaches_its_edge() -> None:
    seen: list[Tensor] = []

    def outward(x: Tensor) -> tuple[float, Tensor]:
        seen.append(x.clone())
        return 1.0, torch.tensor([5.0, -5.0])

    optimiser = Adam(torch.tensor([-2.0, 0.6]), outward, rate=0.1)
    for _ in range(300):
        optimiser.step()
    assert all(x.min() >= 0 and x.max() <= 1 for x in seen)
    assert seen[0].tolist() == pytest.approx([0, 0.6])
    torch.testing.assert_close(optimiser.x, torch.tensor([0.0, 1.0]), rtol=0, atol=1e-3)


def test_result_is_the_average_of_the_iterates() -> None:
    seen: list[Tensor] = []

    def watched(x: Tensor) -> tuple[float, Tensor]:
        seen.append(x.clone())
        return bowl(x)

    optimiser = Adam(torch.full((3,), 0.5), watched)
    assert optimiser.x.tolist() == [0.5, 0.5, 0.5]
    results = []
    for _ in range(7):
        optimiser.step()
        results.append(optimiser.x)
    mean, weight = torch.zeros(3), 0.0
    for x, result in zip(seen[1:], results[:-1], strict=True):  # an iterate is seen at the next step
        mean, weight = mean * AVERAGE + x, weight * AVERAGE + 1
        torch.testing.assert_close(result, mean / weight)


def test_average_is_steadier_than_the_iterates() -> None:
    generator = torch.Generator().manual_seed(0)
    seen: list[Tensor] = []

    def noisy(x: Tensor) -> tuple[float, Tensor]:
        seen.append(x.clone())
        loss, gradient = bowl(x)
        return loss, gradient + torch.randn(3, generator=generator)

    optimiser = Adam(TARGET, noisy)
    averages = [optimiser.x]
    for _ in range(300):
        optimiser.step()
        averages.append(optimiser.x)
    away = [torch.stack([(x - TARGET).abs().mean() for x in path[150:]]).mean() for path in (averages, seen)]
    assert away[0] < 0.7 * away[1]


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_is_left_out_and_counted(where: str) -> None:
    calls = 0

    def sometimes(x: Tensor) -> tuple[float, Tensor]:
        nonlocal calls
        calls += 1
        loss, gradient = bowl(x)
        if calls in (3, 50):
            return (math.nan, gradient) if where == "loss" else (loss, gradient * math.inf)
        return loss, gradient

    optimiser = Adam(torch.tensor([0.9, 0.1, 0.4]), sometimes)
    for _ in range(600):
        assert math.isfinite(optimiser.step())
    assert optimiser.recovered == 2
    assert not optimiser.stalled
    torch.testing.assert_close(optimiser.x, TARGET, rtol=0, atol=5e-3)


def test_start_is_not_changed() -> None:
    start = torch.full((3,), 0.5)
    optimiser = Adam(start, bowl)
    for _ in range(5):
        optimiser.step()
    assert start.tolist() == [0.5, 0.5, 0.5]
    assert optimiser.x.tolist() != [0.5, 0.5, 0.5]


def test_same_bits_twice() -> None:
    runs = []
    for _ in range(2):
        optimiser = Adam(torch.full((3,), 0.4), bowl)
        for _ in range(20):
            optimiser.step()
        runs.append(optimiser.x)
    assert torch.equal(*runs)
