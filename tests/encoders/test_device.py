"""What memory there is, on a card that is not here."""

from __future__ import annotations

import pytest
import torch

from impasto import machine
from impasto.encoders.device import free_memory


@pytest.fixture
def _figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 7)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 20)


@pytest.mark.usefixtures("_figures")
@pytest.mark.parametrize(("device", "free"), [("cpu", 7), ("cuda", 130)])
def test_memory_is_that_of_where_the_work_is_done(device: str, free: int) -> None:
    assert free_memory(torch.device(device)) == free
