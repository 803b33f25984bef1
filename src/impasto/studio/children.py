"""Child processes with little freedom: memory, processor time and clock time are bounded, and after a while each goes.

A child is asked for one thing at a time. One that takes too long, asks for too much, or dies, takes only its own answer
along.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib
import json
import math
import multiprocessing
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from anyio import CapacityLimiter, to_thread
from pydantic import TypeAdapter

from impasto.errors import ImpastoError, LimitError
from impasto.studio import wire
from impasto.studio.errors import BusyError

_CONTEXT = multiprocessing.get_context("spawn")
FIRST_SECONDS = 60.0
"""That a new child may take to import what it needs before its own clock starts."""

END_SECONDS = 5.0
"""That one who was killed may take to be gone."""

NICE = 5
"""By how much a child stands back: who only asks how things stand is answered first."""

_READY = b"ready"
_NEEDED = re.compile(
    r"PATH|HOME|LANG|LC_[A-Z]+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|LD_LIBRARY_PATH|PYTHON[A-Z]*|[A-Z]+_NUM_THREADS|MALLOC_[A-Z_]+"
)
"""Variables without which a child may not find its modules, or speak another language; none has a password in it."""

_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000  # as Linux numbers them


@dataclass(frozen=True)
class Bounds:
    """What a child may take for one answer.

    Attributes:
        seconds: of clock time.
        memory: bytes of address space, None for as much as there is.
        tasks: answers after which another child takes its place.
        processor: seconds of processor time, of all its threads together; None for all that the clock allows.
        network: whether it may speak to other machines, and knows the secrets for that; it is kept from the network
            only where the system lets us.
        answer: bytes of one answer.
    """

    seconds: float
    memory: int | None = None
    tasks: int = 100
    processor: float | None = None
    network: bool = True
    answer: int = 1 << 30


class Children:
    """A few children that all do the same.

    Args:
        work: a function at the top of a module that can be imported by its name; what it takes must travel between
            processes, and what it returns is JSON, bytes, or a dataclass or tuple of those, as its annotation says.
        count: how many work at the same time.
        bounds: what each may take.
        waiting: callers that wait for a free one, beyond which others are sent away.
        vouch: called with each answer and what was asked; raises ValueError where nobody honest would answer so.
    """

    def __init__(
        self, work: Callable[..., Any], *, count: int, bounds: Bounds, waiting: int = 16,
        vouch: Callable[..., None] = lambda *_: None,
    ) -> None:  # fmt: skip
        self._work, self._bounds, self._vouch = work, bounds, vouch
        self._kind: TypeAdapter[Any] = TypeAdapter(typing.get_type_hints(work)["return"])
        self._free: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._lock, self._busy, self._closed = threading.Lock(), set[_Child](), False
        self._room = threading.BoundedSemaphore(count + waiting)
        self._threads = CapacityLimiter(count + waiting)
        for _ in range(count):
            self._free.put(None)  # a child is born when it is needed first

    def ask(self, *arguments: Any) -> Any:
        """What `work(*arguments)` returns or raises in a child.

        Raises:
            BusyError: when too many wait already.
            LimitError: when it took too long, or asked for too much memory.
            ImpastoError: when the child died.
        """
        with self.place():
            return self._ask(arguments)

    async def answer(self, *arguments: Any) -> Any:
        """As `ask`, for those who have a place; waits on threads of its own, so that it keeps nobody else waiting."""
        return await to_thread.run_sync(self._ask, arguments, limiter=self._threads)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place among those who are answered or wait.

        Raises:
            BusyError: when all are taken.
        """
        if not self._room.acquire(blocking=False):
            raise BusyError("too many pictures at once; mend: try again", 1)
        try:
            yield
        finally:
            self._room.release()

    def _ask(self, arguments: tuple[Any, ...]) -> Any:
        child = self._free.get()
        try:
            child = self._begin(child)
            return child.ask(arguments)
        except ImpastoError:
            if self._closed:  # that is why, whatever it looks like
                raise _going() from None
            raise
        finally:
            with self._lock:
                if child:
                    self._busy.discard(child)
                self._free.put(child)

    def _begin(self, child: _Child | None) -> _Child:
        """Somebody fresh, who is at work from now on."""
        if self._closed:
            raise _going()
        child = (
            child if child and child.fresh else _Child(self._work, self._kind, self._bounds, self._vouch, retired=child)
        )
        with self._lock:
            if not self._closed:
                self._busy.add(child)
                return child
        child.end()
        raise _going()

    def close(self) -> None:
        """Ends every child, those at work too: nobody waits for their answers any more."""
        with self._lock:
            self._closed = True
            for child in self._busy:
                child.kill()  # whoever asked it sees that, and clears up
        idle: list[_Child | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._free.get_nowait())
        for one in idle:
            if one:
                one.end()
            self._free.put(None)  # who asks now is told, and does not wait


class _Child:
    """One process and the line to it."""

    def __init__(
        self, work: Callable[..., Any], kind: TypeAdapter[Any], bounds: Bounds, vouch: Callable[..., None],
        retired: _Child | None = None,
    ) -> None:  # fmt: skip
        if retired:
            retired.end()
        self._kind, self._bounds, self._vouch, self._answers = kind, bounds, vouch, 0
        self._line, theirs = _CONTEXT.Pipe()
        place = work.__module__, work.__qualname__  # imported there, by somebody who has little freedom by then
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, *place, bounds), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def fresh(self) -> bool:
        """Whether it lives and may go on."""
        return self._process.is_alive() and self._answers < self._bounds.tasks

    def ask(self, arguments: tuple[Any, ...]) -> Any:
        try:
            if not self._answers:
                with self._clock(FIRST_SECONDS):
                    self._line.recv_bytes(len(_READY))
            self._answers += 1
            with self._clock(self._bounds.seconds):
                self._line.send(arguments)
                answer = wire.heard(self._line, self._kind, self._bounds.answer)
            self._vouch(answer, *arguments)
            return answer
        except (EOFError, OSError, ValueError):  # it died, or says what it should not
            self.end()
            raise self._death() from None

    @contextlib.contextmanager
    def _clock(self, seconds: float) -> Iterator[None]:
        """Cuts the line when the time is over, wherever in a message it hangs then."""
        over = threading.Event()
        timer = threading.Timer(seconds, self._cut, (over,))
        timer.start()
        try:
            yield
        except (EOFError, OSError, ValueError):
            if not over.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()  # what it has begun must be over before the line is closed, whose number another may get then
        if over.is_set():
            self.end()
            raise LimitError(f"it took longer than {seconds:g} s; mend: a smaller picture")

    def _cut(self, over: threading.Event) -> None:
        over.set()
        self._process.kill()
        if sys.platform != "win32":  # a child of its own may hold the line still
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._line.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    def _death(self) -> ImpastoError:
        if self._process.exitcode == -getattr(signal, "SIGXCPU", 0):
            return LimitError(f"it took longer than {self._bounds.processor:g} s; mend: a smaller picture")
        return LimitError("the picture could not be worked on: it took too much, or is damaged; mend: try another")

    def kill(self) -> None:
        """Kills it, and leaves the rest to whoever waits for its answer."""
        self._process.kill()

    def end(self) -> None:
        """Kills it and clears up."""
        self._process.kill()
        end = time.monotonic() + END_SECONDS
        while self._process.is_alive() and time.monotonic() < end:  # to join it would be to wait for its own children
            time.sleep(0.001)
        self._line.close()


def _going() -> BusyError:
    return BusyError("the studio is about to end; mend: try again", 5)


def _serve(line: Connection, module: str, name: str, bounds: Bounds) -> None:
    """The child's life, and where it is to know no secrets, the one before."""
    needed = {variable: value for variable, value in os.environ.items() if _NEEDED.fullmatch(variable)}
    if not bounds.network and needed != dict(os.environ):
        if os.name == "posix":  # what a process was begun with can be read off it until it ends, so it begins anew
            os.set_inheritable(line.fileno(), True)
            told = json.dumps([line.fileno(), sys.path, module, name, dataclasses.asdict(bounds)])
            os.execve(sys.executable, [sys.executable, "-c", _ANEW, told], needed)  # noqa: S606 - ours
        for variable in set(os.environ) - set(needed):
            os.environ.pop(variable)
    _live(line, module, name, bounds)


_ANEW = f"import sys; del sys.path[0]; from json import loads; told = loads(sys.argv[1]); sys.path[:] = told[1]; \
import {__name__} as children; children.anew(told[0], *told[2:])"


def anew(number: int, module: str, name: str, bounds: dict[str, Any]) -> None:
    """The child's life in a process that was begun anew.

    Args:
        number: of the line's file.
        module: where its work is.
        name: of its work there.
        bounds: as `Bounds` has them.
    """
    _live(Connection(number), module, name, Bounds(**bounds))


def _live(line: Connection, module: str, name: str, bounds: Bounds) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks decides when it ends
    _confine(bounds)
    _hush()
    work = getattr(importlib.import_module(module), name)
    line.send_bytes(_READY)
    while True:
        try:
            arguments = line.recv()
        except EOFError:
            return
        _allow(bounds.processor)
        for message in _answer(work, arguments):
            line.send_bytes(message)


def _answer(work: Callable[..., Any], arguments: tuple[Any, ...]) -> list[bytes]:
    """What came of it, as messages for the line: the answer or the error."""
    try:
        return wire.told(work(*arguments))
    except ImpastoError as error:
        return wire.told_error(error)
    except MemoryError:
        return wire.told_error(LimitError("it takes too much memory; mend: a smaller picture"))
    except Exception as error:
        return wire.told_error(ImpastoError(f"this is a fault, report it: {type(error).__name__}"))


def _confine(bounds: Bounds) -> None:
    """Takes away what a child does not need; Windows has no such bounds, there the clock alone holds."""
    try:
        import resource
    except ImportError:
        return
    os.nice(NICE)
    if bounds.memory:
        resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it answers over the line and writes no file
    if not bounds.network and sys.platform == "linux":
        unshare = ctypes.CDLL(None).unshare  # of the two ways one needs root, the other a system that lets users
        for way in (_NEW_NETWORK, _NEW_NETWORK | _NEW_USER):
            if unshare(way) == 0:
                break


def _hush() -> None:
    """What libraries have to say of damaged pictures is no line of our log."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)


def _allow(seconds: float | None) -> None:
    """Processor time for one more answer."""
    if seconds is None:
        return
    try:
        import resource
    except ImportError:
        return
    used = sum(os.times()[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(used + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
