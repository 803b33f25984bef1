"""Memory of a process that answers on many threads."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

M_ARENA_MAX = -8
"""glibc's name for how many heaps threads share."""

ARENAS = 2


def few_arenas() -> None:
    """Lets all threads share two heaps: with one for each, a server grows for hours by what lies free in them."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has other heaps
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
