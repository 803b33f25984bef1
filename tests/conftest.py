"""What every test lives under: no network but this machine, and one thread a process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# Tests run beside each other; torch's threads would wait for each other on cores that somebody else has.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes on a busy machine is not what is tested.
settings.register_profile("impasto", deadline=None)
settings.load_profile("impasto")

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="session", autouse=True)
def _only_this_machine() -> Iterator[None]:
    """A test that reaches for the network fails, and says to where."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if self.family in (socket.AF_INET, socket.AF_INET6) else "localhost"
        if not str(host).startswith(LOOPBACK):
            raise AssertionError(f"a test reached for the network: {address}")
        real(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield
