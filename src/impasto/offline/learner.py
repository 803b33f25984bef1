"""One update of a network: loss, gradient, a step of Adam, the moving average; in one process or several."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from impasto.errors import ModelError, OptionError
from impasto.offline.schedule import decay_at, rate_at

if TYPE_CHECKING:
    from impasto.offline.checkpoint import Checkpoint
    from impasto.offline.processes import Crew
    from impasto.offline.recipe import Batch, Reading, Recipe, TrainOptions

BETAS = (0.9, 0.99)  # the second moment forgets in a hundred updates, as fast as style networks change
PATIENCE = 10  # updates in a row without a finite number, then it is no accident


@dataclass(frozen=True)
class Seen:
    """What one update said, the same in every process.

    Attributes:
        losses: each term, and "total".
        observed: what the recipe watches beside.
        gradient: norm of the gradient before it was limited.
        rate: the step size.
        skipped: True when a number was not finite and the network stayed as it was.
        wish: True when a process wants to stop.
    """

    losses: dict[str, float]
    observed: dict[str, float]
    gradient: float
    rate: float
    skipped: bool
    wish: bool


class Learner:
    """A recipe's network in training.

    Args:
        recipe: made anew; its network goes to the crew's device, channels last.
        options: step sizes, limits, decay.
        crew: the processes.

    Attributes:
        network: in training.
        ema: its moving average, in evaluation mode; what is looked at and kept.
        step: updates done, those left out included.
        skipped: updates left out.
    """

    def __init__(self, recipe: Recipe, options: TrainOptions, crew: Crew) -> None:
        self.recipe, self.options, self.crew = recipe, options, crew
        device = crew.device
        network: nn.Module = recipe.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        recipe.network = self.network = network.train()
        crew.agree(network)
        self.ema = copy.deepcopy(network).requires_grad_(False).eval()
        if options.compile:
            network.compile(dynamic=False)  # in place: names of weights stay, and the average is not compiled
        paces, learning = recipe.paces(), {n: p for n, p in network.named_parameters() if p.requires_grad}
        self._parameters = list(learning.values())
        self._fused = device.type in ("cuda", "cpu")
        by_pace: dict[float, list[nn.Parameter]] = {}
        for name, parameter in learning.items():
            by_pace.setdefault(paces.get(name, 1.0), []).append(parameter)
        groups = [{"params": parameters, "pace": pace} for pace, parameters in by_pace.items()]
        self._optimiser = torch.optim.Adam(groups, lr=options.rate, betas=BETAS, fused=self._fused)
        self.step = self.skipped = self._skipped_in_a_row = 0

    def update(self, batch: Batch, *, wish: bool = False) -> Seen:
        """Learns from one batch.

        Args:
            batch: this process's share.
            wish: whether this process wants to stop.

        Raises:
            OptionError: when there has been no finite number for `PATIENCE` updates.
        """
        torch.manual_seed(batch.seed)  # whatever else draws at random has no state that outlives an update
        rate = self._set_rate()
        self._optimiser.zero_grad(set_to_none=True)
        before = [buffer.clone() for buffer in self.network.buffers()]
        reading = self.recipe.read(batch)
        torch.stack([term.float() for term in reading.terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
        seen = replace(self._read_out(reading, wish), rate=rate)
        if seen.skipped:
            for buffer, old in zip(self.network.buffers(), before, strict=True):
                buffer.copy_(old)
        else:
            self._optimiser.step()
            self.recipe.steer({**seen.losses, **seen.observed})
        self.step += 1
        self._average_weights()
        self._count(seen.skipped)
        return seen

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes back to where a checkpoint was saved; its states have been loaded into the networks already."""
        state = checkpoint.optimiser
        for group in state["param_groups"]:
            group["fused"] = self._fused
            group.setdefault("pace", 1.0)  # of checkpoints from before there were any
        try:
            self._optimiser.load_state_dict(state)
        except ValueError:  # its groups are others
            raise ModelError("the checkpoint is of another version of this training; mend: another --out") from None
        self.recipe.restore(checkpoint.steering)
        self.step, self.skipped = checkpoint.step, checkpoint.skipped
        self._skipped_in_a_row = checkpoint.skipped_in_a_row

    def state(self) -> dict[str, Any]:
        """The fields of a checkpoint that this class knows."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "steering": dict(self.recipe.state()),
            "skipped": self.skipped,
            "skipped_in_a_row": self._skipped_in_a_row,
        }

    def _set_rate(self) -> float:
        options = self.options
        rate = rate_at(self.step, steps=options.steps, warmup=options.warmup, largest=options.rate)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["pace"]
        return rate

    def _read_out(self, reading: Reading, wish: bool) -> Seen:
        """Averages over the processes what the backward pass left, limits the gradient, and fetches all numbers."""
        numbers = {**reading.terms, **reading.observed}
        values = [value.detach().float().reshape(()) for value in numbers.values()]
        values.append(torch.tensor(float(wish), device=self.crew.device))
        told = torch.stack(values)
        if self.crew.size > 1:
            for parameter in self._parameters:  # one that no sample of this share has used
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        self.crew.average([told, *(p.grad for p in self._parameters if p.grad is not None), *self._statistics()])
        norm = nn.utils.clip_grad_norm_(self._parameters, self.options.clip or math.inf)
        *read, wished, gradient = torch.cat([told, norm.float().reshape(1).to(told.device)]).tolist()
        by_name = dict(zip(numbers, read, strict=True))
        losses = {name: by_name[name] for name in reading.terms}
        losses["total"] = math.fsum(losses.values())
        return Seen(
            losses=losses,
            observed={name: by_name[name] for name in reading.observed},
            gradient=gradient,
            rate=0.0,
            skipped=not (math.isfinite(losses["total"]) and math.isfinite(gradient)),
            wish=wished > 0,
        )

    def _statistics(self) -> list[Tensor]:
        """What layers have counted, such as the means of batch norms."""
        return [buffer for buffer in self.network.buffers() if buffer.is_floating_point()]

    @torch.no_grad()
    def _average_weights(self) -> None:
        share = 1 - decay_at(self.step, self.options.ema)
        ours, theirs = self.ema.state_dict(), self.network.state_dict()
        moving = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([ours[n] for n in moving], [theirs[n] for n in moving], share)
        for name in ours.keys() - set(moving):
            ours[name].copy_(theirs[name])

    def _count(self, skipped: bool) -> None:
        self.skipped += skipped
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= PATIENCE:
            raise OptionError(
                f"no finite loss or gradient for {PATIENCE} updates up to {self.step}; "
                f"mend: a --rate below {self.options.rate:g}, or --precision fp32; the last checkpoint is as it was"
            )


def flat(losses: Mapping[str, float], observed: Mapping[str, float]) -> dict[str, float]:
    """One name for each number of an update, the loss first."""
    return {"loss": losses["total"], **{n: v for n, v in losses.items() if n != "total"}, **observed}
