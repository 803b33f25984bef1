"""The labelled sheet: a row a pair, with photo, painting and what each network made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.errors import OptionError
from impasto.image import resize
from impasto.picture import Picture

CELL, GAP, HEAD = 256, 6, 30
FONT = 16


def make_sheet(labels: Sequence[str], rows: Sequence[Sequence[Picture]], *, cell: int = CELL) -> Picture:
    """Pictures in rows under labels, on white.

    Args:
        labels: one a column.
        rows: as many pictures in each; any sizes, shown as squares.
        cell: side of a picture on the sheet, in pixels.

    Raises:
        OptionError: when there are no rows, or one has another number of pictures than there are labels.

    Example:
        >>> make_sheet(["photo", "result"], [[Picture(np.zeros((9, 9, 3), np.float32))] * 2], cell=64).size
        (146, 100)
    """
    if not rows or any(len(row) != len(labels) for row in rows):
        raise OptionError("a sheet takes at least one row, and a picture in each row for each label")
    width = GAP + (cell + GAP) * len(labels)
    canvas = Image.new("RGB", (width, HEAD + (cell + GAP) * len(rows)), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(FONT)
    for column, label in enumerate(labels):
        left = GAP + column * (cell + GAP)
        draw.text((left, (HEAD - FONT) // 2), _short(label, cell, font), fill="black", font=font)
        for row, pictures in enumerate(rows):
            pixels = resize(pictures[column].pixels, (cell, cell))
            canvas.paste(Image.fromarray(np.rint(pixels * 255).astype(np.uint8)), (left, HEAD + row * (cell + GAP)))
    return Picture(np.asarray(canvas, np.float32) / np.float32(255))


def _short(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """A label that stays within its column."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "...") > width:
        label = label[:-1]
    return label + "..."
