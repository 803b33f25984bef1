"""The built-in styles, which lie beside this file and are drawn by our own scripts; and any picture by its id."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from impasto.image import read
from impasto.picture import Picture
from impasto.studio.decoding import thumbnail
from impasto.studio.errors import MissingError
from impasto.studio.store import Store, picture_file

FOLDER = Path(__file__).parent / "styles"


@dataclass(frozen=True)
class BuiltIn:
    """A style that everybody has.

    Attributes:
        id: its name, such as starry-hills.
        size: (width, height).
    """

    id: str
    size: tuple[int, int]

    @property
    def path(self) -> Path:
        """Its file, a JPEG."""
        return FOLDER / f"{self.id}.jpg"

    @property
    def name(self) -> str:
        """What to call it on a page."""
        return self.id.replace("-", " ").capitalize()


@cache
def built_in() -> dict[str, BuiltIn]:
    """All of them, by id; headers are read once a process."""
    from PIL import Image

    found = {}
    for path in sorted(FOLDER.glob("*.jpg")):
        with Image.open(path, formats=["JPEG"]) as image:
            found[path.stem] = BuiltIn(path.stem, image.size)
    return found


@cache
def built_in_thumbnail(identity: str) -> bytes:
    """A built-in style, small.

    Raises:
        MissingError: when there is none of that name.
    """
    if identity not in built_in():
        raise MissingError("there is no such style")
    return thumbnail(read(built_in()[identity].path))


def open_picture(store: Store, identity: str) -> Picture:
    """A picture of ours by its id, or a built-in style by its name.

    Raises:
        MissingError: when it is gone.
    """
    if found := built_in().get(identity):
        return read(found.path)
    return read(io.BytesIO(store.get(picture_file(identity))))
