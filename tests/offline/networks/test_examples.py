"""Examples in the networks' docstrings run as they are written."""

from __future__ import annotations

import doctest
import importlib

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("module", ["adain", "blocks", "dumoulin", "ghiasi", "impasto", "johnson"])
def test_examples(module: str) -> None:
    loaded = importlib.import_module(f"impasto.offline.networks.{module}")
    failed, attempted = doctest.testmod(loaded, extraglobs={"torch": torch})
    assert failed == 0
    assert attempted > 0
