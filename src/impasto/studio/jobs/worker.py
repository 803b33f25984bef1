"""A worker: takes a job, paints, tells, and gives the picture in; as often as there are jobs."""

from __future__ import annotations

import math
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from impasto.errors import ImpastoError, OptionError
from impasto.events import Done, Event, Notice, Preview, Progress, Started
from impasto.picture import Picture
from impasto.studio import logs
from impasto.studio.decoding import packed, thumbnail
from impasto.studio.errors import AwayError, LostError, StoppedError
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.rows import Claim
from impasto.studio.jobs.watch import LOOK_SECONDS, Watch, beat_seconds
from impasto.studio.limits import Limits
from impasto.studio.orders import Order, begun, check_steps, perform, without_flags
from impasto.studio.store import RUNS, Store, picture_file, preview_file, thumbnail_file

TELL_SECONDS, PREVIEW_SECONDS = 0.25, 1.0
"""Between the events that are kept of steps, and between previews."""

PREVIEW_SIDE = 1024

PLACES = ("IMPASTO_STUDIO_DATABASE", "IMPASTO_STUDIO_STORE")
"""Variables that tell a worker's process where jobs and pictures are: addresses may hold passwords, and the words of a
command line are there for everybody to see."""

QUICK = "IMPASTO_STUDIO_QUICK"
"""Variable that tells it to take only jobs of a second."""

PARENT = "IMPASTO_STUDIO_PARENT"
"""Variable that tells it whose death to go home at: its parent may be gone before it can look."""

NICE = 10
"""By how much a worker stands back: whoever only asks how things stand is answered first."""

TROUBLE_SECONDS = 1.0
"""Until a database that does not answer is asked again."""

AWAY_SECONDS = 5.0
"""Until a store that does not answer is asked again."""

AWAKE_SECONDS = 2.0
"""After this machine has slept, until its workers take back what others have been silent about: those slept too."""

AGAIN = 75
"""Status of a process that ends because its job hangs, or its memory is in doubt: another is to take its place."""

_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|bad.?alloc|failed to allocate", re.I)

log = logs.get("worker")


class Worker:
    """One at a time, in this process.

    Args:
        database: where jobs are.
        store: where pictures are.
        limits: how long a lease lasts, and so on.
        stop: set to go home: the job at work is given back, with its state kept.
        quick: takes only jobs of a second, so that those never wait behind long ones.
        end: ends the process, whatever its threads do; called where a job hangs, which nobody can stop from outside.
    """

    def __init__(
        self, database: Database, store: Store, limits: Limits, stop: StopSignal, *, quick: bool = False,
        end: Callable[[int], object] = os._exit,
    ) -> None:  # fmt: skip
        self._quick, self._end, self._worn, self._away = quick, end, False, False
        self.name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._queue, self._store, self._limits, self._stop = Queue(database, limits), store, limits, stop
        self._beaten, self._looked = -math.inf, time.time()

    def run(self) -> int:
        """Until somebody says stop, or its memory ran out.

        Returns:
            The status to end the process with: 0, or `AGAIN` where another is to take its place.
        """
        try:
            while not self._stop.is_set() and not self._worn:
                try:
                    self._look()
                except SQLAlchemyError:  # it may come back
                    log.exception("database")
                    self._stop.wait(TROUBLE_SECONDS)
        finally:
            with suppress(SQLAlchemyError):
                self._queue.leave(self.name)
        return AGAIN if self._worn else 0

    def _look(self) -> None:
        if abs(time.time() - self._beaten) >= beat_seconds(self._limits):
            self._queue.beat(self.name)
            self._beaten = time.time()
        if self._away and not self._store.answers():  # what it took now could only fail
            self._stop.wait(AWAY_SECONDS)
            return
        self._away = False
        before, self._looked = self._looked, time.time()  # the clock on the wall goes on while a machine sleeps
        if self._looked - before > self._limits.lease_seconds / 2:
            self._stop.wait(AWAKE_SECONDS)
            self._looked = time.time()
            return
        if self._queue.anything(quick=self._quick) and (claim := self._queue.claim(self.name, quick=self._quick)):
            self._work(claim)
            self._looked = time.time()
        else:
            self._stop.wait(LOOK_SECONDS)

    def _work(self, claim: Claim) -> None:
        log.info("begins", extra={"job": claim.id, "method": claim.order["method"], "attempt": claim.attempt})
        try:
            if self._ends(claim):
                self._store.delete_run(claim.id)
        except LostError:
            log.warning("lost", extra={"job": claim.id})
        except (OperationalError, InterfaceError):  # the lease runs out, and whoever comes next goes on
            log.exception("database", extra={"job": claim.id})

    def _ends(self, claim: Claim) -> bool:
        """Does the job; False when it was given back."""
        watch = Watch(self._queue, claim, self.name, self._limits, self._stop, self._hung)
        try:
            with watch:
                return self._paint(claim, watch)
        except (LostError, OperationalError, InterfaceError):
            raise
        except AwayError as error:
            log.error("store", exc_info=error.__cause__ or error, extra={"job": claim.id})
            self._away = True
            return self._queue.abandon(claim, "the store of pictures did not answer", mend="order it again later")
        except ImpastoError as error:
            why, self._worn = _plain(str(error)), _memory_ran_out(error.__cause__ or error.__context__)
        except Exception as error:
            self._worn = _memory_ran_out(error)  # what other threads wanted just then, nobody knows
            if self._worn:
                why = "memory ran out; mend: a smaller size"
            else:
                log.exception("fault", extra={"job": claim.id})
                why = f"this is a fault, report it: {type(error).__name__}"
        self._queue.finish(claim, "failed", error=why)
        log.info("failed", extra={"job": claim.id})
        return True

    def _hung(self, claim: Claim, why: str) -> None:
        """Gives up a job that hangs, and this process with it: its thread cannot be ended in any other way."""
        with suppress(LostError):
            if self._queue.abandon(claim, why):
                self._store.delete_run(claim.id)
        log.error("hangs", extra={"job": claim.id})
        with suppress(Exception):
            self._queue.leave(self.name)
        self._end(AGAIN)

    def _paint(self, claim: Claim, watch: Watch) -> bool:
        order, checkpoint = Order.from_stored(claim.order), self._store.checkpoint(claim.id)
        report = _Report(self._queue, claim, self._store, self._limits, watch, checkpoint)
        watch.heard(kept=report.kept)
        picture = self._performed(order, claim, checkpoint, {"on_event": report, "stop": watch.stop})
        return self._deliver(claim, order, picture, report, watch)

    def _performed(self, order: Order, claim: Claim, checkpoint: Path | None, told: dict[str, Any]) -> Picture | None:
        """The picture; None when the job was to stop before there was any."""
        told = {**told, "checkpoint": checkpoint}
        with suppress(StoppedError):
            try:
                return perform(order, self._store, **told)
            except OptionError as error:  # of another version, or damaged: what was made before is lost, the job is not
                if not checkpoint or not checkpoint.exists() or str(checkpoint) not in str(error):
                    raise
                log.warning("begins anew", extra={"job": claim.id})
                checkpoint.unlink()
                return perform(order, self._store, **told)
        return None

    def _deliver(self, claim: Claim, order: Order, picture: Picture | None, report: _Report, watch: Watch) -> bool:
        watch.done()
        if watch.lost:
            raise LostError(claim.id)
        stopped = report.stopped or picture is None
        if watch.leaving and stopped:
            self._queue.release(claim)
            log.info("gives back", extra={"job": claim.id})
            return False
        wanted = picture is not None and (report.kept or not stopped)
        state = "cancelled" if stopped else "done"
        if watch.overdue and stopped:
            longest = f"{self._limits.job_seconds:g} s, the longest that a job may take"
            if not wanted:
                raise ImpastoError(f"nothing was painted after {longest}; mend: a smaller size")
            report.remark(f"ended after {longest}; this is the picture so far")
            state = "done"
        result = self._keep(claim, order, picture) if picture and wanted else None
        self._queue.finish(claim, state, result=result)
        log.info(state, extra={"job": claim.id, "seconds": round(time.monotonic() - report.began, 3)})
        return True

    def _keep(self, claim: Claim, order: Order, picture: Picture) -> dict[str, Any]:
        """Files first, then the row: a picture that is listed is there. Files without a row are swept away later."""
        kept, identity = packed(picture), secrets.token_hex(16)
        self._store.put(picture_file(identity), kept.png)
        self._store.put(thumbnail_file(identity), kept.thumbnail)
        return {
            "id": identity, "owner": claim.owner, "kind": "result", "name": order.label[:120], "width": kept.size[0],
            "height": kept.size[1], "bytes": len(kept.png), "settings": dict(picture.settings),
        }  # fmt: skip


@dataclass
class _Report:
    """Turns a method's events into the job's: not more of them than somebody can look at."""

    queue: Queue
    claim: Claim
    store: Store
    limits: Limits
    watch: Watch
    checkpoint: Path | None
    stopped: bool = False
    steps_made: int = 0
    began: float = field(default_factory=time.monotonic)
    _stand: dict[str, Any] = field(default_factory=dict)
    _told: float = 0.0
    _shown: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether there are steps, of this worker or of one before, whose picture is kept when the job is cancelled."""
        return bool(self.steps_made) or begun(self.checkpoint)

    def __call__(self, event: Event) -> None:
        """What the method calls."""
        now = time.monotonic()
        self.watch.heard(kept=isinstance(event, Progress))
        if isinstance(event, Started):
            if self.watch.stop.is_set() and (self.watch.leaving or not self.kept):  # while its parts were loaded
                raise StoppedError("before the first step")
            check_steps(event.steps, event.size, self.limits)
            self._tell("started", {"width": event.size[0], "height": event.size[1], "steps": event.steps})
        elif isinstance(event, Progress):
            self.steps_made = event.step
            if now - self._told >= TELL_SECONDS or event.step == event.steps:
                self._told = now
                self._tell("progress", _progress(event))
        elif isinstance(event, Preview):
            if now - self._shown >= PREVIEW_SECONDS:
                self._shown = now
                self._show(event)
        elif isinstance(event, Notice):
            self._tell("notice", {"text": _plain(event.text), "level": event.level})
        elif isinstance(event, Done):
            asked = self.watch.stop.is_set() and not self.watch.overdue
            self.stopped = event.stopped or (asked and not self.kept)

    def remark(self, text: str) -> None:
        """What the worker itself has to say."""
        self._tell("notice", {"text": text, "level": "warning"})

    def _show(self, event: Preview) -> None:
        small = thumbnail(event.picture, PREVIEW_SIDE)
        if self.queue.asked_to_stop(self.claim):
            return  # the result comes next; or another worker, who has the job by now, shows how it stands
        try:
            self.store.put(preview_file(self.claim.id), small)
        except Exception:  # the picture itself may be kept yet: the disk is full for a moment, or the store is away
            log.exception("no preview", extra={"job": self.claim.id})
            return
        self._tell("preview", {"step": event.step, "url": f"/api/jobs/{self.claim.id}/preview?step={event.step}"})

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        stand = self._stand
        if kind == "progress":
            stand |= {k: data[k] for k in ("step", "steps", "loss", "seconds", "seconds_left")}
        elif kind == "started":
            stand |= {"step": 0, "steps": data["steps"]}
        elif kind == "preview":
            stand["preview"] = data["url"]
        elif kind == "notice":
            stand["notices"] = [*stand.get("notices", []), data["text"]][-20:]
        self.queue.tell(self.claim, kind, data, stand)


def _progress(event: Progress) -> dict[str, Any]:
    losses = {name: _finite(value) for name, value in event.losses.items()}
    return {
        "step": event.step, "steps": event.steps, "width": event.size[0], "height": event.size[1], "losses": losses,
        "loss": losses.get("total"), "seconds": event.seconds, "seconds_left": _finite(event.seconds_left),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    """A number as JSON can hold it."""
    return float(value) if math.isfinite(value) else None


def _memory_ran_out(error: BaseException | None) -> bool:
    """Whether that is what it says: torch has errors of its own for it, and is not imported for those who need none."""
    said = isinstance(error, RuntimeError) and _MEMORY.search(str(error))
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or bool(said)


def _plain(text: str) -> str:
    """A line for guests: they have no use for this machine's folders, nor for the command line's flags."""
    text = without_flags(text)
    text = re.sub(rf"\S*[\\/]{RUNS}[\\/][0-9a-f]{{32}}\b", "the saved state", text)
    return re.sub(r"(?<![\w:/.])(?:[A-Za-z]:)?[\\/](?:[^\s'\":;,()\\/]+[\\/])+", "", text)


def main() -> None:
    """A worker as a process of its own. It goes home on SIGTERM, and when the process that began it is gone."""
    database, store = (os.environ[name] for name in PLACES)
    stop, parent = StopSignal(), int(os.environ.get(PARENT, os.getppid()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logs.begin()
    if hasattr(os, "nice"):
        os.nice(NICE)
    threading.Thread(target=_stop_with, args=(parent, stop), daemon=True).start()
    quick = QUICK in os.environ
    sys.exit(Worker(Database(database), Store(store), Limits.from_environment(), stop, quick=quick).run())


def _stop_with(parent: int, stop: StopSignal) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    stop.set()


if __name__ == "__main__":
    main()
