"""Checkpoints: whole, two at a time, refused when they are something else; runs killed at any moment go on exactly."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from impasto.errors import ModelError, OptionError
from impasto.offline import checkpoint as checkpoints
from impasto.offline.checkpoint import load, load_latest
from impasto.offline.trainer import train

from . import tiny
from .conftest import Make
from .test_trainer import same
from .tiny import finish, losses, notices

CPU = torch.device("cpu")


@pytest.fixture
def run(options: Make) -> Path:
    """A run of eight updates with checkpoints at 4 and 8."""
    finish(train("tiny", options(steps=8)))
    return options().out


def test_two_are_kept(options: Make) -> None:
    finish(train("tiny", options(steps=9, checkpoint_every=2)))
    assert [p.name for p in checkpoints.listed(options().out)] == ["checkpoint-8.pt", "checkpoint-9.pt"]


def test_a_damaged_one_falls_back_to_the_one_before(run: Path, options: Make, tmp_path: Path) -> None:
    newest = run / "checkpoint-8.pt"
    newest.write_bytes(newest.read_bytes()[:-300])
    _, events = finish(train("tiny", options(steps=12)))
    said = notices(events)
    assert said[0].startswith(f"{newest} is damaged or something else (")
    assert said[0].endswith("; the one before it is used")
    assert said[1] == f"{run}: goes on after update 4 of 12"
    finish(train("tiny", options(steps=8, out=tmp_path / "first")))
    finish(train("tiny", options(steps=12, out=tmp_path / "first")))
    assert [step for step, _ in losses(run)] == list(range(1, 13))
    assert losses(run)[:4] == losses(tmp_path / "first")[:4]


def test_a_flipped_bit_is_seen(run: Path, options: Make) -> None:
    before, newest = checkpoints.listed(run)[-2:]
    weights = next(iter(checkpoints.load(newest, torch.device("cpu")).network.values()))
    data = bytearray(newest.read_bytes())
    data[data.find(weights.numpy().tobytes()) + 1] ^= 1
    newest.write_bytes(data)
    found, troubles = checkpoints.load_latest(run, torch.device("cpu"))
    assert found is not None
    assert f"checkpoint-{found.step}.pt" == before.name
    assert len(troubles) == 1
    assert "checksum" in troubles[0]


@pytest.mark.parametrize("damage", [b"", b"no archive", "foreign", "shape"])
def test_what_is_no_checkpoint(run: Path, options: Make, damage: bytes | str) -> None:
    (run / "checkpoint-4.pt").unlink()
    path = run / "checkpoint-8.pt"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    elif damage == "foreign":
        torch.save({"state_dict": {}}, path)
    else:
        found = torch.load(path, weights_only=True)
        found["network"]["first.weight"] = torch.zeros(5, 6, 3, 3)
        torch.save(found, path)
    before = path.read_bytes()
    with pytest.raises(
        ModelError, match=r"(checkpoint-8.pt is damaged|another network \(.*first.weight).*; mend: "
    ) as told:
        finish(train("tiny", options(steps=12)))
    assert "\n" not in str(told.value)
    assert path.read_bytes() == before


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"impasto-checkpoint": 1, "recipe": Trap()}, tmp_path / "checkpoint-1.pt")
    with pytest.raises(ModelError, match="is damaged or something else"):
        load(tmp_path / "checkpoint-1.pt", CPU)
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_of_another_recipe(run: Path, options: Make) -> None:
    found, _ = load_latest(run, CPU)
    assert found is not None
    with pytest.raises(OptionError, match=r"run holds a run of tiny; mend: johnson needs another --out"):
        checkpoints.check_same_run(found, "johnson", options(), found.pictures, run)


def test_it_loads_onto_another_device(run: Path) -> None:
    """No accelerator here: the meta device stands for one."""
    found = load(run / "checkpoint-8.pt", torch.device("meta"))
    assert {t.device.type for t in found.network.values()} == {"meta"}
    assert found.step == 8


def test_an_empty_folder(tmp_path: Path) -> None:
    assert load_latest(tmp_path, CPU) == (None, [])


def test_a_network_of_the_same_shape_fits(tmp_path: Path) -> None:
    layer = nn.Linear(2, 3)
    checkpoints.fit(layer, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, tmp_path)
    assert layer.weight.sum() == 6
    with pytest.raises(ModelError, match=r"the checkpoint in .* is of another network"):
        checkpoints.fit(layer, {"weight": torch.ones(3, 2)}, tmp_path)


def start(asked: tiny.TinyTrainOptions, file: Path) -> subprocess.Popen[bytes]:
    """A training in a process of its own."""
    file.write_text(json.dumps(asked.to_dict()))
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(tests), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "offline.training.tiny", str(file)], env=environment)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_as_an_unbroken_one(options: Make, tmp_path: Path) -> None:
    whole = options(out=tmp_path / "whole", steps=150, log_every=7, checkpoint_every=10)
    finish(train("tiny", whole))
    parts = options(out=tmp_path / "parts", steps=150, log_every=7, checkpoint_every=10)
    rng, kills = random.Random(0), 0
    while not (parts.out / "tiny.safetensors").exists() and kills < 3:
        started = start(parts, tmp_path / "options.json")
        log, lines = parts.out / "log.jsonl", 0
        while started.poll() is None and lines < 3:  # it has come some way, then it dies somewhere
            time.sleep(0.005)
            lines = log.read_bytes().count(b"\n") - kills if log.exists() else 0
        time.sleep(rng.uniform(0, 0.1))
        if started.poll() is None:
            started.kill()
            kills += 1
        started.wait(60)
    finish(train("tiny", parts))
    assert kills >= 2
    assert losses(parts.out) == losses(whole.out)
    assert not list(parts.out.glob(".checkpoint*"))
    same(whole.out, parts.out)
