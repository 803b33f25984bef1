"""Workers as child processes: as many as are wanted, each begun anew when it dies, all sent home in the end."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from typing import Self

from impasto.machine import physical_cores
from impasto.studio import logs
from impasto.studio.jobs.worker import AGAIN, PARENT, PLACES, QUICK

WAIT, MOST_WAIT = 1.0, 30.0
"""Seconds before a dead worker is begun anew: twice as many each time it dies young."""

YOUNG = 60.0

THREADS = "OMP_NUM_THREADS"
"""Variable that says how many threads compute in one process; left alone where somebody has set it."""

log = logs.get("crew")


class Crew:
    """Keeps workers at work.

    Args:
        database: where jobs are.
        store: where pictures are.
        count: how many workers; beside them goes one for jobs of a second.
        stop_seconds: how long they may take to go home.
    """

    def __init__(self, database: str, store: str, *, count: int, stop_seconds: float) -> None:
        places = dict(zip(PLACES, (database, store), strict=True))
        self._environment = {**_share(count), **os.environ, **places, PARENT: str(os.getpid())}
        self._stop_seconds, self._stop, self._latest = stop_seconds, threading.Event(), math.inf
        quick = {**self._environment, QUICK: "yes"}
        places_to_fill = [quick, *[self._environment] * count] if count else []
        self._threads = [threading.Thread(target=self._keep, args=(one,), daemon=True) for one in places_to_fill]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        for thread in self._threads:
            thread.join()

    def leave(self) -> None:
        """Sends all of them home, without waiting for it; whoever asks again changes nothing."""
        self._latest = min(self._latest, time.monotonic() + self._stop_seconds)
        self._stop.set()

    def _keep(self, environment: dict[str, str]) -> None:
        """One worker, and whoever comes after it."""
        wait = WAIT
        while not self._stop.is_set():
            began = time.monotonic()
            command = [sys.executable, "-m", PROGRAM]
            try:
                process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - ours
            except OSError:  # too many processes, too little memory: that may pass
                log.exception("no worker could be begun")
                self._stop.wait(wait)
                continue
            while process.poll() is None and not self._stop.wait(0.1):
                pass
            if self._stop.is_set():
                self._send_home(process)
                return
            meant = process.returncode == AGAIN  # not the worker's fault, and no reason to keep the next one back
            wait = WAIT if meant or time.monotonic() - began > YOUNG else min(2 * wait, MOST_WAIT)
            log.warning("a worker died", extra={"status": process.returncode})
            self._stop.wait(wait)

    def _send_home(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(max(0.0, self._latest - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _share(count: int) -> dict[str, str]:
    """Variables that let several workers share the cores, which torch would take whole for each of them."""
    return {THREADS: str(max(1, physical_cores() // count))} if count > 1 else {}


PROGRAM = "impasto.studio.jobs.worker"
