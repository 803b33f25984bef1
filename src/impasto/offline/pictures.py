"""The pictures of one run: what is trained on, what is held out, and what has to be said about them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from impasto.events import Notice
from impasto.image.wording import one_line
from impasto.offline.album import Album, room_for_pictures
from impasto.offline.data import index, split
from impasto.offline.sheet import CELL, COLUMNS, ROWS, squares

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from impasto.offline.log import Log
    from impasto.offline.recipe import TrainOptions

FINER = 1.25  # short side of the pictures kept over the side of a crop: most crops are near their own resolution
NAMED = 3  # pictures that a notice names; the log lists all
ONE = "photograph", "painting"


class Pictures:
    """Albums of photographs and of paintings.

    Args:
        options: where they are.

    Attributes:
        fingerprints: tell whether another run has the same.

    Raises:
        OptionError: when a source does not exist or is of no use.
        PictureError: when there is no picture.
    """

    def __init__(self, options: TrainOptions) -> None:
        found = index(options.content, "--content"), index(options.style, "--style")
        self.fingerprints = {"content": found[0].fingerprint, "style": found[1].fingerprint}
        self._troubles = [trouble for one in found for trouble in one.troubles]
        self._parts = [split(one.entries) for one in found]
        self._albums: tuple[Album, ...] = ()
        self._crop = self._told = 0
        self._looked = False

    def open(self, crop: int) -> tuple[Album, Album]:
        """Photographs and paintings to train on, fine enough for crops of this side; what was open before is closed."""
        self.close()
        self._crop, self._looked = crop, False
        side, room = math.ceil(crop * FINER), room_for_pictures() // 2
        content, style = (Album(kept, side=side, room=room) for kept, _ in self._parts)
        self._albums = content, style
        return content, style

    def samples(self, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
        """Photographs and paintings for sheets, of those that are not trained on, as `squares`.

        One that cannot be read is stood in for by the next, by one that is trained on if need be.

        Raises:
            PictureError: when not one picture can be read.
        """
        found = []
        for (kept, seen), most in zip(self._parts, (ROWS, COLUMNS), strict=True):
            chosen = seen[:: max(1, len(seen) // most)][:most]
            with closing(Album([*chosen, *kept], side=CELL, room=0)) as album:
                found.append(squares(album.draw(range(len(chosen))), device))
        return found[0], found[1]

    def unreadable(self) -> list[str]:
        """What was left out so far: "NAME: why"."""
        return list(dict.fromkeys([*self._troubles, *(bad for album in self._albums for bad in album.unreadable())]))

    def notices(self, log: Log | None, step: int, *, final: bool = False) -> Iterator[Notice]:
        """What there is to say, once all that is decoded ahead has been, and again at the end if there is more."""
        if not final and (self._looked or not all(album.settled() for album in self._albums)):
            return
        bad = self.unreadable()
        if not self._looked:
            yield from self._small()
        self._looked = True
        if len(bad) > self._told:
            if log is not None:
                log.unreadable(step, bad)
            named = "; ".join(bad[:NAMED]) + ("; ..." if len(bad) > NAMED else "")
            count = sum(len(kept) for kept, _ in self._parts)
            yield Notice(
                one_line(f"{len(bad)} of {count} pictures cannot be read and are left out: {named}"), "warning"
            )
        self._told = max(self._told, len(bad))

    def _small(self) -> Iterator[Notice]:
        for album, what in zip(self._albums, ONE, strict=False):  # none when the run had been finished
            small = album.smaller_than(self._crop)
            if small:
                which = f"{small} of {len(album)} {what}s are" if len(album) > 1 else f"the {what} is"
                yield Notice(f"{which} smaller than the crops of {self._crop} pixels and enlarged")

    def close(self) -> None:
        """Ends their threads; what could not be read stays known."""
        self._troubles = self.unreadable()
        for album in self._albums:
            album.close()
        self._albums = ()
