"""A run that is killed at any moment goes on exactly; another run neither goes on from its state nor writes over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder
from impasto.errors import OptionError
from impasto.events import Done, Event, Notice, Progress
from impasto.image import resize
from impasto.losses import IMAGE, Features, Loss
from impasto.methods import METHODS
from impasto.online import checkpoint
from impasto.online.adam import Adam
from impasto.online.checkpoint import Checkpoint
from impasto.online.evaluation import Evaluation
from impasto.online.lbfgs import PATIENCE, Lbfgs
from impasto.online.painter import paint_pixels
from impasto.online.plan import Plan, Scale
from impasto.online.sight import Sight
from impasto.picture import Picture, Pixels
from methods_base import noise

BLIND = Sight(Encoder("nothing", [], preprocess=nn.Identity()), (), (), torch.device("cpu"))
SIZE = (40, 26)
RUN = {"method": "none", "photo": "", "paintings": [], "files": {}, "options": {}, "usual": {}}
SLOW = pytest.mark.slow
ONLINE = [m.name for m in METHODS.values() if m.module.startswith("impasto.online.")]


class Rugged(Loss):
    """Distance to a picture, hilly, and to the first picture that it was shown, as losses have it that hold matches."""

    label, taps = "rugged", (IMAGE,)

    def __init__(self, pixels: Pixels) -> None:
        super().__init__()
        self.register_buffer("target", torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None], persistent=False)
        self.first: Tensor | None = None

    def forward(self, features: Features) -> Tensor:
        image = features[IMAGE]
        self.first = image.detach().clone() if self.first is None else self.first
        away = (image - self.target).square().mean() + 0.02 * (40 * image).sin().square().mean()
        return away + 0.1 * (image - self.first - 0.1).square().mean()


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is saved after every step."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "REST", 0.0)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "run.ckpt"


def two_scales(**values: Any) -> Plan:
    return Plan((Scale((20, 13), 5), Scale(SIZE, 9)), **values)


def events(plan: Plan, kept: Path | None, *, until: int = 10**6, stop: StopSignal | None = None) -> list[Event]:
    """Those of a run that ends as if killed when it has told of step `until`."""
    wanted, told = noise(*SIZE, seed=1).pixels, []
    running = paint_pixels(
        noise(*SIZE),
        noise(*SIZE).pixels,
        plan,
        BLIND,
        lambda scale, _: Rugged(resize(wanted, scale.size)),
        stop=stop or StopSignal(),
        checkpoint=Checkpoint(kept, RUN) if kept else None,
    )
    for event in running:
        told.append(event)
        if isinstance(event, Progress) and event.step == until:
            break
    return told


def steps(told: list[Event]) -> list[int]:
    return [event.step for event in told if isinstance(event, Progress)]


def texts(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Notice)]


def pixels(told: list[Event]) -> Pixels:
    assert isinstance(told[-1], Done)
    return told[-1].picture.pixels


@pytest.mark.usefixtures("always")
class TestPainter:
    @pytest.mark.parametrize("every", [None, 4])
    @pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
    def test_killed_after_any_step_it_ends_with_the_same_pixels(
        self, tmp_path: Path, optimizer: Any, every: int | None
    ) -> None:
        plan = two_scales(optimizer=optimizer, every=every)
        whole = events(plan, None)
        assert steps(whole) == list(range(1, 15))
        for killed in (2, 5, 6, 7, 10, 14):
            kept = tmp_path / f"{killed}.ckpt"
            events(plan, kept, until=killed)
            told = events(plan, kept)
            assert texts(told) == [f"goes on after step {killed - 1} of 14 from {kept}"]
            assert steps(told) == list(range(killed, 15))
            assert np.array_equal(pixels(told), pixels(whole)), killed
            assert [e.losses for e in told if isinstance(e, Progress | Done)] == [
                e.losses for e in whole if (isinstance(e, Progress) and e.step >= killed) or isinstance(e, Done)
            ]

    @pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
    def test_killed_again_and_again(self, kept: Path, optimizer: Any) -> None:
        plan = two_scales(optimizer=optimizer, every=4)
        for killed in range(2, 15):
            events(plan, kept, until=killed)
        assert np.array_equal(pixels(events(plan, kept)), pixels(events(plan, None)))

    @pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
    def test_on_another_device_the_picture_is_looked_at_again(self, kept: Path, optimizer: Any) -> None:
        plan = two_scales(optimizer=optimizer)
        events(plan, kept, until=9)
        kept.write_bytes(kept.read_bytes().replace(b"cpu, float32", b"gpu, float32"))
        told = events(plan, kept)
        assert texts(told)[
            1
        ] == "it was begun with gpu, float32, no tiles; cpu, float32, no tiles rounds another way " + ("from here on")
        assert np.array_equal(pixels(told), pixels(events(plan, None)))  # which here finds what was known

    def test_what_a_kill_while_saving_left_is_cleared_away(self, kept: Path) -> None:
        whole = ".run.ckpt-" + "1a" * 8 + ".tmp"
        others = [
            ".run.ckpt-1a.tmp",
            ".run.ckpt-2-" + "1a" * 8 + ".tmp",
            ".other.ckpt-" + "1a" * 8 + ".tmp",
            ".run.ckpt",
        ]
        for name in (whole, *others):
            (kept.parent / name).write_bytes(b"half")
        folder = kept.parent / whole.replace("1a", "2b")
        folder.mkdir()
        (folder / ".tmpzgcUt4").write_bytes(b"as safetensors begins it")
        events(two_scales(), kept, until=3)
        assert {file.name for file in kept.parent.iterdir()} == {"run.ckpt", *others}

    def test_whoever_may_read_new_files_may_read_it(self, kept: Path) -> None:
        events(two_scales(), kept, until=3)
        new = kept.with_name("new")
        new.touch()
        assert kept.stat().st_mode == new.stat().st_mode

    def test_a_search_that_gave_up_has_given_up(self, kept: Path) -> None:
        flat = Picture(np.full((26, 40, 3), 0.5, np.float32))

        class Content(Rugged):
            def forward(self, features: Features) -> Tensor:
                return (features[IMAGE] - self.target).square().mean()

        def paint(until: int, kept: Path | None) -> list[Event]:
            told: list[Event] = []
            for event in paint_pixels(
                flat, flat.pixels, two_scales(), BLIND, lambda scale, _: Content(resize(flat.pixels, scale.size)),
                stop=StopSignal(), checkpoint=Checkpoint(kept, RUN) if kept else None,
            ):  # fmt: skip
                told.append(event)
                if isinstance(event, Progress) and event.step == until:
                    break
            return told

        whole = paint(100, None)
        paint(2, kept)
        told = paint(100, kept)
        assert texts(told)[1:] == texts(whole)
        assert np.array_equal(pixels(told), pixels(whole))

    def test_a_finished_run_gives_its_picture_at_once(self, kept: Path) -> None:
        whole = events(two_scales(), kept)
        told = events(two_scales(), kept)
        assert len(told) == 2
        assert "is finished; delete it to paint anew" in texts(told)[0]
        assert np.array_equal(pixels(told), pixels(whole))
        assert isinstance(told[-1], Done)
        assert isinstance(whole[-1], Done)
        assert told[-1].losses == whole[-1].losses
        assert set(load_file(kept)) == {"painted"}  # nothing that is only good for going on

    def test_the_time_left_ends_at_nothing(self, kept: Path) -> None:
        events(two_scales(), kept, until=9)
        left = [e.seconds_left for e in events(two_scales(), kept) if isinstance(e, Progress)]
        assert all(left[:-1])
        assert left[-1] == 0

    def test_goes_on_in_the_tiles_that_it_began_with(self, kept: Path) -> None:
        tiled = two_scales(tile=256, whole=10**6)
        events(tiled, kept, until=3)
        held = Checkpoint(kept, RUN)
        assert held.load(two_scales(), BLIND)[1].tile == 256
        assert held.load(two_scales(tile=512, whole=10**7), BLIND)[1].whole == 10**6
        assert held.load(two_scales(tile=128, whole=10**5), BLIND)[1].tile == 128  # there is less memory now

    def test_another_plan_is_refused(self, kept: Path) -> None:
        events(two_scales(), kept, until=3)
        with pytest.raises(OptionError, match="of another version of Impasto, with other steps; mend"):
            events(Plan((Scale(SIZE, 14),)), kept)


class TestSearch:
    def test_steps_in_vain_are_counted(self) -> None:
        """A gradient that points the wrong way: `PATIENCE` trials are worse, then the search gives up."""

        def uphill(x: Tensor) -> tuple[float, Tensor]:
            return float((x - 0.5).square().sum()), -2 * (x - 0.5)

        start = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0))
        whole = Lbfgs(start, uphill)
        for made in range(PATIENCE + 1):
            other = Lbfgs(start, uphill)
            other.load_state(whole.state())
            left = 0
            while not other.stalled:
                other.step()
                left += 1
            assert left == PATIENCE - made
            whole.step()

    @pytest.mark.parametrize("kind", [Lbfgs, Adam])
    def test_steps_taken_back_are_counted(self, kind: Any) -> None:
        calls = iter([1.0, 1.0, np.nan, np.nan, *[1.0] * 20])

        def sometimes(x: Tensor) -> tuple[float, Tensor]:
            return float((x - 0.5).square().sum()) * next(calls), 2 * (x - 0.5)

        search = kind(torch.rand(1, 3, 6, 5), sometimes)
        for _ in range(5):
            search.step()
        other = kind(torch.rand(1, 3, 6, 5), sometimes)
        other.load_state(search.state())
        assert other.recovered == search.recovered == 2
        assert torch.equal(other.x, search.x)


class TestStop:
    def test_saves_at_once(self, kept: Path) -> None:
        stop, plan = StopSignal(), two_scales()
        wanted = noise(*SIZE, seed=1).pixels
        told = []
        for event in paint_pixels(
            noise(*SIZE), noise(*SIZE).pixels, plan, BLIND, lambda scale, _: Rugged(resize(wanted, scale.size)),
            stop=stop, checkpoint=Checkpoint(kept, RUN),
        ):  # fmt: skip
            told.append(event)
            if isinstance(event, Progress) and event.step == 8:
                assert not kept.exists()  # a minute has not passed
                stop.set()
        assert isinstance(told[-1], Done)
        assert told[-1].stopped
        again = events(plan, kept)
        assert steps(again) == list(range(9, 15))
        assert np.array_equal(pixels(again), pixels(events(plan, None)))

    def test_before_the_first_step_saves_nothing(self, kept: Path) -> None:
        stop = StopSignal()
        stop.set()
        told = events(two_scales(), kept, stop=stop)
        assert isinstance(told[-1], Done)
        assert not kept.exists()

    @pytest.mark.usefixtures("always")
    def test_right_after_going_on_keeps_what_was_saved(self, kept: Path) -> None:
        events(two_scales(), kept, until=9)
        before = kept.read_bytes()
        stop = StopSignal()
        stop.set()
        told = events(two_scales(), kept, stop=stop)
        assert isinstance(told[-1], Done)
        assert told[-1].stopped
        assert kept.read_bytes() == before


@pytest.mark.usefixtures("always")
class TestTrouble:
    def test_a_disk_that_is_full_is_told_once_and_stops_nothing(self, kept: Path) -> None:
        resource = pytest.importorskip("resource")
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        running = Checkpoint(kept, RUN)
        wanted = noise(*SIZE, seed=1).pixels
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, usual[1]))
        try:
            told = list(
                paint_pixels(
                    noise(*SIZE), noise(*SIZE).pixels, two_scales(), BLIND,
                    lambda scale, _: Rugged(resize(wanted, scale.size)), stop=StopSignal(), checkpoint=running,
                )
            )  # fmt: skip
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        warnings = [e for e in told if isinstance(e, Notice)]
        assert [w.level for w in warnings] == ["warning"]
        assert "cannot be written" in warnings[0].text
        assert "\n" not in warnings[0].text
        assert np.array_equal(pixels(told), pixels(events(two_scales(), None)))
        assert list(kept.parent.iterdir()) == []

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: b"",
            lambda data: data[: len(data) // 2],
            lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
            lambda data: b"\xff" * 16 + data[16:],
            lambda data: b"P6 1 1 255 abc",
            lambda data: data.replace(b'\\"round\\"', b'\\"rouns\\"'),
            lambda data: data.replace(b'\\"format\\": 2', b'\\"format\\": 9'),
        ],
        ids=["empty", "half", "one bit", "length", "picture", "parts", "version"],
    )
    def test_damaged_files_are_refused_in_one_line(self, kept: Path, spoil: Callable[[bytes], bytes]) -> None:
        events(two_scales(), kept, until=3)
        spoilt = spoil(kept.read_bytes())
        assert spoilt != kept.read_bytes()
        kept.write_bytes(spoilt)
        with pytest.raises(OptionError, match=r"run\.ckpt is .*; mend: ") as caught:
            events(two_scales(), kept)
        assert "\n" not in str(caught.value)
        assert kept.read_bytes() == spoilt

    def test_other_tensors_are_left_alone(self, kept: Path) -> None:
        save_file({"a": torch.zeros(3)}, kept)
        with pytest.raises(OptionError, match="is no checkpoint of a painting; mend"):
            Checkpoint(kept, RUN)

    def test_a_state_of_other_parts_is_refused(self, kept: Path) -> None:
        events(two_scales(), kept, until=3)
        found = Checkpoint(kept, RUN).load(two_scales(), BLIND)[0]
        assert found
        assert found.search
        for state in (
            dataclasses.replace(found.search, values={}),
            dataclasses.replace(found.search, tensors={k: v[..., 1:] for k, v in found.search.tensors.items()}),
        ):
            for kind in (Lbfgs, Adam):
                evaluation = Evaluation(BLIND.encoder, Rugged(noise(20, 13).pixels))
                search = kind(torch.zeros(1, 3, 13, 20), evaluation)
                with pytest.raises(OptionError, match="is damaged or no checkpoint"):
                    Checkpoint(kept, RUN).restore(search, evaluation, state, elsewhere=False)

    def test_a_state_that_does_not_fit_stops_the_run(self, kept: Path) -> None:
        events(two_scales(), kept, until=9)
        kept.write_bytes(kept.read_bytes().replace(b'\\"pairs\\"', b'\\"pears\\"'))
        with pytest.raises(OptionError, match="is damaged or no checkpoint"):
            events(two_scales(), kept)

    def test_places_that_cannot_be_written(self, tmp_path: Path) -> None:
        for path, why in [(tmp_path / "missing" / "a", "there is no folder"), (tmp_path, "is no file")]:
            with pytest.raises(OptionError, match=f"{why}.*; mend: "):
                Checkpoint(path, RUN)
        locked = tmp_path / "locked.ckpt"
        locked.write_bytes(b"")
        locked.chmod(0o444)
        with pytest.raises(OptionError, match="is read-only; mend: "):
            Checkpoint(locked, RUN)
        with pytest.raises(OptionError, match="cannot be written"):
            Checkpoint(tmp_path / "a\0b", RUN)
