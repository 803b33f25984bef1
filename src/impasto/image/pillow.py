"""Pillow at work: what it keeps for the whole process is lent to one of our threads at a time, and put back."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_lock = threading.RLock()


@contextmanager
def at_work() -> Iterator[None]:
    """Keeps Pillow's warnings to itself, and its own guard against bombs out of the way of our limit.

    The guard and Python's warning filters belong to the whole process: one decoder at a time, so that each puts back
    what it found.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guard = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = guard
