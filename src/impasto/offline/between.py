"""A network between two: what one learnt on from the other, only part of the way.

Wortsman et al. 2022, Robust fine-tuning of zero-shot models (arXiv 2109.01903): on the straight line from a network's
weights to what they became lie networks that are often better than both ends. For painters the way is from more of the
photo to more of the style, so that the share says, after the training, how much of the photo is held.

    python -m impasto.offline.between START LEARNT OUT --share 0.4

START is a finished network (.safetensors), LEARNT what `impasto train ghiasi --start START` made of it: a finished
network, or a checkpoint (.pt), whose average is taken. OUT is a finished network, for `impasto export`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import OptionError
from impasto.offline.checkpoint import load
from impasto.offline.networks.ghiasi import FarPath, GhiasiNetwork
from impasto.offline.weights import load_network, save_network


def between(start: GhiasiNetwork, learnt: GhiasiNetwork, share: float) -> GhiasiNetwork:
    """The network at `share` of the way from `start` to `learnt`.

    Args:
        start: the network that was learnt on from.
        learnt: what became of it; a far path that `start` has not is on its way from silence.
        share: 0 for `start`, 1 for `learnt`; a little more is allowed.

    Raises:
        OptionError: when the two are not of one kind, or the share is out of range.
    """
    if not 0 <= share <= 1.5:
        raise OptionError(f"a share of {share:g} is out of range; give one from 0 to 1.5")
    ends = start.state_dict(), learnt.state_dict()
    if any(key not in ends[1] or ends[1][key].shape != value.shape for key, value in ends[0].items()):
        raise OptionError("the two networks are not of one kind; mend: name the file that the training started from")
    made = GhiasiNetwork(**learnt.arguments)  # type: ignore[arg-type]
    made.load_state_dict(ends[1])
    far = made.transfer.far
    if isinstance(far, FarPath) and start.transfer.far is None:
        far.silence()
    beginning = {**made.state_dict(), **ends[0]}
    made.load_state_dict({key: _mixed(beginning[key], end, share) for key, end in ends[1].items()})
    return made.eval()


def _mixed(beginning: Tensor, end: Tensor, share: float) -> Tensor:
    return torch.lerp(beginning, end, share) if end.is_floating_point() else end


def _read(path: Path) -> GhiasiNetwork:
    """A finished network, or the average in a checkpoint."""
    if path.suffix != ".pt":
        network = load_network(path, expected="ghiasi").network
        assert isinstance(network, GhiasiNetwork)  # noqa: S101 - what the name stands for
        return network
    checkpoint = load(path, torch.device("cpu"))
    values = checkpoint.options
    network = GhiasiNetwork(width=values["width"], trunk=values["trunk"], far=values["far"])
    network.load_state_dict(checkpoint.ema)
    return network


def main() -> None:
    """Reads the words of a command line."""
    parser = argparse.ArgumentParser(prog="python -m impasto.offline.between", description="A network between two.")
    for name in ("start", "learnt", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="0 is START, 1 is LEARNT")
    words = parser.parse_args()
    network = between(_read(words.start), _read(words.learnt), words.share)
    save_network(network, words.out, about={"between": [words.start.name, words.learnt.name], "share": words.share})


if __name__ == "__main__":
    main()
