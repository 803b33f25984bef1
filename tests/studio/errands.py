"""What children are sent to do in tests: small, and at the top of a module that is quick to import."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
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


@dataclass(frozen=True)
class Found:
    """Something that is made of several things."""

    data: bytes
    size: tuple[int, int]


def find() -> Found:
    """Words and bytes together."""
    return Found(b"\0\xff" * 1000, (3, 4))


def pair() -> tuple[bytes, float]:
    """The same without names."""
    return b"\0", 0.5


def astray() -> int:
    """Not what it says that it returns."""
    return "words"  # type: ignore[return-value]


class Trap:
    """Runs code where it is unpickled, as a decoder would answer that somebody has taken over."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __reduce__(self) -> Any:
        return os.mkdir, (self.where,)


def betray(where: str, many: int) -> None:
    """Answers by itself, past whoever packs answers: with a trap, or with more bytes than are taken."""
    for line in (thing for thing in gc.get_objects() if isinstance(thing, Connection) and not thing.closed):
        if many:
            line.send_bytes(bytes(many))
        else:
            line.send((True, Trap(where)))
    time.sleep(60)


def stammer(words: bytes, alone: bool) -> int:
    """Says so much of a message and then nothing, alone or with a child of its own that holds the line."""
    if words:
        if not alone and os.fork():
            os._exit(0)
        for line in (thing for thing in gc.get_objects() if isinstance(thing, Connection) and not thing.closed):
            os.write(line.fileno(), words)
        time.sleep(20)
        os._exit(0)
    return os.getpid()


def variables() -> list[str]:
    """Names that the child's environment has, or had when it began."""
    began = Path("/proc/self/environ")
    told = began.read_bytes().decode(errors="replace").split("\0") if began.exists() else []
    return sorted({*os.environ, *(one.partition("=")[0] for one in told if one)})


def core() -> tuple[int, int]:
    """Bytes of memory that may be left behind in a file by whoever dies."""
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)
