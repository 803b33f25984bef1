"""What is said of the machine: memory and cores, containers included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from impasto import machine
from impasto.errors import LimitError


def test_memory_refusal_names_a_size_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 2_000_000_000)
    with pytest.raises(
        LimitError, match=r"painting 8000x6000 takes 18.2 GB of memory, 2 GB are free; mend: --size (\d+)"
    ) as e:
        machine.check_memory((8000, 6000), 380)
    assert e.value.exit_code == 3
    long_side = int(str(e.value).rsplit(" ", 1)[1])
    machine.check_memory((long_side, long_side * 3 // 4), 380)
    with pytest.raises(LimitError):
        machine.check_memory((long_side + 48, (long_side + 48) * 3 // 4), 380)


def test_memory_counts_the_size_worked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 1_000_000_000)
    machine.check_memory((1000, 1000), 380)
    with pytest.raises(LimitError, match=r"--size 800$"):
        machine.check_memory((1000, 1000), 380, worked_at=(2000, 2000))


def test_unknown_memory_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: None)
    machine.check_memory((100_000, 100_000), 380)


def test_container_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("2500\n")
    (tmp_path / "memory.stat").write_text("anon 2000\ninactive_file 400\n")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.available_memory() == 900
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory() != 900


def test_container_quota_limits_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.physical_cores() == 1


def test_threads_of_one_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    monkeypatch.setattr(machine, "_CPUS", tmp_path)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3}, raising=False)
    assert machine.physical_cores() == 2


@pytest.mark.parametrize(("told", "expected"), [("3", 3), ("5,2", 5), ("0", 7), ("", 7), ("many", 7), (None, 7)])
def test_who_shares_the_machine_says_how_many_threads(
    told: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "physical_cores", lambda: 7)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert machine.threads() == expected


@pytest.mark.skipif(machine._glibc() is None, reason="the allocator of this system cannot be told")
def test_kept_memory_is_taken_again_without_asking_the_system() -> None:
    """In a process of its own: what this one's allocator was told before would blur it."""
    script = """
import resource, numpy as np
from impasto.machine import kept_memory
def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(6_000_000)  # 48 MB: more than glibc ever keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
usual = pages()
with kept_memory():
    pages()
    kept = pages()
print(usual, kept, pages())
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    usual, kept, after = map(int, done.stdout.split())
    assert kept < usual / 10 < after


def test_who_chose_an_allocator_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setattr(machine, "_glibc", lambda: pytest.fail("the allocator was asked for"))
    with machine.kept_memory():
        pass


def test_memory_is_kept_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_glibc", lambda: None)
    with machine.kept_memory():
        pass
