"""What methods say of the memory that they take, against what they do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import impasto
from impasto import machine
from impasto.errors import LimitError
from impasto.events import Event
from impasto.losses import IMAGE, Additive, Loss
from impasto.methods import METHODS, Method, get_method
from impasto.online import easel, inversion, texture
from impasto.online import plan as planning
from impasto.online.evaluation import leaves
from impasto.picture import Picture
from methods_base import events, noise, painting, photo, takes_steps

ONLINE = [m for m in METHODS.values() if takes_steps(m)]
WHOLE = [m for m in ONLINE if m.name in {"cnnmrf", "nnst", "risser", "strotss", "swd"}]
"""Those that cannot be seen in tiles."""

LIMIT = 1.4
"""An estimate over what is measured, at most: a run that would fit is not to be refused."""

SPENT = """
import json, resource, sys

import numpy as np

from impasto.methods import get_method, run
from impasto.online.memory import Memory
from impasto.picture import Picture

fitting, at_plan = Memory.fitting_tile, []


def watched(self, size):
    now = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
    at_plan.append((self.of(size), now))
    return fitting(self, size)


Memory.fitting_tile = watched
name, values = sys.argv[1], json.loads(sys.argv[2])
pictures = [Picture(np.random.default_rng(n).random((512, 512, 3), np.float32)) for n in range(2)]
options = get_method(name).options_class(steps=2, scales=1, precision="fp32", optimizer="adam", **values)
for _ in run(pictures[0], pictures[1:], options):
    pass
estimate, before = at_plan[0]
print(estimate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
"""
"""Adam's steps, of which the second takes as much as all others; what L-BFGS remembers besides is known exactly."""


class BegunError(Exception):
    """Nothing has refused it."""


def begun(*_: Any, **__: Any) -> Any:
    raise BegunError


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says how many bytes are free."""
    return lambda amount: monkeypatch.setattr(machine, "available_memory", lambda: int(amount))


@pytest.mark.parametrize("method", ONLINE, ids=lambda m: m.name)
@pytest.mark.parametrize("preset", ["best", "paper"])
def test_a_method_that_says_that_it_can_be_tiled_can(
    method: Method, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other can."""
    if preset == "paper" and method.name == "risser":
        pytest.skip("there is none")
    said: list[bool] = []
    found: list[Loss] = []

    def plan(*args: Any, **values: Any) -> planning.Plan:
        said.append(values["tiles"])
        return planning.plan(*args, **values)

    def paint_pixels(_: Any, start: Any, stages: Any, __: Any, loss_at: Any, **___: Any) -> Iterator[Event]:
        found.extend(leaf for _, leaf in leaves(loss_at(stages.scales[-1], start)))
        yield from ()

    monkeypatch.setattr(easel, "plan", plan)
    monkeypatch.setattr(easel, "paint_pixels", paint_pixels)
    events(method, photo(), painting(), preset=preset)
    tiled = [leaf.taps == (IMAGE,) or (isinstance(leaf, Additive) and IMAGE not in leaf.taps) for leaf in found]
    assert said == [all(tiled)]


@pytest.mark.parametrize("method", WHOLE, ids=lambda m: m.name)
class TestWhole:
    def kept(self, method: Method, monkeypatch: pytest.MonkeyPatch, *styles: Picture, **values: Any) -> Any:
        """What the plan is told that the loss takes."""
        told = []

        def plan(*_: Any, **given: Any) -> planning.Plan:
            told.append(given["kept"])
            raise LimitError("seen enough")

        monkeypatch.setattr(easel, "plan", plan)
        with pytest.raises(LimitError, match="seen enough"):
            events(method, photo(), *styles, **values)
        return told[0]

    def test_larger_paintings_and_more_of_them_take_more(self, method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
        one, two, large = (
            self.kept(method, monkeypatch, *[painting()] * count, style_scale=scale).canvas
            for count, scale in ((1, 1.0), (2, 1.0), (1, 4.0))
        )
        assert one < two < large
        assert large > 4 * two / 2

    def test_what_does_not_fit_is_refused_once_and_before_any_work(
        self, method: Method, free: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The size that is named fits, and is about the largest."""
        free(3e9)
        monkeypatch.setattr(easel, "prepare", begun)
        with pytest.raises(LimitError, match=r"takes .* GB of memory, 3 GB are free; mend: --size \d+$") as refused:
            events(method, noise(64, 48), painting(), size=8000, steps=100)
        fits = int(str(refused.value).rpartition(" ")[2])

        with pytest.raises(BegunError):
            events(method, noise(64, 48), painting(), size=fits, steps=100)
        with pytest.raises(LimitError):
            events(method, noise(64, 48), painting(), size=round(1.1 * fits), steps=100)


def test_textures_and_memories_are_refused_before_any_work(free: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    free(3e9)
    for job in (texture, inversion):
        monkeypatch.setattr(job, "paint_pixels", begun)
    nnst, gatys = (get_method(name).options_class for name in ("nnst", "gatys"))
    with pytest.raises(LimitError, match=r"takes .* GB of memory, 3 GB are free; mend: --size \d+$"):
        impasto.texture(painting(), options=nnst(), size=(8000, 8000))
    with pytest.raises(LimitError, match="GB of memory"):
        impasto.reconstruct(noise(3000, 2000), "relu3_1", options=nnst(size=3000), style=True)
    with pytest.raises(BegunError):  # in tiles
        impasto.reconstruct(noise(3000, 2000), "relu3_1", options=gatys(size=3000), style=True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "values"),
    [*((m.name, {}) for m in ONLINE), ("nnst", {"size": 256, "style_scale": 4.0})],
    ids=lambda v: v if isinstance(v, str) else "-".join(v),
)
def test_estimates_are_enough_and_not_far_off(name: str, values: dict[str, Any]) -> None:
    """In a process of its own, whose peak is this run's."""
    told = subprocess.run([sys.executable, "-c", SPENT, name, json.dumps(values)], check=True, capture_output=True)
    estimate, measured = map(float, told.stdout.split()[-2:])
    assert measured <= estimate <= LIMIT * measured, f"{estimate / 1e9:.2f} against {measured / 1e9:.2f} GB"
