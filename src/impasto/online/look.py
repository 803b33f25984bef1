"""What a loss is built from at one size of the canvas: the photo, and the paintings, each where it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor

from impasto.losses import IMAGE, Loss, Sum
from impasto.online.sight import Sight, Sums
from impasto.picture import Pixels

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sample:
    """A painting as a region sees it.

    Attributes:
        pixels: (H, W, 3), as large as it is wanted beside the canvas.
        share: of the region's style; those of one region sum to 1.
        mask: which part of it counts, (H, W) in [0, 1]; None for all.
    """

    pixels: Pixels
    share: float = 1.0
    mask: Pixels | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the canvas, and what it is painted after.

    Attributes:
        samples: one painting or several.
        mask: where on the canvas, (H, W) in [0, 1]; None for everywhere.
    """

    samples: tuple[Sample, ...]
    mask: Pixels | None = None

    @property
    def area(self) -> float:
        """Its part of the canvas, in [0, 1]."""
        return 1.0 if self.mask is None else float(self.mask.mean())


@dataclass(frozen=True, eq=False)
class Look:
    """The photo and the paintings at one size of the canvas.

    Attributes:
        sight: what they are looked at with.
        photo: (H, W, 3) of the canvas's size.
        regions: every part of the canvas that is painted; one that is all of it, unless there are masks.
        painted: the picture so far, of the canvas's size.
        turn: which loss at this size it is for, from 0, where a method has one made anew every some steps.
        last: whether this is the result's own size.
        upright: whether the paintings stay as they are. Strokes may be turned where it suits the photo; what is copied
            for its own sake may not.
        kept: what was made for an earlier turn at this size and holds for the others; see `once`.
    """

    sight: Sight
    photo: Pixels
    regions: tuple[Region, ...]
    painted: Pixels
    turn: int = 0
    last: bool = True
    upright: bool = False
    kept: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the canvas."""
        return self.photo.shape[1], self.photo.shape[0]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first turn at this size and kept for the others."""
        if key not in self.kept:
            self.kept[key] = make()
        found: T = self.kept[key]
        return found

    def content(self, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """The photo's feature maps, at the content layers if no others are named."""
        return self.sight.look(self.photo, taps or self.sight.content)

    def style(self, sample: Sample, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """A painting's feature maps, at the style layers if no others are named; `IMAGE` is the painting itself."""
        taps = taps or self.sight.style
        found = self.sight.look(sample.pixels, [tap for tap in taps if tap != IMAGE])
        return {tap: self.sight.tensor(sample.pixels) if tap == IMAGE else found[tap] for tap in taps}

    def gather(self, sample: Sample, sums: Sums) -> dict[str, tuple[Tensor, ...]]:
        """What `sums(features, guide)` of each style layer adds up to over a painting of any size."""
        return self.sight.gather(sample.pixels, self.sight.style, sums, mask=sample.mask)

    def guides(self, region: Region, taps: Sequence[str] = ()) -> dict[str, Tensor | None]:
        """How much each position of the canvas's maps counts in a region: tap -> (1, 1, H, W), None for all alike."""
        return self.sight.guides(region.mask, taps or self.sight.style)

    def everywhere(self, model: Callable[[Region], Loss]) -> Loss:
        """A texture model of each region, each with the voice of its area."""
        if len(self.regions) == 1 and self.regions[0].mask is None:
            return model(self.regions[0])
        return Sum([region.area * model(region) for region in self.regions])
