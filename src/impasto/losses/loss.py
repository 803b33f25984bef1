"""A Loss: a number that is 0 when a picture agrees with its target. Losses add and scale, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

IMAGE = "image"
"""The tap at which a loss finds the picture itself, (B, 3, H, W), RGB in [0, 1]."""

Features = Mapping[str, Tensor]


def widen(features: Tensor) -> Tensor:
    """In float32 at least: half precision is for features, not for their statistics; float64 stays."""
    return features.to(torch.promote_types(features.dtype, torch.float32))


def pieces(features: Tensor) -> tuple[Tensor, ...]:
    """A batch (B, ...) as what is best looked at in one go.

    On processors single pictures, since the map of one stays in the cache where those of all do not; elsewhere all.
    """
    one_by_one = features.device.type == "cpu" and len(features) > 1
    return tuple(features[i : i + 1] for i in range(len(features))) if one_by_one else (features,)


class Loss(nn.Module):
    """Base of every loss. A new one fills in `taps`, `label` and `forward`.

    Attributes:
        label: what a progress bar and a trace call this term.
        taps: the encoder's layers it reads, or `IMAGE`.
    """

    label: str = "loss"
    taps: tuple[str, ...] = ()

    def forward(self, features: Features) -> Tensor:
        """The loss, a float32 scalar, from a tap -> (B, C, H, W) mapping that holds at least `taps`."""
        raise NotImplementedError

    def terms(self, features: Features) -> dict[str, Tensor]:
        """Each term of the sum under its label, weighted."""
        return {self.label: self(features)}

    def __add__(self, other: Loss) -> Loss:
        return Sum((self, other))

    def __rmul__(self, weight: float) -> Loss:
        return Scaled(self, weight)


Places = Mapping[str, tuple[slice, slice]]
"""Tap -> rows and columns of the whole map that a tile's features are."""


class Additive(Loss):
    """A loss that is a function of sums over positions: what tiles of a picture find adds up to what all of it shows.

    A new one fills in `sums` and `of_sums`; a picture too large for memory is then seen tile by tile, exactly.
    """

    def sums(self, features: Features, places: Places | None = None) -> tuple[Tensor, ...]:
        """Sums over the positions of `features`, float32 at least.

        Args:
            features: tap -> (B, C, H, W), of the whole picture or of a tile.
            places: where the tile lies in the whole maps, for targets and guides that have a place; None for all.
        """
        raise NotImplementedError

    def of_sums(self, *sums: Tensor) -> Tensor:
        """The loss, a scalar, from the sums over all positions."""
        raise NotImplementedError

    def forward(self, features: Features) -> Tensor:
        """A float32 scalar."""
        return self.of_sums(*self.sums(features))


def tile_of(whole: Tensor, places: Places | None, tap: str) -> Tensor:
    """The part of a map of the whole picture, (..., H, W), that a tile covers; all of it without `places`."""
    return whole if places is None else whole[(..., *places[tap])]


class Scaled(Loss):
    """A loss times a number."""

    def __init__(self, loss: Loss, weight: float) -> None:
        super().__init__()
        self.loss, self.weight = loss, weight
        self.label, self.taps = loss.label, loss.taps

    def forward(self, features: Features) -> Tensor:
        """`weight * loss`."""
        value: Tensor = self.loss(features)
        return self.weight * value

    def terms(self, features: Features) -> dict[str, Tensor]:
        """The loss's own terms, each times `weight`."""
        return {label: self.weight * value for label, value in self.loss.terms(features).items()}


class Sum(Loss):
    """Losses added up; terms of one label become one."""

    label = "total"

    def __init__(self, losses: Sequence[Loss]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self.taps = tuple(dict.fromkeys(tap for loss in losses for tap in loss.taps))

    def forward(self, features: Features) -> Tensor:
        """The sum of all terms."""
        return sum_of(self.terms(features))

    def terms(self, features: Features) -> dict[str, Tensor]:
        """Each term, by label."""
        found: dict[str, Tensor] = {}
        for loss in self.losses:
            assert isinstance(loss, Loss)  # noqa: S101 - nn.ModuleList has forgotten its type
            for label, value in loss.terms(features).items():
                found[label] = found[label] + value if label in found else value
        return found


def sum_of(terms: Mapping[str, Tensor]) -> Tensor:
    """The terms added up.

    Raises:
        ValueError: when there are none.
    """
    values = list(terms.values())
    if not values:
        raise ValueError("a sum of no losses")
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
