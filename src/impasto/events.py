"""What a method reports while it works. The bar, the studio and a notebook are subscribers; the core never prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
        losses: each weighted term of the loss, and "total"; of layers that were not looked at in this step, as far as
            their gradient tells.
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


@dataclass(frozen=True)
class Update:
    """One update of a network in training is done.

    Attributes:
        step: updates done, from 1.
        steps: updates in all.
        losses: each weighted term of the loss, and "total".
        observed: what the recipe watches beside the loss.
        rate: the step size of this update.
        images_per_second: over all processes, lately.
        seconds: since the start of this process.
        seconds_left: an estimate; a time limit is not taken into account.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    observed: Mapping[str, float]
    rate: float
    images_per_second: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class Trained:
    """The training is over, or has been put off; the last event of every run that does not fail.

    Attributes:
        step: updates done.
        network: the finished network's file, None when there are updates left.
        checkpoint: where the same command will go on from.
        losses: the last update's, empty when there was none.
        images_per_second: over the whole run of this process, sheets and checkpoints not counted.
        seconds: since the start of this process.
        skipped: updates that were left out since the run's beginning, because a number was not finite.
        unreadable: pictures that could not be read and were left out.
        ended: "done", "time" when the time limit came first, "stop" when somebody asked to stop.
    """

    step: int
    network: Path | None
    checkpoint: Path
    losses: Mapping[str, float]
    images_per_second: float
    seconds: float
    skipped: int
    unreadable: int
    ended: Literal["done", "time", "stop"]


TrainingEvent = Started | Update | Notice | Trained
