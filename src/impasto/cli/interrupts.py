"""Ctrl-C: the first asks to stop with what there is, if it can wait for that; any other stops at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as StopSignal
from types import FrameType


class Interrupts:
    """What Ctrl-C does.

    Args:
        can_wait: whether the first can wait for the step at work: there is something to save.
        otherwise: what a second one does.

    Attributes:
        stop: set by the first.
        can_wait: as above; changes with the work.
    """

    def __init__(self, *, can_wait: bool, otherwise: str) -> None:
        self.stop, self.can_wait, self._otherwise = StopSignal(), can_wait, otherwise

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """The signal's handler."""
        again = self.stop.is_set()
        self.stop.set()  # in any case: Python drops what is raised in some callbacks, such as those of imports
        if again or not self.can_wait:
            raise KeyboardInterrupt
        sys.stderr.write(f"\nimpasto: stopping after this step; Ctrl-C again to {self._otherwise}\n")


@contextmanager
def interruptible(*, can_wait: bool, otherwise: str) -> Iterator[Interrupts]:
    """Ctrl-C does as `Interrupts` says inside."""
    interrupts = Interrupts(can_wait=can_wait, otherwise=otherwise)
    before = signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
