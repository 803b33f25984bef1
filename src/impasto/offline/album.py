"""Pictures by number: decoded ahead of time by threads, kept small and as bytes while there is room for them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING

from impasto.errors import PictureError
from impasto.image.wording import cause, one_line
from impasto.machine import available_memory, physical_cores
from impasto.offline.data import DECODING, Entry, decode

if TYPE_CHECKING:
    from impasto.offline.data import Bytes

USUAL_ROOM = 2 << 30  # bytes of decoded pictures, where the system does not say what is free
SHARE = 4  # one part in so many of the free memory is taken, for both albums together
MOST_THREADS = 8


class Album:
    """Training pictures by number.

    A picture that cannot be read is stood in for by the next one that can: which picture a number means is a property
    of the files, not of the order in which they were drawn, so that a run can be repeated.

    Args:
        entries: from the index.
        side: pictures are kept with a short side of at most this.
        room: bytes of decoded pictures to keep; what does not fit is decoded again when it is drawn.
    """

    def __init__(self, entries: Sequence[Entry], *, side: int, room: int) -> None:
        self.entries, self.side, self.room = entries, side, room
        self._kept: dict[int, Bytes] = {}
        self._bad: dict[int, str] = {}
        self._small: dict[int, int] = {}
        self._lock, self._closed = Lock(), Event()
        threads = max(1, min(MOST_THREADS, physical_cores()))
        self._pool = ThreadPoolExecutor(threads, "pictures")
        # Apart, so that what is wanted now never waits; a core less, because the network is learning meanwhile.
        self._ahead = ThreadPoolExecutor(max(1, threads - 1), "pictures-ahead")
        fitting = room // (3 * side * side) + 1  # a few more than fit do no harm
        self._filled = [self._ahead.submit(self._fill, number) for number in range(min(len(entries), fitting))]

    def __len__(self) -> int:
        return len(self.entries)

    def draw(self, numbers: Sequence[int]) -> list[Bytes]:
        """The pictures of these numbers, (H, W, 3) bytes each; several are decoded side by side.

        Raises:
            PictureError: when not one picture can be read.
        """
        missing = [n for n in dict.fromkeys(numbers) if n not in self._kept]
        decoded = dict(zip(missing, self._pool.map(self._standing_in, missing), strict=True))
        return [decoded[n] if n in decoded else self._kept[n] for n in numbers]

    def unreadable(self) -> list[str]:
        """What was left out so far: "NAME: why"."""
        with self._lock:
            return [f"{self.entries[n].name}: {why}" for n, why in sorted(self._bad.items())]

    def smaller_than(self, least: int) -> int:
        """How many of the pictures seen so far have a shorter side than `least`, which is at most `side`."""
        with self._lock:
            return sum(side < least for side in self._small.values())

    def settled(self) -> bool:
        """Whether every picture that is decoded ahead of time has been."""
        return all(future.done() for future in self._filled)

    def close(self) -> None:
        """Stops decoding and lets the pictures go."""
        self._closed.set()
        for pool in (self._ahead, self._pool):
            pool.shutdown(wait=True, cancel_futures=True)
        self._kept.clear()

    def _fill(self, number: int) -> None:
        if not self._closed.is_set() and number not in self._kept:
            self._decode(number)

    def _standing_in(self, number: int) -> Bytes:
        """The picture, or the next one that can be read."""
        for step in range(len(self.entries)):
            if (picture := self._decode((number + step) % len(self.entries))) is not None:
                return picture
        first = next(iter(self.unreadable()), "")
        raise PictureError(
            one_line(f"not one of {len(self.entries)} pictures can be read ({first}); mend: name other pictures")
        )

    def _decode(self, number: int) -> Bytes | None:
        kept = self._kept.get(number)
        if kept is not None or number in self._bad:
            return kept
        try:
            picture = decode(self.entries[number].read(), self.side)
        except DECODING as error:
            with self._lock:
                self._bad[number] = cause(error)
            return None
        with self._lock:
            if min(picture.shape[:2]) < self.side:
                self._small[number] = min(picture.shape[:2])
            if number not in self._kept and picture.nbytes <= self.room:
                self.room -= picture.nbytes
                self._kept[number] = picture
        return picture


def room_for_pictures() -> int:
    """Bytes of decoded pictures that this process may keep, beside its neighbours under torchrun."""
    free = available_memory()
    beside = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1") or 1))
    return (free // SHARE if free is not None else USUAL_ROOM) // beside
