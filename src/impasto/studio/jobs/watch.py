"""Who looks after a job while it is painted: renews its lease, hears when it is to stop, and sees when it hangs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from threading import Event as StopSignal

from impasto.studio import logs
from impasto.studio.errors import LostError
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.rows import Claim
from impasto.studio.limits import Limits

LOOK_SECONDS = 0.25
"""Between looks for a job, or for a wish to cancel one."""

EMPTY_SECONDS = 0.5
"""That a cancelled job may take to end by itself while there is nothing of it to keep."""

log = logs.get("worker")


class Watch:
    """A thread beside the painting: renews the lease, and sees when the job is to stop, or hangs.

    Attributes:
        stop: set when the painting is to end.
        lost: whether the job is another worker's by now.
        leaving: whether it ends because the worker does.
        overdue: whether it ends because it took as long as a job may.
    """

    def __init__(
        self, queue: Queue, claim: Claim, worker: str, limits: Limits, leave: StopSignal,
        hung: Callable[[Claim, str], None],
    ) -> None:  # fmt: skip
        self.stop, self.lost, self.leaving, self.overdue = StopSignal(), False, False, False
        self._queue, self._claim, self._worker, self._leave, self._hung = queue, claim, worker, leave, hung
        self._limits, self._patience = limits, Patience(limits)
        self._over = StopSignal()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> None:
        self._began = self._held = time.monotonic()
        self._renewed = time.time()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def heard(self, *, kept: bool = False) -> None:
        """The painting goes on; `kept` from the first step on, which would be kept if it were cancelled now."""
        self._patience.heard(time.monotonic(), kept=kept)

    def done(self) -> None:
        """The painting is over; what is left is to keep it."""
        self._patience.done(time.monotonic())

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self._see()
                if why := self._patience.over(time.monotonic(), stopping=self.stop.is_set()):
                    self._hung(self._claim, why)
                    return
            except LostError:
                self._lose()
            except Exception:
                log.exception("database")
                if time.monotonic() - self._held > self._limits.lease_seconds:  # another has taken the job by now
                    self._lose()

    def _see(self) -> None:
        """What others want of this job."""
        if self._leave.is_set():
            self.leaving = True
            self.stop.set()
        if self.lost:
            return
        if not self.stop.is_set() and time.monotonic() - self._began > self._limits.job_seconds:
            self.overdue = True
            self.stop.set()
        if self._queue.asked_to_stop(self._claim):
            self._patience.cancelled()
            self.stop.set()
        if abs(time.time() - self._renewed) >= beat_seconds(self._limits):  # at once when the machine has slept
            self._queue.beat(self._worker, self._claim)
            self._held, self._renewed = time.monotonic(), time.time()

    def _lose(self) -> None:
        if not self._over.is_set():
            self.lost = True
            self.stop.set()


class Patience:
    """How long is waited for a painting that says nothing, or does not end when it is told to.

    Args:
        limits: `silent_seconds` and `cancel_seconds`.
    """

    def __init__(self, limits: Limits) -> None:
        self._silent, self._grace = limits.silent_seconds, limits.cancel_seconds
        self._last, self._longest, self._told, self._done = time.monotonic(), 0.0, math.inf, False
        self._kept = self._cancelled = False

    def heard(self, now: float, *, kept: bool = False) -> None:
        """It has made a step, or said something else; `kept` when there is a picture worth keeping from now on."""
        self._longest, self._last = max(self._longest, now - self._last), now
        self._kept |= kept

    def cancelled(self) -> None:
        """Nobody wants it any more, but for the picture so far."""
        self._cancelled = True

    def done(self, now: float) -> None:
        """It has ended: the picture is being kept, and is not thrown away for the seconds that takes."""
        self._last, self._done = now, True

    def over(self, now: float, *, stopping: bool) -> str | None:
        """Why it is not waited for any longer; None while it is."""
        if now - self._last > self._silent:
            return f"nothing moved for {self._silent:g} s"
        if stopping and not self._done:
            self._told = min(self._told, now)
            if now - self._told > self._allowed():
                return "nothing moved when it was to stop"
        return None

    def _allowed(self) -> float:
        """Seconds to end in: whose steps are long is stopped between two, and who has made none is not waited for."""
        empty = self._cancelled and not self._kept
        return min(EMPTY_SECONDS, self._grace) if empty else max(self._grace, 2 * self._longest)


def beat_seconds(limits: Limits) -> float:
    """Between two signs of life, of which the lease must outlast a few."""
    return min(limits.beat_seconds, limits.lease_seconds / 3)
