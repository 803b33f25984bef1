"""Ending a network in the middle of its run, between two of its layers, when somebody asks to stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event as StopSignal
from threading import Thread
from typing import Any

LOOK_SECONDS = 0.05
"""Between two looks at the signal."""

_STOP: ContextVar[StopSignal | None] = ContextVar("stop", default=None)


class StoppedError(Exception):
    """Somebody asked to stop while a network ran."""


@contextmanager
def interruptible(stop: StopSignal) -> Iterator[None]:
    """Within, runs of networks in this thread raise `StoppedError` soon after `stop` is set."""
    token = _STOP.set(stop)
    try:
        yield
    finally:
        _STOP.reset(token)


@contextmanager
def watched(options: Any) -> Iterator[None]:
    """Around one run with these `onnxruntime.RunOptions`.

    Raises:
        StoppedError: when the run ended, or failed, because of the signal.
    """
    stop = _STOP.get()
    if stop is None:
        yield
        return
    over = StopSignal()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            if stop.is_set():
                options.terminate = True
                return

    options.terminate = stop.is_set()
    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except Exception as error:  # the runtime's own exceptions have no common base
        if options.terminate:
            raise StoppedError from error
        raise
    finally:
        over.set()
        watcher.join()
