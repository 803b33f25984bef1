"""What children are sent to do in tests: small, and at the top of a module that is quick to import."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from typing import Any

from impasto.errors import MissingExtraError, PictureError


def back(*what: Any) -> Any:
    """What was given."""
    return what[0] if len(what) == 1 else what


def whoami() -> int:
    """The child's process."""
    return os.getpid()


def nap(seconds: float) -> int:
    """Takes clock time, and no other."""
    time.sleep(seconds)
    return os.getpid()


def spin() -> None:
    """Takes processor time, for ever."""
    while True:
        pass


def hog(count: int) -> int:
    """Takes memory."""
    return len(bytearray(count))


def die(number: int) -> None:
    """Ends at once."""
    os.kill(os.getpid(), number)


def leave() -> None:
    """Ends as a program does."""
    os._exit(0)


def refuse() -> None:
    """Says no, in words."""
    raise PictureError("the picture is damaged; mend: get it again")


def lack() -> None:
    """Misses a package."""
    raise MissingExtraError("reading HEIC", "heif")


def fail() -> None:
    """A fault, whose words hold what a user wrote."""
    raise ValueError("secret words of a user")


def write() -> int:
    """Writes a file."""
    with tempfile.TemporaryFile() as file:
        return os.write(file.fileno(), b"x" * 100)


def call(port: int) -> str:
    """Speaks to the network; the host itself is reached by another name than the loopback's."""
    with socket.create_connection(("127.0.0.1", port), 2) as line:
        return line.recv(10).decode()


def odd() -> Any:
    """An answer that cannot travel."""
    return lambda: None


def deep() -> Any:
    """An answer that is too deep to travel."""
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


def dump() -> None:
    """Dies so that a core would be left."""
    signal.raise_signal(signal.SIGSEGV)
