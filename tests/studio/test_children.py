"""Children are bounded, replaced when they die, and take nobody along."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from impasto.errors import ImpastoError, LimitError, PictureError
from impasto.studio import wire
from impasto.studio.children import Bounds, Children
from impasto.studio.errors import BusyError

from . import errands

ROOMY = Bounds(30.0)
MEMORY = 512 << 20

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")


@contextmanager
def children(
    work: Callable[..., Any], bounds: Bounds = ROOMY, *, count: int = 1, waiting: int = 4
) -> Iterator[Children]:
    family = Children(work, count=count, bounds=bounds, waiting=waiting)
    try:
        yield family
    finally:
        family.close()


def test_work_is_done_elsewhere() -> None:
    with children(errands.nap) as family:
        first = family.ask(0)
        assert first not in (os.getpid(), 0)
        assert family.ask(0) == first  # and by the same one again


def test_large_things_travel_both_ways() -> None:
    sent = secrets.token_bytes(30_000_000)
    with children(errands.back, Bounds(60.0)) as family:
        assert family.ask(sent) == sent


def test_answers_are_what_they_say() -> None:
    with children(errands.find) as family:
        assert family.ask() == errands.Found(b"\0\xff" * 1000, (3, 4))
    with children(errands.pair) as family:
        assert family.ask() == (b"\0", 0.5)
    with children(errands.astray) as family, pytest.raises(LimitError, match="damaged"):
        family.ask()


@pytest.mark.parametrize("many", [0, 2_000_000])
def test_a_child_that_was_taken_over_runs_nothing_here(tmp_path: Path, many: int) -> None:
    """It may answer a pickle, which runs code where it is read, or without end."""
    trap = tmp_path / "trapped"
    with (
        children(errands.betray, Bounds(10.0, answer=1_000_000)) as family,
        pytest.raises(LimitError, match="could not be worked on"),
    ):
        family.ask(str(trap), many and wire.WORDS + many)
    assert not trap.exists()


def test_an_answer_that_nobody_vouches_for_ends_its_child() -> None:
    def vouch(answer: int, seconds: float) -> None:
        if seconds:
            raise ValueError("not so")

    family = Children(errands.nap, count=1, bounds=ROOMY, vouch=vouch)
    first = family.ask(0)
    with pytest.raises(LimitError, match="could not be worked on"):
        family.ask(0.01)
    assert family.ask(0) != first
    family.close()


def test_who_answers_too_much_is_not_heard() -> None:
    with children(errands.back, Bounds(30.0, answer=1000)) as family:
        assert family.ask(bytes(1000)) == bytes(1000)
        for much in (bytes(1001), [bytes(600)] * 2):
            with pytest.raises(LimitError):
                family.ask(much)


def test_who_reads_what_strangers_send_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "IMPASTO_STUDIO_TOKEN": "anna:0123", "IMPASTO_STUDIO_DATABASE": "x", "PGPASSWORD": "x", "DATABASE_URL": "x",
        "AWS_SECRET_ACCESS_KEY": "x", "SOME_PLACE": "postgresql://anna:secret@db/studio", "ANYTHING_ELSE": "x",
        "LC_TIME": "C", "TZ": "UTC",
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with children(errands.variables, Bounds(30.0, network=False)) as family:
        known = set(family.ask())
    assert {name for name in known if not name.startswith("PYTHON")} <= {
        "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LC_TIME", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
        "LD_LIBRARY_PATH", "OMP_NUM_THREADS",
    }  # fmt: skip
    assert {"LC_TIME", "TZ", "PATH"} <= known
    with children(errands.variables) as family:  # who fetches our own pictures from a store does
        assert set(told) <= set(family.ask())


def test_refusals_travel() -> None:
    with children(errands.refuse) as family, pytest.raises(PictureError, match="damaged"):
        family.ask()
    with children(errands.lack) as family, pytest.raises(ImpastoError, match=r"impasto\[heif\]"):
        family.ask()


def test_faults_are_told_without_their_words() -> None:
    with children(errands.fail) as family:
        for _ in range(2):
            with pytest.raises(ImpastoError, match="ValueError") as told:
                family.ask()
            assert "secret" not in str(told.value)


@pytest.mark.parametrize("work", [errands.odd, errands.deep])
def test_answers_that_cannot_travel_are_faults(work: Callable[..., Any]) -> None:
    with children(work) as family:
        for _ in range(2):
            with pytest.raises(ImpastoError, match="fault"):
                family.ask()


def test_who_sleeps_too_long_is_killed() -> None:
    with children(errands.nap, Bounds(0.5)) as family:
        alive = family.ask(0)
        began = time.monotonic()
        with pytest.raises(LimitError, match=r"longer than 0\.5 s"):
            family.ask(60)
        assert time.monotonic() - began < 20
        assert gone(alive)
        assert family.ask(0) != alive


ANNOUNCED = b'{"answer": {"\\u0000raw": true}}'
HALVES = {
    "a length": b"\0\0", "half a message": (256).to_bytes(4, "big") + b"x" * 9,
    "half an answer": len(ANNOUNCED).to_bytes(4, "big") + ANNOUNCED,
}  # fmt: skip


@posix
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("words", HALVES.values(), ids=HALVES)
def test_who_hangs_in_the_middle_of_an_answer_is_killed(words: bytes, alone: bool) -> None:
    with children(errands.stammer, Bounds(1.0)) as family:
        alive = family.ask(b"", True)
        began = time.monotonic()
        with pytest.raises(LimitError, match="longer than 1 s"):
            family.ask(words, alone)
        assert time.monotonic() - began < 10
        assert gone(alive)
        assert family.ask(b"", True) != alive  # his place is another's


@posix
def test_who_works_too_long_is_killed() -> None:
    with children(errands.spin, Bounds(60.0, processor=1.0)) as family:
        began = time.monotonic()
        with pytest.raises(LimitError, match="longer than 1 s"):
            family.ask()
        assert time.monotonic() - began < 40


@posix
def test_processor_time_is_counted_for_each_answer() -> None:
    with children(errands.nap, Bounds(30.0, processor=1.0)) as family:
        assert len({family.ask(0) for _ in range(20)}) == 1


@posix
def test_who_asks_for_too_much_memory_is_told() -> None:
    with children(errands.hog, Bounds(30.0, MEMORY)) as family:
        assert family.ask(1000) == 1000
        with pytest.raises(LimitError, match="memory"):
            family.ask(MEMORY)
        assert family.ask(1000) == 1000


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_who_dies_takes_only_its_own_answer_along(number: int) -> None:
    with children(errands.die) as family:
        for _ in range(2):
            with pytest.raises(LimitError, match="could not be worked on"):
                family.ask(number)


def test_who_leaves_is_replaced() -> None:
    with children(errands.leave) as family, pytest.raises(LimitError):
        family.ask()


def test_who_was_killed_while_idle_is_replaced() -> None:
    with children(errands.nap) as family:
        alive = family.ask(0)
        os.kill(alive, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        with suppress(LimitError):  # where its death was not seen in time
            family.ask(0)
        assert family.ask(0) != alive


def test_each_works_a_number_of_times() -> None:
    with children(errands.whoami, Bounds(30.0, tasks=3)) as family:
        found = [family.ask() for _ in range(7)]
    assert len(set(found[:3])) == len(set(found[3:6])) == 1
    assert len(set(found)) == 3
    assert all(gone(one) for one in set(found))


@posix
def test_no_file_is_written() -> None:
    with children(errands.write) as family, pytest.raises(ImpastoError, match=r"OSError|FileNotFoundError"):
        family.ask()


@posix
def test_who_dies_leaves_nothing_of_what_it_had_in_memory() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # or there would be nothing to take away
    try:
        with children(errands.core) as family:
            assert family.ask() == (0, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs the right to make a network")
def test_no_other_machine_is_reached() -> None:
    def answer() -> None:
        with server.accept()[0] as line:
            line.send(b"hello")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(30)
        with (
            children(errands.call, Bounds(30.0, network=False)) as family,
            pytest.raises(ImpastoError, match="OSError"),
        ):
            family.ask(server.getsockname()[1])
        answered = pool.submit(answer)
        with children(errands.call) as family:
            assert family.ask(server.getsockname()[1]) == "hello"
        answered.result()


def test_callers_that_are_too_many_are_sent_away() -> None:
    with children(errands.nap, count=1, waiting=1) as family:
        family.ask(0)
        with ThreadPoolExecutor(2) as pool:
            busy = [pool.submit(family.ask, 1.0) for _ in range(2)]
            time.sleep(0.3)
            began = time.monotonic()
            with pytest.raises(BusyError) as told:
                family.ask(0)
            assert told.value.retry_after >= 1
            assert time.monotonic() - began < 0.5
            assert len({one.result() for one in busy}) == 1
        family.ask(0)  # there is a place again


def test_those_at_work_are_ended_too() -> None:
    with children(errands.nap, Bounds(60.0), count=1) as family, ThreadPoolExecutor(2) as pool:
        alive = family.ask(0)
        busy = [pool.submit(family.ask, 50.0) for _ in range(2)]
        time.sleep(0.3)
        began = time.monotonic()
        family.close()
        for one in (*busy, pool.submit(family.ask, 0)):  # at work, in line, and too late
            with pytest.raises(BusyError, match="about to end"):
                one.result(20)
        assert time.monotonic() - began < 20
        assert gone(alive)


def test_two_work_at_the_same_time() -> None:
    with children(errands.nap, count=2) as family, ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(family.ask, [1.0, 1.0]))) == 2


def test_places_come_back_after_failures() -> None:
    with children(errands.refuse, count=1, waiting=1) as family:
        for _ in range(5):
            with pytest.raises(PictureError):
                family.ask()


def test_waiting_keeps_no_thread_of_others() -> None:
    async def ask(family: Children) -> float:
        async def wait() -> None:
            with family.place():
                await family.answer(0.05)

        async with anyio.create_task_group() as group:
            for _ in range(45):  # more than the threads that all others share
                group.start_soon(wait)
            await anyio.sleep(0.2)
            began = time.monotonic()
            await anyio.to_thread.run_sync(os.getpid)
            return time.monotonic() - began

    with children(errands.nap, Bounds(60.0), count=1, waiting=44) as family:
        family.ask(0)
        assert anyio.run(ask, family) < 0.5


def gone(process: int) -> bool:
    """Whether a process ends within a while."""
    for _ in range(100):
        try:
            os.kill(process, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False
