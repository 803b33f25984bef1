"""Labelled sheets: a row a pair, with what each network made of it; or a grid of pictures, each with its caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.errors import OptionError
from impasto.image import resize
from impasto.image.transparency import over_white
from impasto.picture import Picture, Pixels

CELL, GAP, HEAD = 256, 6, 30
FONT = 16

LARGEST = 4096
"""Pixels of a grid's longer side: what browsers and viewers still show in one piece."""

LEAST = 160
"""Pixels across of a grid's cell, so that a caption can be read below the smallest picture."""

WIDE = 2.0
"""The shape of a grid, width by height, as near as whole rows allow: that of a screen with a caption."""

INK, PALE = (17, 17, 17), (105, 105, 105)


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


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture of a grid, and what stands below it.

    Attributes:
        picture: of any size and shape; what is see-through is shown on white.
        title: one line, in black.
        detail: a second one, smaller and grey.
    """

    picture: Picture
    title: str
    detail: str = ""


@dataclass(frozen=True)
class _Layout:
    """Where things are on a grid; everything in pixels, and in proportion to the cells."""

    columns: int
    rows: int
    box: tuple[int, int]

    @property
    def margin(self) -> int:
        return max(16, self.box[0] // 20)

    @property
    def title(self) -> int:
        return min(32, max(14, self.box[0] // 26))

    @property
    def detail(self) -> int:
        return max(12, self.title * 4 // 5)

    @property
    def caption(self) -> int:
        return round(0.5 * self.title + 1.3 * self.title + 1.3 * self.detail)

    @property
    def pitch(self) -> tuple[int, int]:
        return self.box[0] + self.margin, self.box[1] + self.caption + self.margin

    @property
    def size(self) -> tuple[int, int]:
        return self.margin + self.columns * self.pitch[0], self.margin + self.rows * self.pitch[1]


def make_grid(cells: Sequence[Cell], *, box: tuple[int, int], largest: int = LARGEST) -> Picture:
    """Pictures with captions below them, row by row, on white.

    Args:
        cells: at least one, in reading order. A picture of another shape than `box` keeps its own and stands on the
            caption, at the cell's left.
        box: (width, height) of the largest picture, 1 to 1 where the sheet does not grow too large.
        largest: pixels of the sheet's longer side; cells shrink to stay within it.

    Raises:
        OptionError: when there are no cells.

    Example:
        >>> grey = Picture(np.full((120, 200, 3), 0.5, np.float32))
        >>> make_grid([Cell(grey, "photo"), Cell(grey, "result", "2 s")], box=(200, 120)).size
        (448, 193)
    """
    if not cells:
        raise OptionError("a sheet takes at least one picture")
    layout = _layout(len(cells), box, largest)
    canvas = Image.new("RGB", layout.size, "white")
    draw = ImageDraw.Draw(canvas)
    for place, cell in enumerate(cells):
        row, column = divmod(place, layout.columns)
        left, top = (layout.margin + at * step for at, step in zip((column, row), layout.pitch, strict=True))
        pixels = _within(cell.picture, layout.box)
        bottom = top + layout.box[1]
        canvas.paste(Image.fromarray(np.rint(pixels * 255).astype(np.uint8)), (left, bottom - pixels.shape[0]))
        line = bottom + layout.title // 2
        for text, size, colour in ((cell.title, layout.title, INK), (cell.detail, layout.detail, PALE)):
            font = ImageFont.load_default(size)
            draw.text((left, line), _short(text, layout.box[0], font), fill=colour, font=font)
            line += round(1.3 * size)
    return Picture(np.asarray(canvas, np.float32) / np.float32(255))


def _layout(cells: int, box: tuple[int, int], largest: int) -> _Layout:
    """As many columns as give the sheet its shape and leave few places empty; then cells that fit."""
    full = (max(box[0], LEAST), box[1])
    layout = min(
        (_Layout(n, math.ceil(cells / n), full) for n in range(1, cells + 1)), key=lambda one: _odd(one, cells)
    )
    scale = 1.0
    while max(layout.size) > largest and scale > 1 / 64:
        scale *= min(0.99, largest / max(layout.size))
        layout = _Layout(layout.columns, layout.rows, (round(full[0] * scale), max(1, round(full[1] * scale))))
    return layout


def _odd(layout: _Layout, cells: int) -> float:
    """How far a sheet is from what one likes to see."""
    empty = layout.columns * layout.rows - cells
    return abs(math.log(layout.size[0] / layout.size[1] / WIDE)) + empty / layout.columns


def _within(picture: Picture, box: tuple[int, int]) -> Pixels:
    """The picture on white, as large as fits."""
    pixels = over_white(picture.pixels, picture.alpha)
    zoom = min(box[0] / picture.width, box[1] / picture.height)
    return resize(pixels, (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))))


def _short(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """A label that stays within its column, on one line, of letters that can be drawn: a file's name holds anything."""
    label = " ".join(label.encode("utf-8", "replace").decode().split())
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "...") > width:
        label = label[:-1]
    return label + "..."
