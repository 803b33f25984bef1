"""L-BFGS in a box."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
import torch
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.online import lbfgs
from impasto.online.lbfgs import HISTORY, LEAST_HISTORY, MEMORY, PATIENCE, Evaluate, Lbfgs, memory_of_pairs, pairs_kept

NAN = math.nan


def evaluate(function: Callable[[Tensor], Tensor]) -> Evaluate:
    """A function as the optimiser wants it."""

    def run(x: Tensor) -> tuple[float, Tensor]:
        x = x.detach().requires_grad_()
        value = function(x)
        (gradient,) = torch.autograd.grad(value, x)
        return float(value.detach()), gradient

    return run


def quadratic(target: Tensor, condition: float = 100.0) -> Callable[[Tensor], Tensor]:
    """A bowl whose steepest direction is `condition` times as steep as its flattest; least at `target`, with 0."""
    scale = torch.logspace(0, math.log10(condition), target.numel(), dtype=target.dtype).view_as(target)
    return lambda x: (scale * (x - target).square()).sum()


def rosenbrock(x: Tensor) -> Tensor:
    """The banana, least at (1, 1), scaled into [0, 1]: there at (0.75, 0.75)."""
    u, v = x.flatten() * 4 - 2
    return (1 - u) ** 2 + 100 * (v - u**2) ** 2


def minimise(function: Callable[[Tensor], Tensor], start: Tensor, steps: int = 400) -> Lbfgs:
    optimiser = Lbfgs(start, evaluate(function))
    for _ in range(steps):
        optimiser.step()
    return optimiser


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(("condition", "close"), [(1.0, 1e-6), (100.0, 1e-6), (1e4, 1e-4)])
def test_finds_the_bottom_of_a_bowl(condition: float, close: float) -> None:
    target = 0.1 + 0.8 * random(1, 3, 4, 5, seed=1)
    found = minimise(quadratic(target, condition), random(1, 3, 4, 5), steps=800)
    torch.testing.assert_close(found.x, target, rtol=0, atol=close)
    assert found.recovered == 0


def test_finds_the_bottom_of_a_bowl_in_float32() -> None:
    target = 0.1 + 0.8 * random(1, 3, 4, 5, seed=1, dtype=torch.float32)
    found = minimise(quadratic(target), random(1, 3, 4, 5, dtype=torch.float32))
    torch.testing.assert_close(found.x, target, rtol=0, atol=1e-4)


@pytest.mark.parametrize("start", [(0.2, 0.75), (0.9, 0.1), (0.0, 0.0), (0.5, 0.5)])
def test_walks_along_the_banana(start: tuple[float, float]) -> None:
    found = minimise(rosenbrock, torch.tensor(start, dtype=torch.float64))
    torch.testing.assert_close(found.x, torch.full((2,), 0.75, dtype=torch.float64), rtol=0, atol=1e-4)


@pytest.mark.parametrize("condition", [100.0, 1e3, 1e4])
def test_keeps_up_with_scipys(condition: float) -> None:
    """Scipy's L-BFGS-B of the same memory is not beyond us by more than half of the evaluations."""
    target, start = 0.1 + 0.8 * random(60, seed=1), random(60)
    function = quadratic(target, condition)

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = evaluate(function)(torch.from_numpy(x))
        return loss, gradient.numpy()

    limits = {"maxcor": HISTORY, "maxfun": 120, "maxiter": 120, "ftol": 0, "gtol": 0}
    box = [(0, 1)] * 60
    peer = scipy.optimize.minimize(flat, start.numpy(), jac=True, method="L-BFGS-B", bounds=box, options=limits)
    assert minimise(function, start, steps=180).loss <= peer.fun


@pytest.mark.parametrize("function", [rosenbrock, quadratic(torch.tensor([1.3, -0.4]))])
def test_never_uphill_and_never_outside(function: Callable[[Tensor], Tensor]) -> None:
    seen: list[Tensor] = []
    inner = evaluate(function)

    def watch(x: Tensor) -> tuple[float, Tensor]:
        seen.append(x.clone())
        return inner(x)

    optimiser = Lbfgs(torch.tensor([0.1, 0.9]), watch)
    losses = [optimiser.loss, *(optimiser.step() for _ in range(60))]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    for x in [*seen, optimiser.x]:
        assert x.min() >= 0
        assert x.max() <= 1
    assert optimiser.loss == inner(optimiser.x)[0]


def test_minimum_at_the_edge() -> None:
    """Where the bowl's bottom lies outside, the nearest point of the box is the answer, to the last bit."""
    target = torch.tensor([-0.5, 0.3, 1.7, 0.6], dtype=torch.float64)
    found = minimise(quadratic(target), torch.full((4,), 0.5, dtype=torch.float64))
    assert found.x[0] == 0
    assert found.x[2] == 1
    torch.testing.assert_close(found.x[[1, 3]], target[[1, 3]], rtol=0, atol=1e-6)


def test_minimum_at_the_edge_of_coupled_pixels() -> None:
    """Not the clamped unconstrained minimum: what is free makes up for what is not."""
    a = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    b = torch.tensor([-0.5, 0.5], dtype=torch.float64)
    found = minimise(lambda x: x @ a @ x / 2 - b @ x, torch.tensor([0.9, 0.9], dtype=torch.float64))
    torch.testing.assert_close(found.x, torch.tensor([0.0, 0.25], dtype=torch.float64), rtol=0, atol=1e-6)


def test_start_outside_is_brought_in() -> None:
    start = torch.tensor([-3.0, 0.5, 9.0])
    optimiser = Lbfgs(start, evaluate(quadratic(torch.full((3,), 0.5))))
    assert optimiser.x.tolist() == [0, 0.5, 1]
    assert start.tolist() == [-3, 0.5, 9]


def test_start_is_not_changed() -> None:
    start = random(5)
    before = start.clone()
    minimise(quadratic(random(5, seed=1)), start, steps=5)
    assert torch.equal(start, before)


def test_at_the_minimum_it_stays_and_says_so() -> None:
    target = random(5, dtype=torch.float32)
    found = minimise(quadratic(target), target, steps=20)
    assert torch.equal(found.x, target)
    assert found.stalled
    assert found.recovered == 0


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_trial_that_is_not_finite_is_taken_back_and_counted(where: str) -> None:
    target = 0.1 + 0.8 * random(6, seed=1)
    inner, calls = evaluate(quadratic(target)), 0

    def sometimes(x: Tensor) -> tuple[float, Tensor]:
        nonlocal calls
        calls += 1
        loss, gradient = inner(x)
        if calls in (3, 4, 9):
            return (NAN, gradient) if where == "loss" else (loss, gradient * NAN)
        return loss, gradient

    optimiser = Lbfgs(random(6), sometimes)
    for _ in range(100):
        assert math.isfinite(optimiser.step())
        assert optimiser.x.isfinite().all()
    assert optimiser.recovered == 3
    torch.testing.assert_close(optimiser.x, target, rtol=0, atol=1e-6)


def test_an_infinite_loss_counts_as_well() -> None:
    inner = evaluate(quadratic(torch.full((3,), 0.9)))

    def walled(x: Tensor) -> tuple[float, Tensor]:
        return (math.inf, x) if x.max() > 0.6 else inner(x)

    optimiser = Lbfgs(torch.full((3,), 0.5), walled)
    before = optimiser.loss
    for _ in range(30):
        optimiser.step()
    assert optimiser.recovered > 0
    assert optimiser.loss < before
    assert optimiser.x.max() <= 0.6


def test_before_a_wall_of_nan_it_stalls() -> None:
    """It neither walks into the wall nor tries for ever."""
    start, calls = torch.full((3,), 0.5), 0

    def wall(x: Tensor) -> tuple[float, Tensor]:
        nonlocal calls
        calls += 1
        return (1.0, torch.ones(3)) if torch.equal(x, start) else (NAN, torch.full((3,), NAN))

    optimiser = Lbfgs(start, wall)
    losses = [optimiser.step() for _ in range(50)]
    assert set(losses) == {1.0}
    assert torch.equal(optimiser.x, start)
    assert optimiser.stalled
    assert optimiser.recovered == PATIENCE == calls - 1


def test_a_gradient_that_lies_ends_at_the_start() -> None:
    """Every step is uphill; the result is not worse than the start, and the search gives up."""
    start = torch.full((3,), 0.5)
    inner = evaluate(quadratic(start))
    optimiser = Lbfgs(start, lambda x: (inner(x)[0], torch.ones(3)))
    for _ in range(30):
        optimiser.step()
    assert optimiser.stalled
    assert optimiser.loss == 0
    assert torch.equal(optimiser.x, start)


def test_a_start_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ImpastoError, match="not finite"):
        Lbfgs(torch.full((3,), 0.5), lambda x: (NAN, x))


def test_same_bits_twice() -> None:
    runs = [minimise(quadratic(random(40, seed=1)), random(40), steps=15) for _ in range(2)]
    assert torch.equal(runs[0].x, runs[1].x)


def test_one_evaluation_a_step() -> None:
    calls = 0

    def counted(x: Tensor) -> tuple[float, Tensor]:
        nonlocal calls
        calls += 1
        return evaluate(rosenbrock)(x)

    optimiser = Lbfgs(torch.tensor([0.2, 0.75]), counted)
    for step in range(1, 20):
        optimiser.step()
        assert calls == step + 1


def test_history_is_bounded_and_a_short_one_works() -> None:
    target = 0.1 + 0.8 * random(12, seed=1)
    optimiser = Lbfgs(random(12), evaluate(quadratic(target)), history=2)
    for _ in range(300):
        optimiser.step()
    torch.testing.assert_close(optimiser.x, target, rtol=0, atol=1e-5)


def wall(shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """Like a loss on pictures: stiff for what changes from pixel to pixel, and not equally so everywhere."""
    weight = 1 + 50 * random(*shape, seed=2)
    target = 0.2 + 0.6 * random(*shape, seed=1)

    def function(x: Tensor) -> Tensor:
        error = x - target
        return (weight * error).square().mean() + 1e3 * error.mean((-2, -1)).square().sum()

    return function


@pytest.mark.parametrize(("steps", "factor"), [(lbfgs.KNOWN - 3, 1), (lbfgs.KNOWN + 5, 2.0)])
def test_the_guess_is_bold_once_enough_is_known(steps: int, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a gradient has nothing to do with any pair, only the guess says how far to go."""
    optimiser = Lbfgs(0.2 + 0.6 * random(60), evaluate(lambda x: (torch.linspace(1, 40, 60) * (x - 0.5) ** 4).sum()))
    for _ in range(steps):
        optimiser.step()
    pairs = torch.stack([part for s, y, _ in optimiser._pairs for part in (s, y)])
    basis = torch.linalg.qr(pairs.T)[0]
    free = random(60, seed=3) - 0.5
    optimiser._gradient = free - basis @ (basis.T @ free)
    bold = optimiser._search_direction()
    monkeypatch.setattr(lbfgs, "BOLD", 1.0)
    torch.testing.assert_close(bold, factor * optimiser._search_direction(), rtol=1e-2, atol=1e-5)


def test_after_failures_the_newest_pair_is_left() -> None:
    weight, fine = torch.linspace(1, 30, 40), 8

    def worsens(x: Tensor) -> tuple[float, Tensor]:
        nonlocal fine
        fine -= 1
        error = x - 0.5
        return (float((weight * error).square().sum()) if fine > 0 else 1e9), 2 * weight**2 * error

    optimiser = Lbfgs(random(40), worsens)
    while fine > 0:
        optimiser.step()
    known = len(optimiser._pairs)
    for _ in range(PATIENCE // 3 - 1):
        optimiser.step()
    assert known > 1
    assert len(optimiser._pairs) == 1


def test_a_pair_that_misleads_is_forgotten_in_the_end() -> None:
    """Of a gradient that was 1e12 times too large once: no step by it is long enough to change a loss in float32."""
    weight, start = torch.linspace(1, 30, 40), random(40).float()
    earlier = Lbfgs(start, evaluate(lambda x: (1e12 * (weight * (x - 0.5)).square()).sum()))
    while len(earlier._pairs) < 1:
        earlier.step()
    optimiser = Lbfgs(start, evaluate(lambda x: (weight * (x - 0.5)).square().sum() + 100), known=earlier)
    for _ in range(100):
        optimiser.step()
    torch.testing.assert_close(optimiser.x, torch.full((40,), 0.5), rtol=0, atol=1e-2)


def test_a_longer_memory_saves_steps() -> None:
    function, start = wall((1, 3, 12, 16)), random(1, 3, 12, 16)
    losses = []
    for history in (5, LEAST_HISTORY, HISTORY):
        optimiser = Lbfgs(start, evaluate(function), history=history)
        for _ in range(120):
            optimiser.step()
        losses.append(optimiser.loss)
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize(("pixels", "pairs"), [(1, 100), (128 * 96, 100), (512 * 384, 100), (1024 * 768, 28)])
def test_memory_is_long_where_pairs_are_small(pixels: int, pairs: int) -> None:
    assert pairs_kept(3 * pixels) == pairs
    assert pairs <= HISTORY
    assert 2 * 4 * 3 * pixels * pairs <= MEMORY


@pytest.mark.parametrize(("pixels", "pairs"), [(1600 * 1200, 20), (2000 * 1500, 14), (4000 * 3000, 3), (10**9, 3)])
def test_a_huge_picture_keeps_few_pairs(pixels: int, pairs: int) -> None:
    assert pairs_kept(3 * pixels) == pairs


def test_the_pairs_memory_is_told_and_never_falls() -> None:
    told = [memory_of_pairs(numbers) for numbers in range(10**5, 10**8, 10**5)]
    assert told == sorted(told)
    assert all(24 * n * pairs_kept(3 * n) <= memory_of_pairs(3 * n) for n in range(10**4, 10**7, 10**4))


@pytest.mark.parametrize(("given", "kept"), [(None, HISTORY), (3, 3)])
def test_no_more_pairs_than_said(given: int | None, kept: int) -> None:
    optimiser = Lbfgs(random(1, 3, 12, 16), evaluate(wall((1, 3, 12, 16))), history=given)
    for _ in range(HISTORY + 30):
        optimiser.step()
    assert len(optimiser._pairs) == kept
