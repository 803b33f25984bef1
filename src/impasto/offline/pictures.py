"""The pictures of one run: what is trained on, what is held out, and what has to be said about them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from impasto.events import Notice
from impasto.image.wording import one_line
from impasto.offline.album import Album, room_for_pictures
from impasto.offline.data import index, split
from impasto.offline.sheet import CELL, COLUMNS, ROWS

if TYPE_CHECKING:
    from impasto.offline.log import Log
    from impasto.offline.recipe import TrainOptions

FINER = 1.25  # short side of the pictures kept over the side of a crop: most crops are near their own resolution
NAMED = 3  # pictures that a notice names; the log lists all
ONE = "photograph", "painting"


class Pictures:
    """Albums of photographs and of paintings.

    Args:
        options: where they are, and how large crops are.

    Attributes:
        content: photographs to train on.
        style: paintings to train on.
        fingerprints: tell whether another run has the same.

    Raises:
        OptionError: when a source does not exist or is of no use.
        PictureError: when there is no picture.
    """

    def __init__(self, options: TrainOptions) -> None:
        self._crop = options.crop
        found = index(options.content, "--content"), index(options.style, "--style")
        self.fingerprints = {"content": found[0].fingerprint, "style": found[1].fingerprint}
        self._troubles = [trouble for one in found for trouble in one.troubles]
        parts = [split(one.entries) for one in found]
        self._seen = [seen for _, seen in parts]
        side, room = math.ceil(options.crop * FINER), room_for_pictures() // 2
        self.content, self.style = (Album(kept, side=side, room=room) for kept, _ in parts)
        self._told = -1

    @contextmanager
    def held_out(self) -> Iterator[tuple[Album, Album]]:
        """Small albums of what is not trained on, for sheets."""
        albums = []
        for entries, most in zip(self._seen, (ROWS, COLUMNS), strict=True):
            step = max(1, len(entries) // most)
            albums.append(Album(entries[::step][:most], side=CELL, room=room_for_pictures()))
        try:
            yield albums[0], albums[1]
        finally:
            for album in albums:
                album.close()

    def unreadable(self) -> list[str]:
        """What was left out so far: "NAME: why"."""
        return [*self._troubles, *self.content.unreadable(), *self.style.unreadable()]

    def notices(self, log: Log | None, step: int, *, final: bool = False) -> Iterator[Notice]:
        """What there is to say, once all that is decoded ahead has been, and again at the end if there is more."""
        if not final and (self._told >= 0 or not (self.content.settled() and self.style.settled())):
            return
        bad = self.unreadable()
        if self._told < 0:
            yield from self._small()
        if len(bad) > max(self._told, 0):
            if log is not None:
                log.unreadable(step, bad)
            named = "; ".join(bad[:NAMED]) + ("; ..." if len(bad) > NAMED else "")
            count = len(self.content) + len(self.style)
            yield Notice(
                one_line(f"{len(bad)} of {count} pictures cannot be read and are left out: {named}"), "warning"
            )
        self._told = len(bad)

    def _small(self) -> Iterator[Notice]:
        for album, what in zip((self.content, self.style), ONE, strict=True):
            small = album.smaller_than(self._crop)
            if small:
                which = f"{small} of {len(album)} {what}s are" if len(album) > 1 else f"the {what} is"
                yield Notice(f"{which} smaller than --crop {self._crop} and enlarged")

    def close(self) -> None:
        """Ends their threads."""
        self.content.close()
        self.style.close()
