"""What every method that works in steps promises besides; see methods_base.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest

from impasto.errors import ImpastoError
from impasto.events import Done, Notice, Preview, Progress
from impasto.image import resize
from impasto.methods import Method, run
from impasto.picture import Pixels
from methods_base import (
    SMALL,
    MethodTests,
    apart,
    events,
    paint,
    painting,
    photo,
    quick,
)


class StepwiseTests(MethodTests):
    """Base of the tests of methods that work in steps."""

    def test_progress_counts_up_and_time_left_runs_out(self, method: Method) -> None:
        told = events(method, photo(side=80), painting(), size=80, steps=5, scales=2)
        steps = [e for e in told if isinstance(e, Progress)]
        assert [e.step for e in steps] == [1, 2, 3, 4, 5]
        assert {e.steps for e in steps} == {5}
        assert [max(e.size) for e in steps] == sorted(max(e.size) for e in steps)
        assert steps[0].size != steps[-1].size == photo(side=80).size
        assert all(0 <= e.seconds_left < float("inf") for e in steps)
        assert steps[-1].seconds_left == 0
        assert [e.seconds for e in steps] == sorted(e.seconds for e in steps)

    def test_losses_have_terms_that_add_up(self, method: Method) -> None:
        told = events(method, photo(), painting(), steps=4)
        for event in told:
            if isinstance(event, Progress | Done):
                losses = dict(event.losses)
                total = losses.pop("total")
                assert losses
                assert total == pytest.approx(sum(losses.values()), rel=1e-4)

    def test_one_more_step_never_ends_worse(self, method: Method) -> None:
        totals = [
            paint(method, photo(), painting(), steps=n, scales=1, optimizer="lbfgs").losses["total"]
            for n in (1, 2, 3, 5)
        ]
        assert totals == sorted(totals, reverse=True)
        assert totals[-1] < totals[0]

    def test_previews_come_at_the_steps_that_were_asked_for(self, method: Method) -> None:
        told = events(method, photo(), painting(), steps=5, scales=1, preview_every=2)
        previews = [e for e in told if isinstance(e, Preview)]
        assert [e.step for e in previews] == [2, 4]
        assert all(e.picture.size == photo().size for e in previews)
        assert apart(previews[0].picture.pixels, previews[1].picture.pixels) > 0
        assert not any(isinstance(e, Preview) for e in events(method, photo(), painting(), steps=2))

    def test_stopped_it_ends_with_the_best_so_far(self, method: Method) -> None:
        stop, seen = StopSignal(), []
        options = quick(method, steps=50, scales=1)
        for event in run(photo(), [painting()], options, stop=stop):
            seen.append(event)
            if isinstance(event, Progress) and event.step == 2:
                stop.set()
        done = seen[-1]
        assert isinstance(done, Done)
        assert done.stopped
        assert sum(isinstance(e, Progress) for e in seen) == 2
        whole = paint(method, photo(), painting(), steps=2, scales=1)
        assert np.array_equal(done.picture.pixels, whole.picture.pixels)
        assert done.losses == whole.losses

    def test_stopped_at_a_coarse_scale_the_result_has_its_full_size(self, method: Method) -> None:
        stop, seen = StopSignal(), []
        for event in run(photo(side=80), [painting()], quick(method, size=80, steps=9, scales=2), stop=stop):
            seen.append(event)
            if isinstance(event, Progress):
                assert max(event.size) == 40
                stop.set()
        done = seen[-1]
        assert isinstance(done, Done)
        assert done.stopped
        assert done.picture.size == photo(side=80).size

    def test_seeds_give_different_noise(self, method: Method) -> None:
        runs = [paint(method, photo(), painting(), init="noise", seed=s).picture.pixels for s in (0, 1)]
        assert apart(*runs) > 0.01

    @pytest.fixture
    def start(self, method: Method) -> Iterator[Any]:
        """What the canvas holds before the first step."""

        def look(**values: Any) -> Pixels:
            stop = StopSignal()
            stop.set()
            *_, done = events(method, photo(), painting(), stop=stop, scales=1, **values)
            assert isinstance(done, Done)
            return done.picture.pixels

        yield look

    def test_begins_with_the_photo(self, start: Any) -> None:
        assert apart(start(init="content"), photo().pixels) < 1e-6

    def test_begins_with_noise(self, start: Any) -> None:
        pixels = start(init="noise", seed=3)
        assert pixels.mean() == pytest.approx(0.5, abs=0.02)
        assert pixels.std() > 0.1
        assert abs(np.corrcoef(pixels.ravel(), photo().pixels.ravel())[0, 1]) < 0.1
        assert np.array_equal(pixels, start(init="noise", seed=3))
        assert not np.array_equal(pixels, start(init="noise", seed=4))

    def test_begins_with_a_file(self, start: Any, tmp_path: Path) -> None:
        from PIL import Image

        Image.fromarray((painting(side=100).pixels * 255).astype(np.uint8)).save(tmp_path / "start ü.png")
        begun = start(init=str(tmp_path / "start ü.png"))
        width, height = photo().size
        assert apart(begun, resize(painting(side=100).pixels, (width, height))) < 0.01

    def test_begins_with_the_fast_result(self, start: Any) -> None:
        from impasto.fast.ghiasi import FastOptions

        *_, done = run(photo(), [painting()], FastOptions(size=SMALL))
        assert isinstance(done, Done)
        assert apart(start(init="fast"), done.picture.pixels) < 1e-4

    def test_a_start_that_is_no_picture_is_refused(self, method: Method, tmp_path: Path) -> None:
        with pytest.raises(ImpastoError, match=r"nosuch\.png"):
            events(method, photo(), painting(), init=str(tmp_path / "nosuch.png"))

    def test_adam_paints_too(self, method: Method) -> None:
        told = events(method, photo(), painting(), optimizer="adam", steps=8, scales=1)
        totals = [e.losses["total"] for e in told if isinstance(e, Progress)]
        assert totals[-1] < totals[0]

    def test_few_pixels_of_a_painting_are_remarked_on(self, method: Method) -> None:
        notices = [e.text for e in events(method, photo(), painting(side=10)) if isinstance(e, Notice)]
        assert any("10x10" in text for text in notices)
        assert not [e for e in events(method, photo(), painting(side=64)) if isinstance(e, Notice)]
