"""The lock between processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from impasto.models.lock import locked


def test_lock_exists_while_held_and_not_after(tmp_path: Path) -> None:
    with locked(tmp_path / "file"):
        assert (tmp_path / "file.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_lock_is_released_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "file"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work() -> None:
        with locked(tmp_path / "file"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1]
    assert inside == [0]


def test_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    (tmp_path / "file.lock").write_text(f"{socket.gethostname()} {dead.pid} token")
    begun = time.monotonic()
    with locked(tmp_path / "file"):
        assert time.monotonic() - begun < 60
    assert list(tmp_path.iterdir()) == []


def test_lock_of_another_machine_is_taken_over_when_it_stops_beating(tmp_path: Path) -> None:
    lock = tmp_path / "file.lock"
    lock.write_text("elsewhere 1 token")
    os.utime(lock, (time.time() - 500,) * 2)
    with locked(tmp_path / "file", stale=400):
        assert "elsewhere" not in lock.read_text()


def test_lock_of_another_machine_is_kept_while_it_beats(tmp_path: Path) -> None:
    lock = tmp_path / "file.lock"
    lock.write_text("elsewhere 1 token")
    held = threading.Event()

    def work() -> None:
        with locked(tmp_path / "file"):
            held.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not held.wait(0.4)
    lock.unlink()
    assert held.wait(20)
    thread.join()


def test_beat_makes_the_lock_young(tmp_path: Path) -> None:
    with locked(tmp_path / "file") as beat:
        os.utime(tmp_path / "file.lock", (0, 0))
        beat()
        assert time.time() - (tmp_path / "file.lock").stat().st_mtime < 60


def test_lock_that_was_taken_over_is_left_to_its_new_holder(tmp_path: Path) -> None:
    with locked(tmp_path / "file"):
        (tmp_path / "file.lock").write_text("elsewhere 1 token")
    assert (tmp_path / "file.lock").read_text() == "elsewhere 1 token"
