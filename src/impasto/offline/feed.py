"""Batches, made ahead of time: what they hold is a function of the seed and the step alone.

A run's position in its data is therefore its step and nothing else: a run that goes on needs no other state, and
several processes each make their share of the same batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from impasto.offline.augment import CONTENT, STYLE, Augment, Draws, cut, develop, draw
from impasto.offline.recipe import Batch

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.offline.album import Album

AHEAD = 3  # batches that wait, cut and ready
SEED = 2**63 - 1
_ORDER, _CROPS, _RECIPE = range(3)  # what random numbers are drawn for; each has a stream of its own


@dataclass(frozen=True, eq=False)
class _Cut:
    canvas: Tensor
    sides: Tensor
    draws: Draws


class Feed:
    """Batches of crops.

    Args:
        content: photographs.
        style: paintings.
        batch: crops an update, over all processes.
        crop: their side.
        seed: of everything that is drawn.
        share: which samples of each batch are this process's.
        device: where batches go.
    """

    def __init__(
        self, content: Album, style: Album, *, batch: int, crop: int, seed: int, share: slice, device: torch.device
    ) -> None:
        self._albums: tuple[tuple[Album, Augment], ...] = ((content, CONTENT), (style, STYLE))
        self._batch, self._crop, self._seed, self._share, self._device = batch, crop, seed, share, device
        self._thread = ThreadPoolExecutor(1, "feed")

    def batches(self, first: int, end: int) -> Generator[Batch]:
        """The batches of the steps from `first` up to, not including, `end`.

        Raises:
            PictureError: when not one picture can be read.
        """
        waiting: deque[Future[list[_Cut]]] = deque()
        coming = iter(range(first, end))
        for step in range(first, end):
            while len(waiting) <= AHEAD and (ahead := next(coming, None)) is not None:
                waiting.append(self._thread.submit(self._cut, ahead))
            yield self._develop(waiting.popleft().result(), step)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _cut(self, step: int) -> list[_Cut]:
        made = []
        for number, (album, augment) in enumerate(self._albums):
            chosen = places(len(album), self._batch, step, (self._seed, number))[self._share]
            rng = np.random.default_rng([self._seed, _CROPS, number, step])
            draws = draw(augment, self._batch, rng).part(self._share)
            canvas, sides = cut(album.draw([int(n) for n in chosen]), draws, album.side)
            made.append(_Cut(self._pinned(canvas), self._pinned(sides), draws))
        return made

    def _pinned(self, tensor: Tensor) -> Tensor:
        """In memory that a GPU fetches by itself, while the processor goes on."""
        return tensor.pin_memory() if self._device.type == "cuda" else tensor

    def _develop(self, cuts: list[_Cut], step: int) -> Batch:
        content, style = (
            develop(
                one.canvas.to(self._device, non_blocking=True),
                one.sides.to(self._device, non_blocking=True),
                one.draws,
                self._crop,
                colour=augment.colour > 0,
            )
            for one, (_, augment) in zip(cuts, self._albums, strict=True)
        )
        index = torch.arange(self._batch)[self._share]
        seed = int(np.random.default_rng([self._seed, _RECIPE, step]).integers(SEED))
        return Batch(content=content, style=style, index=index, step=step, seed=seed, whole=self._batch)


def places(count: int, batch: int, step: int, stream: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Which of `count` pictures the samples of a step show, (batch,): all of them in a random order, then in another.

    Args:
        count: pictures there are.
        batch: samples a step.
        step: from 0.
        stream: seed, and a number for what is drawn from.
    """
    at = np.arange(step * batch, (step + 1) * batch)
    epochs, within = np.divmod(at, count)
    found = [_order(count, int(epoch), *stream)[place] for epoch, place in zip(epochs, within, strict=True)]
    return np.array(found, np.int64)


@lru_cache(maxsize=8)
def _order(count: int, epoch: int, seed: int, number: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, number, epoch]).permutation(count)
