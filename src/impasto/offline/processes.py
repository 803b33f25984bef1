"""One training run in one process or in several, on one machine or many, as `torchrun` starts them.

    torchrun --nproc-per-node 2 -m impasto train impasto --content ... --style ... --out RUN

Each process reads its share of every batch. After the backward pass one all-reduce over a single flat array averages
gradients, losses and statistics of batch norms. torch's DistributedDataParallel overlaps many small reductions with the
backward pass instead, which pays for networks of hundreds of megabytes; ours have a few, and what is read out beside
the gradients (terms, observed values, wishes to stop) travels in the same array for nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from impasto.errors import OptionError

_PEER = "Connection closed by peer", "Connection reset by peer", "Broken pipe"  # what gloo says of one that has ended
PATIENCE = timedelta(minutes=30)  # for a process that writes a sheet while the others wait


@dataclass(frozen=True)
class Crew:
    """The processes of a run.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are.
        device: where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """This process's samples of a batch.

        Raises:
            OptionError: when they cannot be shared evenly, which the mean over the batch needs.
        """
        if batch % self.size:
            fits = max(1, round(batch / self.size)) * self.size
            raise OptionError(f"--batch {batch} cannot be shared by {self.size} processes; mend: --batch {fits}")
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor by its mean over the processes."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(mean.view_as(tensor))

    def agree(self, module: nn.Module) -> None:
        """Gives every process the first one's weights."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, 0)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def crew(device: torch.device) -> Iterator[Crew]:
    """The processes that torchrun started, or this one alone.

    Args:
        device: the kind of device; each process of a machine takes a GPU of its own.

    Raises:
        OptionError: in those that are left, when one of the processes has ended before the others.
    """
    size = int(os.environ.get("WORLD_SIZE", "1") or 1)
    if size < 2:
        yield Crew(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Crew(distributed.get_rank(), distributed.get_world_size(), device)
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or any(word in str(error) for word in _PEER)):
            raise
        raise OptionError("another process of this run has ended, and says why; mend that first") from None
    finally:
        distributed.destroy_process_group()
