"""Where and in which number format networks compute, when nobody says, and what memory there is for it."""

from __future__ import annotations

from typing import Literal

import torch

from impasto import machine
from impasto.errors import OptionError
from impasto.options import Device


def pick_device(asked: Device) -> torch.device:
    """The device that was asked for, or the fastest there is.

    Raises:
        OptionError: when this machine or this build of torch does not have it.
    """
    ready = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(name for name, there in ready.items() if there))
    if not ready[asked]:
        there = ", ".join(name for name, is_there in ready.items() if is_there)
        raise OptionError(f"--device {asked} is not available here; available: {there}")
    return torch.device(asked)


def pick_dtype(asked: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.dtype:
    """bfloat16 where arithmetic in it is fast, when nothing else is asked for.

    A processor without bf16 instructions emulates them, many times slower than float32; there Winograd's filtering
    does what it can instead.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bf16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and _cpu_has_bf16()
    return torch.bfloat16 if fast else torch.float32


def free_memory(device: torch.device) -> int | None:
    """Bytes that can be taken where pictures are worked on (a graphics card, this machine); None if unknown."""
    if device.type != "cuda":
        return machine.available_memory()
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # ours already, to be taken again
    return torch.cuda.mem_get_info(device)[0] + idle


def _cpu_has_bf16() -> bool:
    from torch import cpu

    probes = (getattr(cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe)
