"""The painter, on losses that say plainly what the result has to be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder
from impasto.events import Done, Event, Notice, Preview, Progress
from impasto.image import resize
from impasto.losses import IMAGE, Features, Loss, TotalVariation
from impasto.online.evaluation import Evaluation
from impasto.online.painter import LossAt, paint_pixels
from impasto.online.plan import Plan, Scale
from impasto.online.sight import Sight
from impasto.picture import Picture, Pixels
from methods_base import noise

BLIND = Sight(Encoder("nothing", [], preprocess=nn.Identity()), (), (), torch.device("cpu"))
"""Enough for losses that read the picture itself."""

Size = tuple[int, int]


class Towards(Loss):
    """Squared distance of the picture from another one; 0 there."""

    label = "distance"
    taps = (IMAGE,)

    def __init__(self, pixels: Pixels) -> None:
        super().__init__()
        self.register_buffer("target", torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None], persistent=False)

    def forward(self, features: Features) -> Tensor:
        return (features[IMAGE] - self.target).square().mean()


def towards(picture: Picture) -> LossAt:
    return lambda scale, _: Towards(resize(picture.pixels, scale.size))


def two_scales(size: Size = (40, 26), steps: int = 4, **values: Any) -> Plan:
    return Plan((Scale((size[0] // 2, size[1] // 2), steps), Scale(size, steps)), **values)


def paint(content: Picture, plan: Plan, loss_at: LossAt, stop: StopSignal | None = None) -> list[Event]:
    return list(paint_pixels(content, content.pixels, plan, BLIND, loss_at, stop=stop or StopSignal()))


class TestEvaluation:
    def test_value_gradient_and_terms(self) -> None:
        target = noise(6, 5)
        loss = 3 * Towards(target.pixels) + 0.5 * TotalVariation()
        evaluation = Evaluation(BLIND.encoder, loss)
        pixels = torch.rand(1, 3, 5, 6)
        value, gradient = evaluation(pixels)
        assert value == pytest.approx(sum(evaluation.terms[name] for name in ("distance", "tv")))
        assert evaluation.terms["total"] == value
        leaf = pixels.clone().requires_grad_()
        (expected,) = torch.autograd.grad(loss({IMAGE: leaf}), leaf)
        torch.testing.assert_close(gradient, expected)
        assert not gradient.requires_grad
        assert not pixels.requires_grad

    def test_one_encoder_pass_for_all_taps(self) -> None:
        asked: list[list[str]] = []

        class Watched(Encoder):
            def forward(self, image: Tensor, taps: Any, *, normalised: bool = False) -> dict[str, Tensor]:
                asked.append(list(taps))
                return dict.fromkeys(taps, image * 2)

        class At(Loss):
            def __init__(self, tap: str) -> None:
                super().__init__()
                self.taps, self.label = (tap,), tap

            def forward(self, features: Features) -> Tensor:
                return features[self.taps[0]].square().mean()

        evaluation = Evaluation(
            Watched("watched", [], preprocess=nn.Identity()), At("a") + At("b") + At(IMAGE) + At("a")
        )
        evaluation(torch.rand(1, 3, 4, 4))
        assert asked == [["a", "b"]]


def test_paints_what_the_loss_asks_for() -> None:
    wanted = noise(40, 26, seed=1)
    *_, done = paint(noise(40, 26), Plan((Scale((40, 26), 80),)), towards(wanted))
    assert isinstance(done, Done)
    assert np.abs(done.picture.pixels - resize(wanted.pixels, (40, 26))).max() < 1e-3
    assert done.losses["total"] < 1e-6


def test_goes_through_the_scales_in_order() -> None:
    content, wanted = noise(40, 26), noise(40, 26, seed=1)
    told = paint(content, two_scales(optimizer="adam"), towards(wanted))
    steps = [e for e in told if isinstance(e, Progress)]
    assert steps[-1].seconds_left == 0
    sizes = [e.size for e in steps]
    assert sizes == sorted(sizes)
    assert set(sizes) == {(20, 13), (40, 26)}
    assert [e.step for e in steps] == list(range(1, 9))
    assert {e.steps for e in steps} == {8}
    assert [e.seconds for e in steps] == sorted(e.seconds for e in steps)
    assert all(0 <= e.seconds_left < math.inf for e in steps)


def test_a_finer_scale_begins_with_what_the_coarser_one_painted() -> None:
    starts: list[Tensor] = []

    class Still(Loss):
        """Satisfied with anything, but for the coarse scale's colour."""

        label, taps = "still", (IMAGE,)

        def __init__(self, goal: float | None) -> None:
            super().__init__()
            self.goal = goal

        def forward(self, features: Features) -> Tensor:
            image = features[IMAGE]
            starts.append(image.detach().clone())
            return ((image - self.goal) ** 2).mean() if self.goal is not None else 0 * image.mean()

    flat = Picture(np.full((26, 40, 3), 0.2, np.float32))
    paint(flat, two_scales(steps=10), lambda scale, _: Still(0.9 if scale.size == (20, 13) else None))
    fine = [s for s in starts if s.shape[-1] == 40]
    torch.testing.assert_close(fine[0], torch.full((1, 3, 26, 40), 0.9), rtol=0, atol=1e-2)


def test_result_keeps_what_the_photo_knew_and_has_its_size() -> None:
    alpha = np.random.default_rng(0).random((26, 40), np.float32)
    content = Picture(noise(40, 26).pixels, alpha=alpha, exif=b"x", bit_depth=16)
    stop = StopSignal()
    stop.set()
    *_, done = paint(content, two_scales(), towards(noise(40, 26)), stop)
    assert isinstance(done, Done)
    assert done.stopped
    assert done.picture.size == (40, 26)
    assert done.picture.alpha is content.alpha
    assert (done.picture.exif, done.picture.bit_depth) == (b"x", 16)


def test_previews_at_the_steps_that_were_asked_for() -> None:
    told = paint(noise(40, 26), two_scales(steps=5, preview_every=3), towards(noise(40, 26, 1)))
    previews = [(e.step, e.picture.size) for e in told if isinstance(e, Preview)]
    made = [e.step for e in told if isinstance(e, Progress)]
    assert previews
    assert previews[0] == (3, (20, 13))
    assert [step for step, _ in previews] == [step for step in made if step % 3 == 0]


def test_stop_ends_with_the_best_so_far() -> None:
    content, wanted = noise(40, 26), noise(40, 26, seed=1)
    stop, told = StopSignal(), []
    plan = Plan((Scale((40, 26), 50),), optimizer="lbfgs")
    for event in paint_pixels(content, content.pixels, plan, BLIND, towards(wanted), stop=stop):
        told.append(event)
        if isinstance(event, Progress) and event.step == 2:
            stop.set()
    done = told[-1]
    assert isinstance(done, Done)
    assert done.stopped
    assert sum(isinstance(e, Progress) for e in told) == 2
    target = resize(wanted.pixels, (40, 26))
    assert float(np.square(done.picture.pixels - target).mean()) == pytest.approx(done.losses["total"], rel=1e-3)
    assert done.losses["total"] < float(np.square(content.pixels - target).mean())


def test_a_stop_after_the_last_step_changes_nothing() -> None:
    stop, told = StopSignal(), []
    content = noise(20, 20)
    loss_at = towards(noise(20, 20, 1))
    plan = Plan((Scale((20, 20), 3),), optimizer="adam")
    for event in paint_pixels(content, content.pixels, plan, BLIND, loss_at, stop=stop):
        told.append(event)
        if isinstance(event, Progress) and event.step == 3:
            stop.set()
    assert isinstance(told[-1], Done)
    assert not told[-1].stopped


def test_when_nothing_is_left_to_improve_it_goes_on() -> None:
    """A picture that already agrees: each scale is left early, with a word, and the time left still ends at 0."""
    flat = Picture(np.full((26, 40, 3), 0.5, np.float32))
    told = paint(flat, two_scales(steps=40), towards(flat))
    done = told[-1]
    assert isinstance(done, Done)
    assert not done.stopped
    assert np.array_equal(done.picture.pixels, flat.pixels)
    remarks = [e.text for e in told if isinstance(e, Notice)]
    assert len(remarks) == 2
    assert all("nothing left to improve" in text for text in remarks)
    steps = [e for e in told if isinstance(e, Progress)]
    assert 0 < len(steps) < 30
    assert steps[-1].seconds_left == 0
    assert steps[-1].losses["total"] == 0


class Failing(Towards):
    """NaN at certain calls, counted over all scales."""

    def __init__(self, pixels: Pixels, calls: Iterator[int], bad: Callable[[int], bool]) -> None:
        super().__init__(pixels)
        self.calls, self.bad = calls, bad

    def forward(self, features: Features) -> Tensor:
        value = super().forward(features)
        return value * math.nan if self.bad(next(self.calls)) else value


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("bad", [{1}, {2}, {1, 2, 3}, {4}], ids=str)
def test_not_a_number_is_recovered_from_and_told(optimizer: Any, bad: set[int]) -> None:
    """Call 0 is L-BFGS' look at its start; 1 is its first step."""
    content, wanted = noise(40, 26), noise(40, 26, seed=1)
    calls = itertools.count(0 if optimizer == "lbfgs" else 1)
    told = paint(
        content,
        Plan((Scale((40, 26), 25),), optimizer=optimizer),
        lambda scale, _: Failing(resize(wanted.pixels, scale.size), calls, lambda n: n in bad),
    )
    done = told[-1]
    assert isinstance(done, Done)
    assert np.isfinite(done.picture.pixels).all()
    target = resize(wanted.pixels, (40, 26))
    assert np.square(done.picture.pixels - target).mean() < 0.5 * np.square(content.pixels - target).mean()
    warnings = [e for e in told if isinstance(e, Notice) and e.level == "warning"]
    assert len(warnings) == 1
    assert warnings[0].text.startswith(f"{len(bad)} step")
    for event in told:
        if isinstance(event, Progress | Done) and not (optimizer == "adam" and isinstance(event, Progress)):
            assert {"distance", "total"} == set(event.losses)
            assert all(math.isfinite(value) for value in event.losses.values())


def test_losses_that_are_told_never_rise_within_a_scale() -> None:
    """They are those of the picture that is kept, not of a trial that was taken back."""

    class Rugged(Towards):
        def forward(self, features: Features) -> Tensor:
            image = features[IMAGE]
            return super().forward(features) + 0.02 * (40 * image).sin().square().mean()

    told = paint(
        noise(40, 26),
        Plan((Scale((40, 26), 40),)),
        lambda scale, _: Rugged(resize(noise(40, 26, 1).pixels, scale.size)),
    )
    totals = [e.losses["total"] for e in told if isinstance(e, Progress)]
    assert totals == sorted(totals, reverse=True)
    done = told[-1]
    assert isinstance(done, Done)
    assert done.losses["total"] == totals[-1]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_same_pixels_twice(optimizer: Any) -> None:
    runs = [paint(noise(40, 26), two_scales(optimizer=optimizer), towards(noise(40, 26, 1)))[-1] for _ in range(2)]
    assert isinstance(runs[0], Done)
    assert isinstance(runs[1], Done)
    assert np.array_equal(runs[0].picture.pixels, runs[1].picture.pixels)


def test_the_start_may_have_another_size() -> None:
    content = noise(40, 26)
    told = paint_pixels(
        content, noise(100, 7, 2).pixels, two_scales(), BLIND, towards(noise(40, 26, 1)), stop=StopSignal()
    )
    *_, done = told
    assert isinstance(done, Done)
    assert done.picture.size == (40, 26)
