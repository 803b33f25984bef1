"""Checkpoints: everything that a run needs to go on exactly, whole at every moment, the last two kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor

from impasto.errors import ModelError, OptionError
from impasto.image.wording import cause, one_line
from impasto.offline.recipe import TrainOptions
from impasto.offline.weights import write_whole

FORMAT = 1
KEPT = 2
FREE_TO_CHANGE = frozenset(
    {
        "out",
        "device",
        "precision",
        "time_limit",
        "log_every",
        "sheet_every",
        "checkpoint_every",
        "content",
        "style",
        "start",
        "teacher",
        "compile",
    }
)
"""Options that a run may go on with another value of; pictures and networks are told by what is in them."""

_NAME = re.compile(r"checkpoint-(\d+)\.pt")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two updates.

    Attributes:
        recipe: its name.
        options: of the run, as `to_dict` gives them.
        pictures: fingerprints of "content", "style" and of what else is read from files.
        step: updates done.
        network: state of the network in training.
        ema: state of its moving average.
        optimiser: state of the optimiser.
        steering: state of the recipe.
        tally: what the log has gathered since its last line.
        skipped: updates left out so far.
        skipped_in_a_row: of these, up to now without an update between them.
    """

    recipe: str
    options: dict[str, Any]
    pictures: dict[str, str]
    step: int
    network: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimiser: dict[str, Any]
    steering: dict[str, float]
    tally: dict[str, float]
    skipped: int
    skipped_in_a_row: int


def save(checkpoint: Checkpoint, folder: Path) -> Path:
    """Writes `checkpoint-<step>.pt` and lets those before the last two go.

    Raises:
        ModelError: when the system refuses, such as on a full disk; earlier checkpoints are as they were.
    """
    path = folder / f"checkpoint-{checkpoint.step}.pt"
    data = BytesIO()
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    torch.save({"impasto-checkpoint": FORMAT, **fields}, data)
    write_whole(path, data.getvalue())
    for old in listed(folder)[:-KEPT]:
        with suppress(OSError):
            old.unlink()
    return path


def listed(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest last."""
    found = [(int(match[1]), path) for path in folder.glob("checkpoint-*.pt") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def load_latest(folder: Path, device: torch.device) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that can be read, wherever it was written.

    Returns:
        The checkpoint, None when there is none; and a line for each newer one that is damaged.

    Raises:
        ModelError: when there are some, and all are damaged.
    """
    troubles: list[str] = []
    for path in reversed(listed(folder)):
        try:
            return load(path, device), troubles
        except ModelError as error:
            troubles.append(str(error))
    if troubles:
        raise ModelError(one_line(f"{troubles[0].partition('; mend')[0]}; mend: delete it, or name another --out"))
    return None, []


def load(path: Path, device: torch.device) -> Checkpoint:
    """Reads one checkpoint, its tensors to `device`.

    Raises:
        ModelError: when it is damaged, cut short, or something else.
    """
    try:
        with ZipFile(path) as parts:  # torch keeps a checksum of each part, and looks at none
            if bad := parts.testzip():
                raise ModelError(_damaged(path, f"the checksum of {bad} does not fit"))
        found = torch.load(path, map_location=device, weights_only=True)
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # damaged files make the unpickler and the archive raise almost anything
        raise ModelError(_damaged(path, cause(error).partition(". ")[0])) from None
    if not isinstance(found, dict) or found.get("impasto-checkpoint") != FORMAT:
        raise ModelError(_damaged(path, "no checkpoint of this version of Impasto"))
    del found["impasto-checkpoint"]
    if found.keys() != Checkpoint.__dataclass_fields__.keys():
        raise ModelError(_damaged(path, "parts are missing"))
    return Checkpoint(**found)


def check_same_run(
    checkpoint: Checkpoint, recipe: str, options: TrainOptions, pictures: Mapping[str, str], folder: Path
) -> None:
    """Makes sure that what was asked for is the run that the checkpoint belongs to.

    Raises:
        OptionError: when it is another; the message names the first option that differs.
    """
    if checkpoint.recipe != recipe:
        raise OptionError(_other(folder, f"of {checkpoint.recipe}", f"{recipe} needs another --out"))
    for name, fingerprint in pictures.items():
        if checkpoint.pictures.get(name) != fingerprint:
            raise OptionError(_other(folder, f"with something else in --{name}", "give the same, or another --out"))
    asked = options.to_dict()
    # An option that came after the checkpoint: by its default, everybody's first, the run is what it was
    saved = type(options)().to_dict() | TrainOptions().to_dict() | checkpoint.options
    for name in sorted(asked.keys() | checkpoint.options.keys()):
        before, now = saved.get(name), asked.get(name)
        if name == "steps" and isinstance(before, int) and options.steps >= checkpoint.step:
            continue
        if before != now and name not in FREE_TO_CHANGE:
            flag = "--" + name.replace("_", "-")
            mend = f"give {flag} {before}, or another --out"
            raise OptionError(_other(folder, f"with {flag} {before}, not {now}", mend))


def fit(module: torch.nn.Module, state: Mapping[str, Tensor], folder: Path) -> None:
    """Loads a network's state.

    Raises:
        ModelError: when it is another network's.
    """
    try:
        module.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        why = str(error).strip().splitlines()[-1].strip()
        raise ModelError(
            one_line(f"the checkpoint in {folder} is of another network ({why}); mend: name another --out")
        ) from None


def _damaged(path: Path, why: str) -> str:
    return one_line(f"{path} is damaged or something else ({why}); mend: delete it")


def _other(folder: Path, what: str, mend: str) -> str:
    return one_line(f"{folder} holds a run {what}; mend: {mend}")
