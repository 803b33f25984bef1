"""A network on the way from one to another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from impasto.errors import OptionError
from impasto.offline.between import between
from impasto.offline.networks.ghiasi import GhiasiNetwork
from impasto.offline.weights import load_network, save_network


def network(seed: int, far: int = 0) -> GhiasiNetwork:
    torch.manual_seed(seed)
    return GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=5, far=far).eval()


@torch.no_grad()
def painted(of: GhiasiNetwork) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    result: torch.Tensor = of(torch.rand(1, 3, 32, 48, generator=generator), torch.rand(1, 5, generator=generator))
    return result


def test_the_ends_are_the_ends() -> None:
    start, learnt = network(1), network(2)
    torch.testing.assert_close(painted(between(start, learnt, 0)), painted(start))
    torch.testing.assert_close(painted(between(start, learnt, 1)), painted(learnt))


def test_half_of_the_way_is_the_mean() -> None:
    start, learnt = network(1), network(2)
    made = between(start, learnt, 0.5).state_dict()
    for key, value in start.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(made[key], (value + learnt.state_dict()[key]) / 2)


def test_a_far_path_comes_from_silence() -> None:
    start, learnt = network(1), network(2, far=2)
    torch.testing.assert_close(painted(between(start, learnt, 0)), painted(start))
    torch.testing.assert_close(painted(between(start, learnt, 1)), painted(learnt))
    assert (painted(between(start, learnt, 0.3)) - painted(start)).abs().max() > 1e-3


def test_networks_of_another_kind_are_refused() -> None:
    with pytest.raises(OptionError, match="not of one kind"):
        between(network(1, far=2), network(2), 0.5)
    with pytest.raises(OptionError, match="out of range"):
        between(network(1), network(2), 2)


def test_from_the_shell(tmp_path: Path) -> None:
    for seed, name in ((1, "start"), (2, "learnt")):
        save_network(network(seed), tmp_path / f"{name}.safetensors")
    words = [str(tmp_path / f"{name}.safetensors") for name in ("start", "learnt", "out")]
    subprocess.run([sys.executable, "-m", "impasto.offline.between", *words, "--share", "0.25"], check=True)
    made = load_network(words[2], expected="ghiasi")
    assert made.about == {"between": ["start.safetensors", "learnt.safetensors"], "share": 0.25}
