"""Ctrl-C saves the best picture so far; a kill leaves the old file or the new one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.cli.interrupts import Interrupts
from impasto.image import read

from .conftest import GATYS, colours, contents

LONG = [*GATYS[:-2], "--steps", "100000"]


def start(program: str, *words: str) -> subprocess.Popen[bytes]:
    """The program, listening to Ctrl-C even where the tests themselves run in the background and must not."""
    return subprocess.Popen(
        [program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def until(true: Callable[[], bool], started: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_saves_the_best_picture_so_far(folder: Path, program: str) -> None:
    trace = folder / "t.jsonl"
    started = start(
        program, "stylize", "photo.jpg", "painting.png", "-o", "out.png", "--json", "--trace", "t.jsonl", *LONG
    )
    until(lambda: trace.exists() and trace.read_text().count("\n") >= 3, started)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    told = json.loads(out)
    assert told["stopped"] is True
    assert told["losses"]["total"] > 0
    assert err.decode().strip().splitlines()[-1].startswith("impasto: stopping after this step")
    made = read(folder / "out.png")
    assert list(made.size) == told["size"]
    assert made.settings == told["settings"]
    assert np.std(made.pixels) > 0.01
    assert set(contents(folder)) == {"photo.jpg", "painting.png", "out.png", "t.jsonl"}


def test_ctrl_c_before_the_first_step_writes_nothing(folder: Path, program: str) -> None:
    """The start picture comes through a pipe, so that the test knows where the program is."""
    os.mkfifo(folder / "start.png")
    before = {"photo.jpg", "painting.png"}
    started = start(program, "stylize", "photo.jpg", "painting.png", "-o", "out.png", "--init", "start.png", *LONG)
    with (folder / "start.png").open("wb"):  # opens when the program does, which then waits in vain
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, b"")
    assert err == b"impasto: interrupted; nothing was written\n"
    assert {f.name for f in folder.iterdir() if f.is_file()} == before


def test_ctrl_c_while_the_photo_is_read(folder: Path, program: str) -> None:
    os.mkfifo(folder / "slow.png")
    started = start(program, "stylize", "slow.png", "painting.png", "-o", "out.png")
    with (folder / "slow.png").open("wb"):
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, b"")
    assert err == b"impasto: interrupted; nothing was written\n"
    assert not (folder / "out.png").exists()


def test_the_second_ctrl_c_drops_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    interrupts = Interrupts(can_wait=False, otherwise="drop the picture")
    with pytest.raises(KeyboardInterrupt):  # there is no picture to save
        interrupts(signal.SIGINT, None)
    interrupts = Interrupts(can_wait=True, otherwise="drop the picture")
    interrupts(signal.SIGINT, None)
    assert interrupts.stop.is_set()
    assert "stopping after this step" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        interrupts(signal.SIGINT, None)


LOADING = """
import sys
from impasto.__main__ import main

class Impatient:
    def find_spec(self, name, *_):
        if name == "impasto.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
main()
"""


def test_ctrl_c_while_modules_are_loading_is_answered_in_one_line() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (130, b"")
    assert ran.stderr == b"impasto: interrupted; nothing was written\n"


def test_a_kill_while_painting_leaves_the_old_file(folder: Path, program: str) -> None:
    (folder / "out.png").write_bytes(b"old")
    trace = folder / "t.jsonl"
    words = ["-o", "out.png", "--overwrite", "--trace", "t.jsonl"]
    started = start(program, "stylize", "photo.jpg", "painting.png", *words, *LONG)
    until(lambda: trace.exists() and trace.stat().st_size > 0, started)
    started.kill()
    started.communicate(timeout=60)
    assert (folder / "out.png").read_bytes() == b"old"


def test_a_kill_while_writing_leaves_one_whole_file(folder: Path) -> None:
    """Two pictures are written over each other without end, and the writer killed at random moments."""
    colours_of = {1: colours(1, (320, 240)), 2: colours(2, (320, 240))}
    script = """
import sys
from impasto.image import read, write
pictures = [read(name) for name in ("1.png", "2.png")]
write(pictures[0], "out.png", overwrite=True)
print("ready", flush=True)
while True:
    for picture in pictures:
        write(picture, "out.png", overwrite=True)
"""
    for number, values in colours_of.items():
        Image.fromarray(values).save(folder / f"{number}.png")
    rng = random.Random(0)
    for _ in range(8):
        started = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert started.stdout
        assert started.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.005, 0.15))
        started.kill()
        started.communicate(timeout=60)
        made = (read(folder / "out.png").pixels * 255).round().astype(np.uint8)
        same = [number for number, values in colours_of.items() if np.array_equal(made, values)]
        assert len(same) == 1


@pytest.mark.slow
def test_kills_at_any_moment_of_a_run(folder: Path, program: str) -> None:
    """The whole command, killed from its start to its end: no output, or a whole one."""
    seen = set()
    for delay in np.linspace(0.1, 1.6, 10):
        (folder / "out.jpg").unlink(missing_ok=True)
        started = start(program, "stylize", "photo.jpg", "painting.png", "-o", "out.jpg")
        time.sleep(float(delay))
        started.kill()
        started.communicate(timeout=60)
        if (folder / "out.jpg").exists():
            assert read(folder / "out.jpg").size == (48, 40)
        seen.add((folder / "out.jpg").exists())
    assert False in seen


@pytest.mark.parametrize("can_wait", [True, False])
def test_an_interruption_that_python_drops_still_stops(can_wait: bool) -> None:
    """What is raised while the callbacks of an import run goes no further."""
    interrupts = Interrupts(can_wait=can_wait, otherwise="stop at once")
    with suppress(KeyboardInterrupt):
        interrupts(2, None)
    assert interrupts.stop.is_set()
    with pytest.raises(KeyboardInterrupt):
        interrupts(2, None)
