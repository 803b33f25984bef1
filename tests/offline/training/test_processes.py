"""Two processes with half of each batch learn what one learns with the whole."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed

from impasto.errors import OptionError
from impasto.offline.processes import Crew, crew
from impasto.offline.trainer import train
from impasto.offline.weights import load_network

from .conftest import Make
from .tiny import TinyTrainOptions, finish, losses

CPU = torch.device("cpu")


def together(asked: TinyTrainOptions, file: Path, processes: int = 2) -> None:
    """As torchrun starts them."""
    file.write_text(json.dumps(asked.to_dict()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    usual = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
    }  # fmt: skip
    words = [sys.executable, "-m", "offline.training.tiny", str(file)]
    started = [
        subprocess.Popen(words, env={**usual, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE)
        for rank in range(processes)
    ]
    for one in started:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 0, err.decode()


def test_two_processes_learn_what_one_does(options: Make, tmp_path: Path) -> None:
    """Without a batch norm, which sees half a batch there; the mean gradient is the whole batch's but for rounding."""
    alone = options(out=tmp_path / "alone", normed=False, steps=10)
    finish(train("tiny", alone))
    both = options(out=tmp_path / "both", normed=False, steps=10)
    together(both, tmp_path / "options.json")
    one, two = losses(alone.out), losses(both.out)
    assert [step for step, _ in two] == list(range(1, 11))
    for (_, expected), (_, found) in zip(one, two, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    weights = [load_network(run.out / "tiny.safetensors").network.state_dict() for run in (alone, both)]
    for name, tensor in weights[0].items():
        assert torch.allclose(tensor, weights[1][name], rtol=1e-4, atol=1e-5), name
    assert len(list(both.out.glob("checkpoint-*.pt"))) == 2


def test_a_run_of_two_goes_on_in_one(options: Make, tmp_path: Path) -> None:
    alone = options(out=tmp_path / "alone", normed=False, steps=8)
    finish(train("tiny", alone))
    moved = options(out=tmp_path / "moved", normed=False, steps=8, time_limit="0.01s")
    together(moved, tmp_path / "options.json")
    assert [step for step, _ in losses(moved.out)] == [1]
    finish(train("tiny", options(out=tmp_path / "moved", normed=False, steps=8)))
    for (_, expected), (_, found) in zip(losses(alone.out), losses(moved.out), strict=True):
        assert found == pytest.approx(expected, rel=1e-5)


def test_one_that_is_left_alone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are gloo's; another error is not taken for it."""
    monkeypatch.setattr(distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(OptionError, match="another process of this run has ended"), crew(CPU):
        raise RuntimeError("[../pair.cc:553] Connection closed by peer [127.0.0.1]:1234")
    with pytest.raises(RuntimeError, match="size of tensor"), crew(CPU):
        raise RuntimeError("the size of tensor a must match")


def test_shares_are_even_or_refused() -> None:
    assert [Crew(rank, 3, CPU).share(12) for rank in range(3)] == [slice(0, 4), slice(4, 8), slice(8, 12)]
    with pytest.raises(OptionError, match=r"--batch 4 cannot be shared by 3 processes; mend: --batch 3"):
        Crew(0, 3, CPU).share(4)


def test_alone_nothing_is_averaged() -> None:
    tensor = torch.tensor([1.0, 2.0])
    Crew(0, 1, CPU).average([tensor])
    assert tensor.tolist() == [1, 2]
