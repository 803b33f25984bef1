"""What this machine has to offer, without a dependency: memory that can still be taken, cores worth a thread."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import LimitError

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")

# glibc's malloc.h: parameter -> (value while memory is kept, value afterwards)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_MALLOC = {
    _TRIM_THRESHOLD: (2**31 - 1, 64 << 20),
    _TOP_PAD: (256 << 20, 128 << 10),
    _MMAP_THRESHOLD: (32 << 20, 32 << 20),
    _MMAP_MAX: (0, 65536),
}


def available_memory() -> int | None:
    """Bytes that can be taken without swapping, container limits included; None where the system does not say."""
    offers = [n for n in (_system_memory(), _container_memory()) if n is not None]
    return min(offers) if offers else None


def check_memory(
    size: tuple[int, int], bytes_per_pixel: float, *, worked_at: tuple[int, int] | None = None, besides: float = 0
) -> None:
    """Refuses to paint what would not fit into memory.

    Args:
        size: (width, height) of the result.
        bytes_per_pixel: what the work takes.
        worked_at: (width, height) to paint at on the way there, where it differs.
        besides: bytes that a smaller picture would take too, at most.

    Raises:
        LimitError: names the long side of a result that would fit.
    """
    free = available_memory()
    width, height = worked_at or size
    grows = width * height * bytes_per_pixel
    if free is None or grows + besides <= free:
        return
    fits = int(max(size) * (max(free - besides, 0) / grows) ** 0.5)
    need = (grows + besides) / 1e9
    raise LimitError(
        f"painting {width}x{height} takes {need:.3g} GB of memory, {max(free, 0) / 1e9:.3g} GB are free; "
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


def threads() -> int:
    """Threads to compute with in this process: as OMP_NUM_THREADS says, else one a core; at least 1."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(told) if told.isdecimal() and int(told) else physical_cores()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Memory that is freed inside stays with this process until the end, ready to be taken again.

    By default every large array is fetched from the system page by page and handed back at once, which for a feature
    map takes five times as long as adding two of them. Does nothing without glibc, or where a `MALLOC_...` variable
    says that somebody has chosen for himself. It holds for the whole process; nested or in threads, the first to end
    ends it for all, which costs speed, nothing else.
    """
    libc = None if any(name.startswith("MALLOC_") for name in os.environ) else _glibc()
    if libc is None:
        yield
        return
    for parameter, (kept, _) in _MALLOC.items():
        libc.mallopt(parameter, kept)
    try:
        yield
    finally:
        for parameter, (_, usual) in _MALLOC.items():
            libc.mallopt(parameter, usual)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, when it is the one whose allocator can be told."""
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has none of that name
        return None
    return libc if all(hasattr(libc, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim")) else None


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
