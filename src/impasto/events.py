"""What a method reports while it works. The bar, the studio and a notebook are subscribers; the core never prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from impasto.picture import Picture


@dataclass(frozen=True)
class Started:
    """Work begins.

    Attributes:
        method: the method's name.
        size: (width, height) of the result to come.
        steps: how many steps there will be, 0 when the work has no steps.
    """

    method: str
    size: tuple[int, int]
    steps: int = 0


@dataclass(frozen=True)
class Progress:
    """One step is done.

    Attributes:
        step: steps done, from 1.
        steps: steps in all.
        size: (width, height) at which this step worked (coarse-to-fine methods begin small).
        losses: each weighted term of the loss, and "total".
        seconds: since the start.
        seconds_left: an estimate; larger scales ahead are taken into account.
    """

    step: int
    steps: int
    size: tuple[int, int]
    losses: Mapping[str, float]
    seconds: float
    seconds_left: float


@dataclass(frozen=True, eq=False)
class Preview:
    """The picture as it stands after `step` steps, at the size it has so far."""

    step: int
    picture: Picture


@dataclass(frozen=True)
class Notice:
    """Something the user should know, that stops nothing: a recovered step, a resized mask, a fallback.

    Attributes:
        text: one line.
        level: "info" when all is well, "warning" when the result may differ from what was asked.
    """

    text: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, eq=False)
class Done:
    """The work is over; the last event of every run that does not fail.

    Attributes:
        picture: the result.
        seconds: since the start.
        losses: the last losses, empty for methods without any.
        stopped: True when somebody asked to stop and this is the best picture so far.
    """

    picture: Picture
    seconds: float
    losses: Mapping[str, float] = field(default_factory=dict)
    stopped: bool = False


@dataclass(frozen=True)
class Failed:
    """The work ended without a picture. Runs in this process raise instead; streams to elsewhere send this."""

    error: str


Event = Started | Progress | Preview | Notice | Done | Failed
