"""Checkpoints of whole methods: an interrupted run goes on exactly, whatever its options."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from impasto.encoders.encoder import Encoder
from impasto.errors import OptionError
from impasto.events import Done, Event, Notice, Progress
from impasto.methods import METHODS, method_of, run
from impasto.online import checkpoint, identity
from impasto.online.checkpoint import Checkpoint, read_head
from impasto.online.sight import Sight
from impasto.picture import Pixels
from methods_base import noise

BLIND = Sight(Encoder("nothing", [], preprocess=nn.Identity()), (), (), torch.device("cpu"))
SIZE = (40, 26)
RUN = {"method": "none", "photo": "", "paintings": [], "files": {}, "options": {}, "usual": {}}
SLOW = pytest.mark.slow
ONLINE = [m.name for m in METHODS.values() if m.module.startswith("impasto.online.")]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is saved after every step."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "REST", 0.0)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "run.ckpt"


def steps(told: list[Event]) -> list[int]:
    return [event.step for event in told if isinstance(event, Progress)]


def texts(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Notice)]


def pixels(told: list[Event]) -> Pixels:
    assert isinstance(told[-1], Done)
    return told[-1].picture.pixels


def options(name: str, **values: Any) -> Any:
    usual = {"size": 48, "steps": 16, "scales": 2, "encoder": "efficientnet-lite0"}
    return METHODS[name].options_class(**{**usual, **values})


def painted(chosen: Any, *, until: int = 10**6, content: int = 0, style: int = 5, stop: bool = False) -> list[Event]:
    told, signal = [], StopSignal()
    for event in run(noise(48, 40, content), [noise(40, 44, style)], chosen, stop=signal):
        told.append(event)
        if isinstance(event, Progress) and event.step == until:
            if not stop:
                break
            signal.set()
    return told


@pytest.mark.usefixtures("always")
class TestMethods:
    @pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW if n == "strotss" else ()) for n in ONLINE])
    def test_each_goes_on_exactly(self, kept: Path, name: str) -> None:
        whole = painted(options(name))
        for killed in (4, 11):  # at the first size and at the second, inside a turn
            painted(options(name, checkpoint=kept), until=killed)
        told = painted(options(name, checkpoint=kept))
        assert f"goes on after step 10 of 16 from {kept}" in texts(told)
        assert np.array_equal(pixels(told), pixels(whole))

    def test_mixed_scales_and_grey_painting(self, kept: Path) -> None:
        chosen = options("gatys", mix_scales=True, keep_color="luminance", style_layers=("stem", "block2_2"))
        pair = [noise(40, 44, 5), noise(44, 40, 6)]
        *_, whole = run(noise(48, 40), pair, chosen)
        chosen = dataclasses.replace(chosen, checkpoint=kept)
        for event in run(noise(48, 40), pair, chosen):
            if isinstance(event, Progress) and event.step == 12:
                break
        told = list(run(noise(48, 40), pair, chosen))
        assert steps(told)[0] == 12
        assert isinstance(whole, Done)
        assert np.array_equal(pixels(told), whole.picture.pixels)

    def test_another_precision_goes_on_downhill(self, kept: Path) -> None:
        painted(options("gatys", checkpoint=kept, precision="bf16"), until=6)
        told = painted(options("gatys", checkpoint=kept, precision="fp32"))
        assert "it was begun with cpu, bfloat16, no tiles; cpu, float32, no tiles rounds" in texts(told)[1]
        totals = [e.losses["total"] for e in told if isinstance(e, Progress) and e.size == (48, 40)]
        assert all(later <= earlier for earlier, later in pairwise(totals))
        *_, whole = painted(options("gatys", precision="fp32"))
        assert isinstance(whole, Done)
        assert totals[-1] == pytest.approx(whole.losses["total"], rel=0.1)

    def test_another_run_is_told_what_differs(self, kept: Path, tmp_path: Path) -> None:
        for name, shade in (("a.png", 0), ("b.png", 30)):
            half = np.full((20, 20), 255, np.uint8)
            half[:, :10] = shade
            Image.fromarray(half).save(tmp_path / name)
        usual = options("gatys", checkpoint=kept, mask=(tmp_path / "a.png",))
        painted(usual, until=4)
        before = kept.read_bytes()

        def refused(chosen: Any, **pictures: int) -> str:
            with pytest.raises(OptionError) as caught:
                painted(chosen, **pictures)
            assert kept.read_bytes() == before
            assert str(caught.value).startswith(f"{kept} holds a run ")
            assert str(caught.value).endswith("; mend: give the same again, or name another file with --checkpoint")
            return str(caught.value).removeprefix(f"{kept} holds a run ").partition(";")[0]

        change = dataclasses.replace
        assert refused(usual, content=1) == "of another photo"
        assert refused(usual, style=1) == "of other paintings"
        assert refused(options("w2", checkpoint=kept)) == "of gatys, not of w2"
        assert refused(change(usual, strength=0.7)) == "with --strength 0.5, not with --strength 0.7"
        assert refused(change(usual, tv=0.1)) == "without --tv, not with --tv 0.1"
        assert refused(change(usual, mask=(tmp_path / "b.png",))) == "with another --mask"
        assert refused(change(usual, mask=())) == "with another --mask"
        assert refused(change(usual, init=str(tmp_path / "a.png"))) == "without --init"
        assert refused(change(usual, style_layers=("stem",))) == "without --style-layers, not with --style-layers stem"

    def test_names_and_what_changes_nothing_are_free(self, kept: Path, tmp_path: Path) -> None:
        mask = tmp_path / "a.png"
        Image.fromarray(np.full((20, 20), 255, np.uint8)).save(mask)
        painted(options("gatys", checkpoint=kept, mask=(mask,)), until=4)
        moved = mask.rename(tmp_path / "moved.png")
        kept = kept.rename(tmp_path / "other.ckpt")
        told = painted(
            options("gatys", checkpoint=kept, mask=(moved,), device="cpu", preview_every=5, photorealistic=True)
        )
        assert steps(told)[0] == 4

    def test_an_option_that_came_later_has_its_default(self, kept: Path) -> None:
        chosen = options("gatys", checkpoint=kept)
        made = identity.run_of("gatys", noise(8, 8), [], chosen, chosen.encoder)
        older = {**made, "options": {k: v for k, v in made["options"].items() if k != "tv"}}
        save_file({}, kept, {checkpoint.KEY: _head(older)})
        assert Checkpoint(kept, made).path == kept
        later = {**made, "options": {**made["options"], "tv": 1.0}}
        with pytest.raises(OptionError, match="without --tv, not with --tv 1"):
            Checkpoint(kept, later)

    def test_the_file_tells_what_it_is(self, kept: Path) -> None:
        chosen = options("gatys", checkpoint=kept)
        painted(chosen, until=4)
        head = read_head(kept)
        assert (head["run"]["method"], head["done"], head["finished"]) == (method_of(chosen).name, 3, False)


def _head(run: dict[str, Any]) -> str:
    import json

    parts = ("plan", "tile", "whole", "round", "made", "done", "terms", "search", "where", "finished")
    return json.dumps({"format": checkpoint.FORMAT, "run": run, **dict.fromkeys(parts, 0)})
