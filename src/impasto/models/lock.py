"""A lock between processes, made of one file: who creates it holds it."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STALE = 120.0  # seconds without a beat, twice the longest time that a download can go without one
POLL = 0.1


@contextmanager
def locked(target: Path, *, stale: float = STALE) -> Iterator[Callable[[], None]]:
    """Holds `<target>.lock`; waits while another process, or another thread, does.

    No fcntl: it does not exist on Windows and does not work on every network share. A lock whose holder has died, or
    has not called the yielded function for `stale` seconds, is taken over. Should two ever hold it at once, files are
    still right: downloads are checked before they get their name.

    Args:
        target: the file that is going to be written.
        stale: seconds.

    Yields:
        A function to call every now and then as a sign of life.

    Raises:
        OSError: when the folder cannot be written.
    """
    path = target.with_name(target.name + ".lock")
    token = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    while not _create(path, token):
        if _abandoned(path, stale):
            _remove(path)
        else:
            time.sleep(POLL)
    try:
        yield lambda: _beat(path)
    finally:
        with suppress(OSError):
            if path.read_text("utf-8") == token:
                path.unlink()


def _create(path: Path, token: str) -> bool:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    except PermissionError:  # Windows, while a deleted lock is still open elsewhere
        if path.exists() and os.name == "nt":
            return False
        raise
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(token)
    return True


def _beat(path: Path) -> None:
    with suppress(OSError):
        os.utime(path)


def _abandoned(path: Path, stale: float) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
        host, _, rest = path.read_text("utf-8").partition(" ")
    except OSError:
        return False  # released meanwhile
    if age > stale:
        return True
    pid = rest.partition(" ")[0]
    return host == socket.gethostname() and pid.isdigit() and not _alive(int(pid))


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # os.kill(pid, 0) would end it there; wait for the beat to stop instead
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path) -> None:
    """Of several that find it abandoned, one gets it: a rename succeeds once."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with suppress(OSError):
        path.rename(aside)
        aside.unlink()
