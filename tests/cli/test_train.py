"""`impasto train`: flags from the options, a report, Ctrl-C, going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import pytest

from impasto.offline.recipes import RECIPES
from impasto.offline.weights import NETWORKS, load_network
from offline.training.tiny import NETWORK, ROW, draw_pictures, losses

from .conftest import Run

SMALL = ["--steps", "4", "--device", "cpu", "--checkpoint-every", "2"]


@pytest.fixture
def pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Words that name what to train on; the tests' own recipe is a row of the table."""
    monkeypatch.setitem(RECIPES, "tiny", ROW)
    monkeypatch.setitem(NETWORKS, "tiny", NETWORK)
    draw_pictures(folder / "photos", 3)
    draw_pictures(folder / "paint,ings", 2, seed=1)
    return ["--content", "photos", "--content", "photo.jpg,painting.png", "--style", "paint,ings"]


def test_a_training_and_its_report(impasto: Run, folder: Path, pictures: list[str]) -> None:
    ran = impasto("train", "tiny", *pictures, "-o", "run", "--json", "--spoil", "1", "--no-normed", *SMALL)
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["output"] == "run/tiny.safetensors"
    assert (told["recipe"], told["ended"], told["updates"], told["skipped"]) == ("tiny", "done", 4, 1)
    assert told["settings"]["content"] == ["photos", "photo.jpg", "painting.png"]
    assert told["settings"]["style"] == ["paint,ings"]
    assert told["losses"]["total"] > 0
    assert told["settings"]["normed"] is False
    assert load_network(folder / told["output"]).name == "tiny"


def test_the_same_command_goes_on_and_says_so(impasto: Run, folder: Path, pictures: list[str]) -> None:
    first = impasto("train", "tiny", *pictures, "--out", "run", "--time-limit", "0.01s", *SMALL)
    assert first.code == 0
    assert b"the same command goes on" in first.out
    assert not (folder / "run" / "tiny.safetensors").exists()
    ran = impasto("train", "tiny", *pictures, "--out", "run", *SMALL)
    assert ran.err == "impasto: run: goes on after update 1 of 4\n"
    assert ran.out.startswith(b"run/tiny.safetensors (4 updates, ")
    assert [step for step, _ in losses(folder / "run")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["monet"],
            "there is no training for 'monet'; choose one of: johnson, dumoulin, ghiasi, swift, adain, impasto",
        ),
        (["tiny"], "--content is not given; name folders, images, lists or .tar shards"),
        (["tiny", "--content", "none", "--style", "photo.jpg"], "--content none does not exist; mend: check the name"),
        (["tiny", "--steps", "0"], "--steps 0 is out of range"),
        (["tiny", "--time-limit", "soon"], "--time-limit 'soon' is no time; give one such as 90s, 9m or 2h"),
        (["johnson", "--spoil", "3"], "johnson has no --spoil; those that do: tiny"),
        (["tiny", "--content", "empty", "--style", "photo.jpg"], "--content empty: no picture in it; mend: name"),
    ],
)
def test_what_is_wrong_is_one_line(
    impasto: Run, folder: Path, pictures: list[str], words: list[str], message: str
) -> None:
    (folder / "empty").mkdir()
    ran = impasto("train", *words)
    assert ran.code == 2
    assert ran.out == b""
    assert ran.err.startswith(f"impasto: {message}")
    assert ran.err.count("\n") == 1


def test_without_torch_it_says_how_to_get_it(
    impasto: Run, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "torch" else real(name, *more))
    ran = impasto("train", "tiny", *pictures)
    assert ran.code == 2
    assert ran.err == 'impasto: training needs the "torch" extra; mend: pip install "impasto[torch]"\n'


def test_every_option_of_every_recipe_has_a_flag(impasto: Run) -> None:
    told = impasto("train", "--help").out.decode()
    for row in RECIPES.values():
        for spec in row.options_class.specs():
            assert spec.flag in told


def test_the_help_needs_no_torch() -> None:
    script = (
        "import sys; from impasto.cli.main import build; build(['train', '--help']); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_ctrl_c_saves_and_the_same_command_goes_on(folder: Path, pictures: list[str]) -> None:
    """In a process of its own, which knows the tests' recipe."""
    script = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
from impasto.cli import main
from impasto.offline.recipes import RECIPES
from impasto.offline.weights import NETWORKS
from offline.training.tiny import ROW
RECIPES["tiny"], NETWORKS["tiny"] = ROW, {NETWORK!r}
main(sys.argv[1:])
"""
    words = ["train", "tiny", *pictures, "--out", "run", "--json", "--device", "cpu", "--steps", "1000"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONWARNINGS": "error"}
    log = folder / "run" / "log.jsonl"
    reached = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        started = subprocess.Popen(
            [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        end = time.monotonic() + 60
        while not (log.exists() and log.read_bytes().count(b"\n") > reached + 3):
            assert started.poll() is None, started.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        started.send_signal(number)
        out, err = started.communicate(timeout=60)
        assert started.returncode == 130, err
        told = json.loads(out)
        assert told["ended"] == "stop"
        assert Path(told["output"]).exists()
        assert ("goes on after update" in err.decode()) == bool(reached)
        assert told["updates"] > reached
        reached = told["updates"]
        assert [step for step, _ in losses(folder / "run")] == list(range(1, reached + 1))
