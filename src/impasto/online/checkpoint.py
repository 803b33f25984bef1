"""Checkpoints of a painting: everything that a run needs to go on exactly, in one file that is whole at every moment.

The file is a safetensors file: nothing in it is executed. It says which run it belongs to, by what is in the pictures
and not by their names, so that another run neither goes on from it nor writes over it.
"""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto.errors import OptionError
from impasto.events import Notice
from impasto.image.targets import resolved
from impasto.image.wording import cause, one_line
from impasto.online.adam import Adam
from impasto.online.evaluation import Evaluation
from impasto.online.identity import difference
from impasto.online.lbfgs import Lbfgs, SearchState
from impasto.online.plan import Plan
from impasto.online.sight import Sight
from impasto.picture import Pixels

FORMAT = 2
KEY = "impasto-checkpoint"  # of the file's metadata

SECONDS = 60.0
"""Between two savings; what a kill loses at most."""

REST = 20.0
"""Times that a saving took, before the next: a large state on a slow disk costs a twentieth of the time, not more."""

TOKEN = 8  # bytes in the name of what is being written, so that nobody else's is ever taken for it

_MEND = "give the same again, or name another file with --checkpoint"


@dataclass(eq=False)
class Stand:
    """Where a run stands between two steps.

    Attributes:
        round: which of the plan's rounds it is in, from 0.
        made: steps made in this round.
        done: steps made in all.
        terms: the terms of the loss, and "total".
        painted: the picture that the round began with, from which its loss was made; when finished, the result.
        search: the round's search; None before it has begun.
        where: what the search looked with, as `where` says it.
        finished: whether nothing is left to do.
    """

    painted: Pixels
    round: int = 0
    made: int = 0
    done: int = 0
    terms: Mapping[str, float] = field(default_factory=dict)
    search: SearchState | None = None
    where: str = ""
    finished: bool = False


class Checkpoint:
    """The file in which one run keeps its state.

    Args:
        path: the file, there already or not.
        run: what it has to belong to; see `identity.run_of`.

    Raises:
        OptionError: when the file cannot be written, or is damaged, or something else, or holds another run.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self.path = path
        self._run = {name: value for name, value in run.items() if name != "usual"}
        self._troubled = False
        self._next = time.monotonic() + SECONDS
        check_place(path)
        if path.exists():
            _check_same_run(path, read_head(path)["run"], run)
        name = glob.escape(_beside(path, "").stem) + "[0-9a-f]" * 2 * TOKEN + ".tmp"
        for left in resolved(path).parent.glob(name):  # by a kill while saving
            _clear(left)

    @property
    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._next

    def load(self, plan: Plan, sight: Sight) -> tuple[Stand | None, Plan]:
        """Where the run stood, None when it has not begun; and the plan to go on with.

        The plan is the same, but for tiles: those that the run began with, where they take no more memory than those
        that the plan asks for now.

        Raises:
            OptionError: when the file is damaged, or of another plan.
        """
        if not self.path.exists():
            return None, plan
        head, tensors = _read(self.path, sight.device)
        if head["plan"] != _plain(plan):
            raise OptionError(f"{self.path} holds a run of another version of Impasto, with other steps; mend: {_MEND}")
        with _Damaged(self.path):
            painted = tensors.pop("painted").cpu().numpy()
            search = SearchState(tensors, {str(k): v for k, v in head["search"].items()}) if tensors else None
            stand = Stand(
                painted, int(head["round"]), int(head["made"]), int(head["done"]), dict(head["terms"]), search,
                str(head["where"]), bool(head["finished"]),
            )  # fmt: skip
            tile, whole = head["tile"], int(head["whole"])
            if tile is not None and (plan.tile is None or tile < plan.tile):
                plan = replace(plan, tile=int(tile), whole=whole)
        return stand, plan

    def restore(self, search: Lbfgs | Adam, evaluation: Evaluation, state: SearchState, *, elsewhere: bool) -> None:
        """Brings a search that has just begun, and what it looks with, to where the saved ones stood.

        Raises:
            OptionError: when the state is not of this search.
        """
        with _Damaged(self.path):
            if not state.fits(search.x):
                raise ValueError("the state is of a picture of another size")
            evaluation.load_state(state)
            search.load_state(state, elsewhere=elsewhere)

    def save(self, stand: Stand, plan: Plan) -> Notice | None:
        """Writes the state in place of the one before; a file of tensors that are there already, none is copied.

        Returns:
            A warning when the system refuses, once until it works again: a run is worth more than its checkpoint.
        """
        begun = time.monotonic()
        tensors = {"painted": torch.from_numpy(np.ascontiguousarray(stand.painted))}
        if stand.search:
            tensors |= {name: found.detach().cpu().contiguous() for name, found in stand.search.tensors.items()}
        head = {
            "format": FORMAT, "run": self._run, "plan": _plain(plan), "tile": plan.tile, "whole": plan.whole,
            "round": stand.round, "made": stand.made, "done": stand.done, "terms": dict(stand.terms),
            "search": stand.search.values if stand.search else {}, "where": stand.where, "finished": stand.finished,
            "checksum": _checksum(tensors),
        }  # fmt: skip
        trouble = _write(self.path, tensors, {KEY: json.dumps(head)})
        now = time.monotonic()
        self._next = now + max(SECONDS, REST * (now - begun))
        told = trouble and not self._troubled
        self._troubled = bool(trouble)
        if not told:
            return None
        kept = "what was saved before is kept" if self.path.exists() else "a kill would lose the run"
        return Notice(one_line(f"{self.path} cannot be written ({trouble}); {kept}; mend: make room"), "warning")


def where(sight: Sight, plan: Plan) -> str:
    """What a run looks with, as far as it decides how numbers are rounded."""
    dtype = next((str(p.dtype).removeprefix("torch.") for p in sight.encoder.parameters()), "float32")
    return f"{sight.device.type}, {dtype}, {f'tiles of {plan.tile}' if plan.tile else 'no tiles'}"


def check_place(path: Path) -> None:
    """Makes sure, before the work starts, that a checkpoint can be written.

    Raises:
        OptionError: when the folder does not exist or may not be written to, or something is in the way.
    """
    try:
        folder = resolved(path).parent
        if not folder.is_dir():
            raise OptionError(one_line(f"{path} cannot be written: there is no folder {folder}; mend: create it first"))
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):
                raise OptionError(one_line(f"{path} is no file; mend: name another with --checkpoint"))
            if not mode & 0o222 or not os.access(path, os.W_OK):
                raise OptionError(one_line(f"{path} is read-only; mend: make it writable, or name another file"))
        probe = _beside(path, secrets.token_hex(TOKEN))  # permissions alone do not tell: a disk may be read-only
        probe.touch(exist_ok=False)
        probe.unlink()
    except (OSError, ValueError) as error:
        raise OptionError(
            one_line(f"{path} cannot be written ({cause(error)}); mend: name another file with --checkpoint")
        ) from None


def read_head(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself, without its tensors.

    Raises:
        OptionError: when it is damaged, or something else.
    """
    with _Damaged(path), _opened(path) as file:
        return _head_of(path, file)


def _read(path: Path, device: torch.device) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The head and the tensors, on the device.

    They are copied one by one: what lies in a file lies anywhere, and sums over numbers that do not lie as a run's own
    do are rounded another way.
    """
    with _Damaged(path), _opened(path) as file:
        head = _head_of(path, file)
        tensors, checksum = {}, 0
        for name in sorted(file.keys()):
            found = file.get_tensor(name).clone()
            checksum = _added(checksum, found)
            tensors[name] = found.to(device)
        if checksum != head["checksum"]:
            raise ValueError("its checksum does not fit")
        return head, tensors


def _opened(path: Path) -> Any:
    from safetensors import safe_open

    return safe_open(path, framework="pt")


def _head_of(path: Path, file: Any) -> dict[str, Any]:
    told = (file.metadata() or {}).get(KEY)
    if told is None:
        raise OptionError(one_line(f"{path} is no checkpoint of a painting; mend: name another file with --checkpoint"))
    head: dict[str, Any] = json.loads(told)
    if head["format"] != FORMAT:
        raise OptionError(one_line(f"{path} is of another version of Impasto; mend: name another file"))
    parts = {"run", "plan", "tile", "whole", "round", "made", "done", "terms", "search", "where", "finished"}
    if not parts <= head.keys() or not isinstance(head["run"], dict):
        raise ValueError("parts are missing")
    return head


class _Damaged:
    """Says in one line what any error inside means for the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from safetensors import SafetensorError

        if isinstance(error, SafetensorError | KeyError | TypeError | ValueError | AttributeError | OSError):
            why = cause(error) if isinstance(error, OSError | ValueError) else "it cannot be read"
            mend = "name another file with --checkpoint"
            raise OptionError(one_line(f"{self._path} is damaged or no checkpoint ({why}); mend: {mend}")) from None


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """Writes beside the target and renames; returns why not, "" when all is well.

    Beside it in a folder of its own, since safetensors too writes to another name first: when it is killed, what it
    leaves has to be found again.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    target, folder = resolved(path), _beside(path, secrets.token_hex(TOKEN))
    temp = folder / "state"
    try:
        folder.mkdir()
        save_file(tensors, temp, metadata)
        with suppress(OSError):  # as the umask has it, not as temporary files have it; where the disk knows of such
            temp.chmod(stat.S_IMODE(folder.stat().st_mode) & 0o666)
        with temp.open("rb+") as file:
            os.fsync(file.fileno())
        temp.replace(target)
    except (OSError, SafetensorError) as error:
        return cause(error)
    finally:
        _clear(folder)
    with suppress(OSError):  # the new name survives a power cut, where folders can be flushed
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return ""


def _clear(left: Path) -> None:
    """Deletes what a saving left, as far as the system lets us."""
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
    else:
        with suppress(OSError):
            left.unlink()


def _beside(path: Path, token: str) -> Path:
    """A hidden name in the same folder, so that renaming never crosses file systems."""
    target = resolved(path)
    return target.with_name(f".{target.name}-{token}.tmp")


def _check_same_run(path: Path, saved: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises an OptionError that names the first thing that differs."""
    with _Damaged(path):
        what = difference(saved, asked)
    if what:
        raise OptionError(one_line(f"{path} holds a run {what}; mend: {_MEND}"))


def _plain(plan: Plan) -> list[Any]:
    """What decides which step comes when, as JSON gives it back."""
    return [plan.optimizer, plan.rate, *([*scale.size, scale.steps, scale.turn] for scale in plan.rounds())]


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    total = 0
    for name in sorted(tensors):
        total = _added(total, tensors[name])
    return total


def _added(checksum: int, tensor: Tensor) -> int:
    return zlib.crc32(tensor.numpy().reshape(-1).view(np.uint8).data, checksum)
