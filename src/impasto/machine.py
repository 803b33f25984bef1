"""What this machine has to offer, without a dependency: memory that can still be taken, cores worth a thread."""

from __future__ import annotations

import os
from pathlib import Path

from impasto.errors import LimitError

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")


def available_memory() -> int | None:
    """Bytes that can be taken without swapping, container limits included; None where the system does not say."""
    offers = [n for n in (_system_memory(), _container_memory()) if n is not None]
    return min(offers) if offers else None


def check_memory(size: tuple[int, int], bytes_per_pixel: float, *, worked_at: tuple[int, int] | None = None) -> None:
    """Refuses to paint what would not fit into memory.

    Args:
        size: (width, height) of the result.
        bytes_per_pixel: what the work takes.
        worked_at: (width, height) to paint at on the way there, where it differs.

    Raises:
        LimitError: names the long side of a result that would fit.
    """
    free = available_memory()
    width, height = worked_at or size
    need = width * height * bytes_per_pixel
    if free is None or need <= free:
        return
    fits = int(max(size) * (max(free, 0) / need) ** 0.5)
    raise LimitError(
        f"painting {width}x{height} takes {need / 1e9:.3g} GB of memory, {max(free, 0) / 1e9:.3g} GB are free; "
        f"mend: --size {max(16, fits // 16 * 16)}"
    )


def physical_cores() -> int:
    """Cores this process may run on, two threads of one core counted once, at least 1."""
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    siblings = {_read(_CPUS / f"cpu{n}/topology/thread_siblings_list") or str(n) for n in cpus}
    quota = (_read(_CGROUP / "cpu.max") or "max").split()
    if len(quota) == 2 and quota[0] != "max":
        return max(1, min(len(siblings), -(-int(quota[0]) // int(quota[1]))))
    return max(1, len(siblings))


def _system_memory() -> int | None:
    for line in (_read(_MEMINFO) or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    for pages, share in (("SC_AVPHYS_PAGES", 1.0), ("SC_PHYS_PAGES", 0.5)):
        if pages in getattr(os, "sysconf_names", {}):
            return int(os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") * share)
    return None


def _container_memory() -> int | None:
    """What a control group's limit leaves; the page cache it counts can be taken back. Version 2, then version 1."""
    for folder, limit, used in (
        (_CGROUP, "memory.max", "memory.current"),
        (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        allowed, taken = _read(folder / limit), _read(folder / used)
        if allowed and taken and allowed.isdigit() and taken.isdigit():
            stat = dict(line.split() for line in (_read(folder / "memory.stat") or "").splitlines())
            return int(allowed) - int(taken) + int(stat.get("inactive_file", 0))
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return None
