"""Reads torch's own files, which are pickles and may run code when they are read; not here."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import ModelError


def read_pth(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by their names.

    Raises:
        ModelError: when there is anything else in it, or it is damaged.
    """
    wrong = f"{path} holds something else than weights, or is damaged; mend: delete it and try again"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (MemoryError, OSError):  # that is not the file's fault
        raise
    except Exception as error:  # torch's words are many, and advise to read it without that guard
        raise ModelError(wrong) from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(wrong)
    return found
