"""Files of weights are read without running what is in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto import models
from impasto.encoders import efficientnet, inception, vgg
from impasto.encoders.pth import read_pth
from impasto.errors import ModelError

READERS: dict[str, Callable[[Path], object]] = {
    "vgg": vgg.read_codebook,
    "inception": lambda _: inception.read_state(),
    "efficientnet": lambda _: efficientnet.load("efficientnet-lite0"),
}


class Trap:
    """Makes a folder where it is unpickled."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.where),)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of every file of weights."""
    path = tmp_path / "weights.pth"
    monkeypatch.setattr(models, "path", lambda _: path)
    return path


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_code_in_a_file_is_not_run(file: Path, tmp_path: Path, read: Callable[[Path], object]) -> None:
    torch.save({"conv1_1_W_q": Trap(tmp_path / "trapped")}, file)
    with pytest.raises(ModelError, match="holds something else than weights, or is damaged; mend: ") as caught:
        read(file)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "trapped").exists()


def test_what_is_damaged_or_no_table_of_weights_is_refused(file: Path) -> None:
    torch.save({"a": torch.ones(2)}, file)
    assert read_pth(file)["a"].tolist() == [1, 1]
    whole = file.read_bytes()
    for data in (b"", whole[: len(whole) // 2], b"weights"):
        file.write_bytes(data)
        with pytest.raises(ModelError, match="is damaged"):
            read_pth(file)
    for odd in ([torch.ones(1)], {"a": 1}):
        torch.save(odd, file)
        with pytest.raises(ModelError, match="something else than weights"):
            read_pth(file)
