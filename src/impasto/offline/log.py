"""A run's log: one JSON line every few updates, and TensorBoard's files where that package is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from typing import Any

from impasto.errors import ModelError
from impasto.image.wording import cause, one_line
from impasto.offline.weights import write_whole

LOG = "log.jsonl"
COUNT = "#"  # begins the names under which a tally keeps how many values it has summed


class Log:
    """Appends to `log.jsonl`; a run that goes on from a checkpoint first forgets what came after it.

    A line's losses are means over the updates since the line before.

    Args:
        folder: of the run.
        step: updates done.
        tally: what had been gathered at that step, from the checkpoint.

    Raises:
        ModelError: when the log cannot be written.
    """

    def __init__(self, folder: Path, *, step: int, tally: Mapping[str, float]) -> None:
        self.path = folder / LOG
        self.tally = dict(tally)
        lines = _lines_until(self.path, step)
        self._told = {json.dumps(line["unreadable"]) for line in lines if "unreadable" in line}
        write_whole(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        with _worded(self.path):
            self._file = self.path.open("a", encoding="utf-8")
            self._board = _board(folder, step)

    def gather(self, values: Mapping[str, float]) -> None:
        """Takes the numbers of one update into the next line's means."""
        for name, value in values.items():  # a term that is not in every update has a count of its own
            self.tally[name] = self.tally.get(name, 0.0) + value
            self.tally[COUNT + name] = self.tally.get(COUNT + name, 0) + 1

    def write(self, step: int, **facts: float) -> None:
        """Writes a line: the step, the means, and facts of the moment."""
        sums = {name: total for name, total in self.tally.items() if not name.startswith(COUNT)}
        means = {name: total / self.tally[COUNT + name] for name, total in sums.items()}
        self.tally = {}
        self._line({"step": step, **means, **facts})
        if self._board is not None:
            with _worded(self.path):
                for name, value in {**means, **facts}.items():
                    self._board.add_scalar(name, value, step)

    def unreadable(self, step: int, names: Sequence[str]) -> None:
        """Lists pictures that were left out, once."""
        line = {"step": step, "unreadable": list(names)}
        if names and json.dumps(line["unreadable"]) not in self._told:
            self._told.add(json.dumps(line["unreadable"]))
            self._line(line)

    def close(self) -> None:
        """Closes the files; what a full disk had no room for has been said when it was written."""
        with suppress(OSError):
            self._file.close()
        if self._board is not None:
            with suppress(OSError):
                self._board.close()

    def _line(self, line: Mapping[str, Any]) -> None:
        plain = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in line.items()}
        with _worded(self.path):
            self._file.write(json.dumps(plain) + "\n")
            self._file.flush()


@contextmanager
def _worded(path: Path) -> Iterator[None]:
    """Says of which file it is that the system refuses something."""
    try:
        yield
    except OSError as error:
        why = f"{path} cannot be written: {cause(error)}"
        raise ModelError(one_line(f"{why}; mend: free space, or name another folder")) from None


def _lines_until(path: Path, step: int) -> list[dict[str, Any]]:
    """The lines up to a step; a last line that a kill cut in half goes."""
    if not path.exists():
        return []
    kept = []
    for text in path.read_text("utf-8", "replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int) and line["step"] <= step:
            kept.append(line)
    return kept


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's writer, or None; what it knows of later steps is struck out."""
    if util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
