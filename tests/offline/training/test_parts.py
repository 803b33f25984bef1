"""The schedule, the log and the sheet."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from impasto.errors import ModelError, OptionError
from impasto.image import read
from impasto.offline.log import Log
from impasto.offline.recipe import Recipe, TrainOptions
from impasto.offline.schedule import Stage, decay_at, rate_at, seconds_of, stages
from impasto.offline.sheet import CELL, GAP, draw_sheet, write_sheet


def test_the_step_size_rises_then_falls_to_a_fiftieth() -> None:
    rates = [rate_at(step, steps=1000, warmup=100, largest=2.0) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02, rel=1e-3)
    assert rates[49] == pytest.approx(1.0, rel=0.02)
    assert max(rates) == rates[99] < 2
    assert all(a > b for a, b in pairwise(rates[99:]))
    assert rates[-1] == pytest.approx(0.04, rel=1e-3)
    assert rate_at(0, steps=10, warmup=0, largest=1.0) == 1


def test_the_average_forgets_its_start() -> None:
    assert [decay_at(step, 0.9) for step in (1, 3, 9, 50)] == [0.5, 0.75, 0.9, 0.9]
    assert decay_at(100, 0) == 0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [Stage(0, 100, 8, 128)]),
        ({"late": 0.15}, [Stage(0, 85, 8, 128), Stage(85, 100, 4, 192)]),
        ({"late": 0.5, "late_crop": 256}, [Stage(0, 50, 8, 128), Stage(50, 100, 2, 256)]),
        ({"late": 1, "late_crop": 512}, [Stage(0, 100, 1, 512)]),
        ({"late": 0.2, "crop": 100}, [Stage(0, 80, 8, 100), Stage(80, 100, 2, 152)]),
    ],
)
def test_late_updates_have_fewer_and_larger_crops(asked: dict[str, float], expected: list[Stage]) -> None:
    options = TrainOptions.from_dict({"steps": 100, "batch": 8, "crop": 128} | asked)
    assert list(stages(options)) == expected


def test_late_crops_are_not_too_small() -> None:
    with pytest.raises(OptionError, match="--late-crop 9 is out of range; give 0 or at least 32"):
        stages(TrainOptions(late_crop=9, late=0.1))


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("90s", 90), ("9m", 540), ("1.5h", 5400), ("1h5m", 3900)])
def test_times(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "9 m", "-3m", "0s", "m", "3y"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(OptionError, match="is no time; give one such as 90s, 9m or 2h"):
        seconds_of(text)


def test_a_log_that_goes_on_forgets_what_came_after(tmp_path: Path) -> None:
    log = Log(tmp_path, step=0, tally={})
    for step in range(1, 6):
        log.gather({"loss": float(step)})
        if step % 2 == 0:
            log.write(step, rate=0.1)
    assert log.tally == {"loss": 5.0, "#loss": 1}
    log.close()
    with log.path.open("a") as file:
        file.write('{"step": 6, "lo')  # killed while it wrote
    again = Log(tmp_path, step=3, tally={"loss": 3.0, "#loss": 1})
    again.gather({"loss": 9.0, "now and then": 4.0})
    again.write(4, rate=float("nan"))
    again.close()
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert lines == [{"step": 2, "loss": 1.5, "rate": 0.1}, {"step": 4, "loss": 6.0, "now and then": 4.0, "rate": None}]


def test_tensorboard_shows_what_the_log_says(tmp_path: Path) -> None:
    files = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="pip install tensorboard"
    )
    for first, last in ((0, 5), (3, 6)):  # killed after 5, gone on after 3
        log = Log(tmp_path, step=first, tally={})
        for step in range(first + 1, last + 1):
            log.gather({"loss": float(step + 10 * first)})
            log.write(step, rate=0.1)
        log.close()
    read_back = files.EventAccumulator(str(tmp_path / "tensorboard"))
    read_back.Reload()
    assert read_back.Tags()["scalars"] == ["loss", "rate"]
    assert [one.step for one in read_back.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [one.value for one in read_back.Scalars("loss")] == [1, 2, 3, 34, 35, 36]


class Mixer(Recipe):
    """Half photo, half painting."""

    def __init__(self) -> None:
        self.network = torch.nn.Identity()

    def paint(self, network: torch.nn.Module, photo: torch.Tensor, painting: torch.Tensor) -> torch.Tensor:
        return (photo + painting) / 2


def test_a_sheet_has_every_photo_in_every_style(tmp_path: Path) -> None:
    photos, paintings = (
        [torch.full((1, 3, CELL, CELL), v) for v in values] for values in ((0.0, 0.5), (0.2, 0.6, 1.0))
    )
    sheet = draw_sheet(Mixer(), torch.nn.Identity(), photos, paintings)
    side = CELL + GAP
    assert sheet.size == (4 * side - GAP, 3 * side - GAP)
    middle = sheet.pixels[CELL // 2 :: side, CELL // 2 :: side, 0]
    assert middle[0].tolist() == pytest.approx([1, 0.2, 0.6, 1])
    assert middle[1].tolist() == pytest.approx([0, 0.1, 0.3, 0.5])
    assert middle[2].tolist() == pytest.approx([0.5, 0.35, 0.55, 0.75])
    path = write_sheet(sheet, tmp_path, 7)
    assert path == tmp_path / "sheets" / "7.jpg"
    assert read(path).size == sheet.size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_without_room_says_which_file_it_is(tmp_path: Path) -> None:
    log = Log(tmp_path, step=0, tally={})
    log._file.close()
    log._file = Path("/dev/full").open("w")  # noqa: SIM115 (closed by the log)
    log.gather({"loss": 1.0})
    with pytest.raises(ModelError, match=r"log.jsonl cannot be written: No space left on device; mend: free space"):
        log.write(1)
    log.close()
