"""One run of an online method, whatever its loss: scene, plan, events. A paper's file says what the loss is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from threading import Event as StopSignal

from impasto.errors import OptionError
from impasto.events import Event, Notice, Progress, Started
from impasto.losses import Loss
from impasto.online.checkpoint import Checkpoint
from impasto.online.identity import run_of
from impasto.online.look import Look
from impasto.online.memory import NOTHING, Kept
from impasto.online.mixing import mix_scales
from impasto.online.options import OnlineOptions
from impasto.online.painter import paint_pixels
from impasto.online.plan import Scale, plan
from impasto.online.scene import Scene, prepare, result_size
from impasto.online.sight import Sight
from impasto.picture import Picture, Pixels

FIRST_STEPS = 3
SHORT = 30
"""Seconds that nobody has to be told of."""

Objective = Callable[[Look], Loss]
"""What a method is: the loss for a photo and paintings at one size."""


def paint(
    name: str,
    content: Picture,
    styles: Sequence[Picture],
    options: OnlineOptions,
    sight: Sight,
    objective: Objective,
    *,
    stop: StopSignal,
    every: int | None = None,
    kept: Kept = NOTHING,
    tiles: bool = False,
    begin: Callable[[Scene], Pixels] | None = None,
) -> Iterator[Event]:
    """Paints `content` after `styles`, from coarse to fine.

    Args:
        name: the method's, for `Started`.
        content: the photo, (H, W, 3).
        styles: one painting or more, of any size.
        options: what every online method understands.
        sight: the encoder and the layers that the method looks with.
        objective: the method's loss at one size.
        stop: set to end with the best picture so far.
        every: steps after which the loss is made anew from the picture so far, for losses whose target depends on
            it, such as the nearest patches; None for once a scale.
        kept: what the loss takes besides the photo's content maps.
        tiles: whether the loss can be seen in tiles: all of it is `Additive`, or reads the picture itself.
        begin: where the method begins if nobody says where, in place of the photo.

    Yields:
        Started, Progress, Preview, Notice, and Done with the picture.

    Raises:
        OptionError: when a blend or a mask does not fit, or the checkpoint is another run's.
        LimitError: when memory would not do; the message names the size that would.
    """
    kept = kept.beside(options.style_scale, len(styles))
    stages = plan(result_size(content, options), options, sight, every=every, kept=kept, tiles=tiles)
    checkpoint = _checkpoint(name, content, styles, options, sight)
    scene = prepare(content, styles, options)
    yield Started(name, scene.content.size, stages.steps)
    yield from (Notice(text) for text in scene.notices)
    if options.mix_scales:
        if options.blend:
            raise OptionError("--mix-scales takes shapes of one painting and texture of the other; leave out --blend")
        scene = mix_scales(scene, sight, stop=stop)
    if begin and options.init is None and options.quality != "draft":
        scene = dataclasses.replace(scene, start=begin(scene))

    first: Look | None = None

    def loss_at(scale: Scale, painted: Pixels) -> Loss:
        nonlocal first
        if first is None or first.size != scale.size:
            photo, regions = scene.photo_at(scale.size), scene.regions_at(scale.size)
            first = Look(sight, photo, regions, painted, last=scale.size == scene.content.size)
        return objective(dataclasses.replace(first, painted=painted, turn=scale.turn))

    made = 0
    for event in paint_pixels(scene.content, scene.start, stages, sight, loss_at, stop=stop, checkpoint=checkpoint):
        yield scene.finish(event)
        made += isinstance(event, Progress)
        if isinstance(event, Progress) and made == FIRST_STEPS and event.step < event.steps:
            yield from _estimate(event, made, best=options.quality == "best" and options.steps is None)


def _checkpoint(
    name: str, content: Picture, styles: Sequence[Picture], options: OnlineOptions, sight: Sight
) -> Checkpoint | None:
    """The file that the run's state is kept in, if one was named; looked at before there is any work to lose."""
    if options.checkpoint is None:
        return None
    return Checkpoint(options.checkpoint, run_of(name, content, styles, options, sight.encoder.name))


def _estimate(event: Progress, made: int, *, best: bool) -> Iterator[Notice]:
    """What a user should know before he waits: the first steps of a run, or after a break, tell how long it takes."""
    seconds = event.seconds + event.seconds_left
    if seconds > SHORT:
        told = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
        sooner = "; --quality draft or good is sooner there" if best else ""
        steps = event.steps - event.step + made
        yield Notice(f"{steps} steps, about {told} on this machine{sooner}")
