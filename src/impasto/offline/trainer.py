"""The training of any recipe: batches in, updates, and a folder that holds all there is to know about the run.

A run can be ended at any moment, by any means, and goes on when the same command is given again; on the same processor
with the same number of threads it then takes, bit for bit, the way of an unbroken one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from threading import Event as StopSignal
from typing import TYPE_CHECKING, Literal

import torch

from impasto.encoders.device import pick_device, pick_dtype
from impasto.errors import OptionError
from impasto.events import Notice, Started, Trained, TrainingEvent, Update
from impasto.image.wording import cause, one_line
from impasto.machine import kept_memory
from impasto.offline import checkpoint as checkpoints
from impasto.offline.checkpoint import Checkpoint
from impasto.offline.feed import Feed
from impasto.offline.learner import Learner, Seen, flat
from impasto.offline.log import Log
from impasto.offline.pictures import Pictures
from impasto.offline.processes import Crew, crew
from impasto.offline.recipes import get_recipe
from impasto.offline.schedule import seconds_of, stages
from impasto.offline.sheet import draw_sheet, write_sheet
from impasto.offline.weights import save_network

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.offline.recipe import Batch, Recipe, TrainOptions

Ended = Literal["done", "time", "stop"]
_PRIVATE = frozenset(
    {
        "content",
        "style",
        "finetune",
        "start",
        "teacher",
        "out",
        "device",
        "time_limit",
        "log_every",
        "sheet_every",
        "checkpoint_every",
    }
)


def train(recipe_name: str, options: TrainOptions, *, stop: StopSignal | None = None) -> Iterator[TrainingEvent]:
    """Trains a recipe of the table, from the beginning or from where its folder's run was left.

    Args:
        recipe_name: such as "impasto".
        options: of that recipe's class.
        stop: set it, from a signal handler or another thread, to save and end after the update in hand.

    Yields:
        Started, Notice, Update after every update, and Trained at the end. Of several processes the first yields all,
        the others Started and Trained.

    Raises:
        OptionError: when options do not fit each other, this machine, or the run in the folder, or training diverges.
        PictureError: when there is no picture to train on.
        ModelError: when a checkpoint is damaged or something cannot be written.
    """
    row = get_recipe(recipe_name)
    if not isinstance(options, row.options_class):
        raise OptionError(f"{recipe_name} takes {row.options}, not {type(options).__name__}")
    return run(row.recipe_class, options, stop=stop or StopSignal())


def run(recipe_class: type[Recipe], options: TrainOptions, *, stop: StopSignal) -> Iterator[TrainingEvent]:
    """As `train`, for a recipe of one's own."""
    seconds_of(options.time_limit)
    device = pick_device(options.device)
    if options.compile and device.type != "cuda":
        raise OptionError(f"--compile is for a GPU, this run is on the {device.type}; mend: leave it out")
    memory: AbstractContextManager[None] = kept_memory() if device.type == "cpu" else nullcontext()
    with memory, torch.random.fork_rng(devices=[]), crew(device) as team, ExitStack() as stack:
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        if team.leads:
            stack.enter_context(_held(options.out))
        team.wait()
        session = stack.enter_context(closing(_Session(recipe_class, options, team, stop)))
        yield from session.events()


class _Session:
    """This process's part of a run."""

    def __init__(self, recipe_class: type[Recipe], options: TrainOptions, team: Crew, stop: StopSignal) -> None:
        self.options, self.team, self.stop = options, team, stop
        self.name, self.folder = recipe_class.name, options.out
        self.begun = time.monotonic()
        self.pace = _Pace()
        self.last: dict[str, float] = {}
        self.saved = -1
        self.log: Log | None = None
        for stage in stages(options):
            team.share(stage.batch)
        self.pictures = Pictures(options)
        torch.manual_seed(options.seed)
        dtype = pick_dtype(options.precision, team.device)
        self.learner = Learner(recipe_class(options, device=team.device, dtype=dtype), options, team)
        files = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.recipe.files().items()}
        self.fingerprints = {**self.pictures.fingerprints, **files}

    def close(self) -> None:
        """Ends threads and closes files."""
        self.pictures.close()
        if self.log is not None:
            self.log.close()

    def events(self) -> Iterator[TrainingEvent]:
        """The run itself."""
        options, learner = self.options, self.learner
        yield Started(self.name, (options.crop, options.crop), options.steps)
        yield from self._resume()
        ended: Ended = "done"
        began = time.perf_counter()
        with closing(self._batches()) as batches:
            for batch in batches:
                seen = learner.update(batch, wish=self.stop.is_set() or self._late())
                self.pace.add(batch.whole, time.perf_counter() - began)
                if self.team.leads:
                    self._after(seen)
                    yield from self.pictures.notices(self.log, learner.step)
                    yield self._update(seen)
                if seen.wish and learner.step < options.steps:
                    ended = "stop" if self.stop.is_set() else "time"
                    break
                began = time.perf_counter()
        if self.team.leads:
            yield from self.pictures.notices(self.log, learner.step, final=True)
        yield self._finish(ended)

    def _batches(self) -> Generator[Batch]:
        """What is left of the run."""
        for stage in stages(self.options):
            first = max(stage.first, self.learner.step)
            if first < stage.end:
                feed = Feed(
                    *self.pictures.open(stage.crop), batch=stage.batch, crop=stage.crop, seed=self.options.seed,
                    share=self.team.share(stage.batch), device=self.team.device,
                )  # fmt: skip
                with closing(feed), closing(feed.batches(first, stage.end)) as batches:
                    yield from batches

    def _resume(self) -> Iterator[Notice]:
        """Takes up the newest checkpoint there is."""
        found, troubles = checkpoints.load_latest(self.folder, self.team.device)
        if found is not None:
            checkpoints.check_same_run(found, self.name, self.options, self.fingerprints, self.folder)
            checkpoints.fit(self.learner.network, found.network, self.folder)
            checkpoints.fit(self.learner.ema, found.ema, self.folder)
            self.learner.restore(found)
            self.saved = found.step
        if not self.team.leads:
            return
        step = self.learner.step
        self.log = Log(self.folder, step=step, tally=found.tally if found else {})
        for trouble in troubles:
            yield Notice(one_line(f"{trouble.partition('; mend')[0]}; the one before it is used"), "warning")
        if found is not None:
            ahead = f"goes on after update {step} of {self.options.steps}"
            done = step >= self.options.steps
            yield Notice(f"{self.folder}: {'finished already; give more --steps to go on' if done else ahead}")

    def _after(self, seen: Seen) -> None:
        """What is written after an update; the checkpoint last, so that a log never lacks what came before it."""
        assert self.log is not None  # noqa: S101 (the process that leads has one)
        options, step = self.options, self.learner.step
        self.last = seen.losses
        if not seen.skipped:
            self.log.gather({**flat(seen.losses, seen.observed), "gradient": seen.gradient})
        if step % options.log_every == 0 or step == options.steps:
            self.log.write(
                step, rate=seen.rate, skipped=self.learner.skipped,
                images_per_second=round(self.pace.lately, 2), seconds=round(self._seconds(), 1),
            )  # fmt: skip
        if options.sheet_every and step % options.sheet_every == 0 and step < options.steps:
            self._sheet()
        if step % options.checkpoint_every == 0:
            self._save()

    def _finish(self, ended: Ended) -> Trained:
        """Writes what the run leaves behind."""
        network = None
        if self.team.leads:
            if self.learner.step != self.saved:
                self._save()
            if ended == "done":
                network = self.folder / f"{self.name}.safetensors"
                save_network(self.learner.ema, network, about=self._about())
                self._sheet()
        self.team.wait()
        return Trained(
            step=self.learner.step, network=network, checkpoint=self._checkpoint(), losses=self.last,
            images_per_second=self.pace.overall, seconds=self._seconds(), skipped=self.learner.skipped,
            unreadable=len(self.pictures.unreadable()), ended=ended,
        )  # fmt: skip

    def _about(self) -> dict[str, object]:
        told = {name: value for name, value in self.options.to_dict().items() if name not in _PRIVATE}
        return {**self.recipe.about(), "recipe": self.name, "updates": self.learner.step, "training": told}

    @property
    def recipe(self) -> Recipe:
        return self.learner.recipe

    def _save(self) -> None:
        assert self.log is not None  # noqa: S101
        checkpoint = Checkpoint(
            recipe=self.name, options=self.options.to_dict(), pictures=self.fingerprints,
            tally=dict(self.log.tally), **self.learner.state(),
        )  # fmt: skip
        checkpoints.save(checkpoint, self.folder)
        self.saved = self.learner.step

    def _checkpoint(self) -> Path:
        return self.folder / f"checkpoint-{self.learner.step}.pt"

    def _sheet(self) -> None:
        photos, paintings = self._samples()
        sheet = draw_sheet(self.recipe, self.learner.ema, photos, paintings)
        write_sheet(sheet, self.folder, self.learner.step)

    def _samples(self) -> tuple[list[Tensor], list[Tensor]]:
        """Photographs and paintings of every sheet, read once."""
        if not hasattr(self, "_shown"):
            self._shown = self.pictures.samples(self.team.device)
        return self._shown

    def _update(self, seen: Seen) -> Update:
        left = self.options.steps - self.learner.step
        return Update(
            step=self.learner.step, steps=self.options.steps, losses=seen.losses, observed=seen.observed,
            rate=seen.rate, images_per_second=self.pace.lately, seconds=self._seconds(),
            seconds_left=left * self.pace.update,
        )  # fmt: skip

    def _seconds(self) -> float:
        return time.monotonic() - self.begun

    def _late(self) -> bool:
        limit = seconds_of(self.options.time_limit)
        return limit is not None and self._seconds() >= limit


class _Pace:
    """Images a second, and seconds an update, without what sheets and checkpoints take."""

    def __init__(self) -> None:
        self._images = self._seconds = 0.0
        self.lately = self.update = 0.0

    def add(self, images: int, seconds: float) -> None:
        self._images += images
        self._seconds += seconds
        now = images / max(seconds, 1e-9)
        self.lately = now if not self.lately else 1 / (0.95 / self.lately + 0.05 / now)
        self.update = seconds if not self.update else 0.95 * self.update + 0.05 * seconds

    @property
    def overall(self) -> float:
        return self._images / self._seconds if self._seconds else 0.0


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps a second run out of the folder, where the system can; a killed run holds nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".running").open("w")
    except OSError as error:
        why = cause(error)
        raise OptionError(one_line(f"--out {folder} cannot be written ({why}); mend: name another folder")) from None
    with file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except BlockingIOError:
            raise OptionError(f"--out {folder} is in use by another run; mend: end that, or name another") from None
        except OSError:  # a network share without locks
            pass
        for left in (
            *folder.glob(".*.safetensors.*"),
            *folder.glob(".checkpoint-*.pt.*"),
            *folder.glob(".log.jsonl.*"),
        ):
            left.unlink(missing_ok=True)  # by a run that was killed while it wrote
        yield
