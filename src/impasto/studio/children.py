"""Child processes with little freedom: memory, processor time and clock time are bounded, and after a while each goes.

A child is asked for one thing at a time. One that takes too long, asks for too much, or dies, takes only its own answer
along.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from impasto.errors import ImpastoError, LimitError, MissingExtraError
from impasto.studio.errors import BusyError

Answer = TypeVar("Answer")

_CONTEXT = multiprocessing.get_context("spawn")
FIRST_SECONDS = 60.0
"""That a new child may take to import what it needs before its own clock starts."""


@dataclass(frozen=True)
class Bounds:
    """What a child may take for one answer.

    Attributes:
        seconds: of clock time, and of processor time for each of its threads.
        memory: bytes of address space, None for as much as there is.
        tasks: answers after which another child takes its place.
    """

    seconds: float
    memory: int | None = None
    tasks: int = 100


class Children:
    """A few children that all do the same.

    Args:
        work: a function at the top of a module; what it takes and returns must travel between processes.
        count: how many work at the same time.
        bounds: what each may take.
        waiting: callers that wait for a free one, beyond which others are sent away.
    """

    def __init__(self, work: Callable[..., Any], *, count: int, bounds: Bounds, waiting: int = 64) -> None:
        self._work, self._bounds = work, bounds
        self._free: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(count + waiting)
        self._closed = False
        for _ in range(count):
            self._free.put(None)  # a child is born when it is needed first

    def ask(self, *arguments: Any) -> Any:
        """What `work(*arguments)` returns or raises in a child.

        Raises:
            BusyError: when too many wait already.
            LimitError: when it took too long, or asked for too much memory.
            ImpastoError: when the child died.
        """
        if not self._room.acquire(blocking=False):
            raise BusyError("too many pictures at once; mend: try again", 1)
        try:
            child = self._free.get()
            try:
                child = child if child and child.fresh else _Child(self._work, self._bounds, retired=child)
                return child.ask(arguments)
            finally:
                self._free.put(child)
        finally:
            self._room.release()

    def close(self) -> None:
        """Sends every child home that is not at work; those die with this process."""
        with contextlib.suppress(queue.Empty):
            while True:
                if child := self._free.get_nowait():
                    child.end()


class _Child:
    """One process and the line to it."""

    def __init__(self, work: Callable[..., Any], bounds: Bounds, retired: _Child | None = None) -> None:
        if retired:
            retired.end()
        self._bounds, self._answers = bounds, 0
        self._line, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, work, bounds), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def fresh(self) -> bool:
        """Whether it lives and may go on."""
        return self._process.is_alive() and self._answers < self._bounds.tasks

    def ask(self, arguments: tuple[Any, ...]) -> Any:
        seconds = self._bounds.seconds + (0 if self._answers else FIRST_SECONDS)
        self._answers += 1
        try:
            self._line.send(arguments)
            if not self._line.poll(seconds):
                self.end()
                raise LimitError(f"it took longer than {self._bounds.seconds:g} s; mend: a smaller picture")
            good, answer = self._line.recv()
        except (EOFError, OSError):
            self.end()
            raise self._death() from None
        if good:
            return answer
        raise answer

    def _death(self) -> ImpastoError:
        if self._process.exitcode == -getattr(signal, "SIGXCPU", 0):
            return LimitError(f"it took longer than {self._bounds.seconds:g} s; mend: a smaller picture")
        return LimitError("the picture could not be worked on: it took too much, or is damaged; mend: try another")

    def end(self) -> None:
        """Kills it."""
        self._process.kill()
        self._process.join(5)
        self._line.close()


def _serve(line: Connection, work: Callable[..., Any], bounds: Bounds) -> None:
    """The child's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks decides when it ends
    _confine(bounds)
    while True:
        try:
            arguments = line.recv()
        except EOFError:
            return
        _allow(bounds.seconds)
        try:
            answer = True, work(*arguments)
        except MissingExtraError as error:  # made of two words, and so does not travel
            answer = False, ImpastoError(str(error))
        except ImpastoError as error:
            answer = False, error
        except MemoryError:
            answer = False, LimitError("it takes too much memory; mend: a smaller picture")
        except Exception as error:
            answer = False, ImpastoError(f"this is a fault, report it: {type(error).__name__}")
        line.send(answer)


def _confine(bounds: Bounds) -> None:
    """Takes away what a child does not need; Windows has no such bounds, there the clock alone holds."""
    try:
        import resource
    except ImportError:
        return
    if bounds.memory:
        resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it answers over the line and writes no file


def _allow(seconds: float) -> None:
    """Processor time for one more answer."""
    try:
        import resource
    except ImportError:
        return
    used = sum(os.times()[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds * (os.cpu_count() or 1)) + 1, hard))
