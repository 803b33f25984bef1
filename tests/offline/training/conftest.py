"""Small pictures, and the smallest recipe as a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.offline.recipes import RECIPES
from impasto.offline.weights import NETWORKS

from .tiny import NETWORK, ROW, TinyTrainOptions, draw_pictures

Make = Callable[..., TinyTrainOptions]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("pictures") / "photos", 10)


@pytest.fixture(scope="session")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("pictures") / "paintings", 7, seed=1)


@pytest.fixture
def options(photos: Path, paintings: Path, tmp_path: Path) -> Make:
    """Makes options of a run in a folder of its own."""

    def make(**values: Any) -> TinyTrainOptions:
        usual = {"content": (photos,), "style": (paintings,), "out": tmp_path / "run", "device": "cpu"}
        return TinyTrainOptions(**{**usual, **values})

    return make


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(RECIPES, "tiny", ROW)
    monkeypatch.setitem(NETWORKS, "tiny", NETWORK)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
