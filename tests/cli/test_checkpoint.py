"""`--checkpoint`: the real command, killed and interrupted, ends with the pixels of one that was left in peace."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.image import read

from .conftest import Ran, Run, colours, contents, pixels
from .test_interrupt import start, until

STEPS = 30
WORDS = [
    "stylize", "photo.jpg", "painting.png", "-m", "gatys", "--encoder", "efficientnet-lite0", "--size", "64",
    "--scales", "2", "--steps", str(STEPS),
]  # fmt: skip
KEPT = ["--checkpoint", "run.ckpt"]

EAGER = """
import sys, time
from impasto.online import checkpoint, painter
checkpoint.SECONDS = checkpoint.REST = 0.0
inner = painter.Lbfgs.step
def slow(search):
    time.sleep(0.04)
    return inner(search)
painter.Lbfgs.step = slow
from impasto.__main__ import main
main()
"""
"""The command, which saves after every step and lets a kill find the time."""


@pytest.fixture
def unbroken(impasto: Run, folder: Path) -> np.ndarray:
    """The picture of a run that was left in peace."""
    ran = impasto(*WORDS, "-o", "whole.png")
    assert ran.code == 0, ran.err
    return pixels(folder / "whole.png")


def eager(*words: str) -> subprocess.Popen[bytes]:
    return start(sys.executable, "-c", EAGER, *words)


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_pixels(folder: Path, unbroken: np.ndarray) -> None:
    rng, told, kills = random.Random(0), b"", 0
    for _ in range(60):
        running = eager(*WORDS, *KEPT, "-o", "out.png")
        if kills < 6:
            until((folder / "run.ckpt").exists, running)
            time.sleep(rng.uniform(0.0, 0.1) + (kills > 0) * rng.uniform(1.0, 3.0))
            kills += running.poll() is None
            running.kill()
        _, told = running.communicate(timeout=60)
        there = b"out.png exists already" in told  # the kill came after the picture was written
        if running.returncode == 0 or there:
            break
    assert kills >= 2
    assert {file.name for file in folder.iterdir()} == {"photo.jpg", "painting.png", "whole.png", "out.png", "run.ckpt"}
    assert np.array_equal(pixels(folder / "out.png"), unbroken)
    assert there or b"goes on after step" in told or b"is finished" in told


def interrupted(folder: Path, program: str, *words: str) -> Ran:
    """The installed command, stopped by Ctrl-C once it has painted a little."""
    trace = folder / "t.jsonl"
    trace.unlink(missing_ok=True)
    running = start(program, *words, "--trace", "t.jsonl")
    until(lambda: trace.exists() and trace.read_text().count("\n") >= 3, running)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    return Ran(running.returncode, out, err.decode())


@pytest.mark.slow
def test_interrupted_the_same_command_goes_on(folder: Path, program: str, impasto: Run) -> None:
    long = [*WORDS[:-1], "3000", *KEPT, "-o", "out.png", "--json"]
    ran = interrupted(folder, program, *long)
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "impasto: the same command goes on from run.ckpt"
    assert json.loads(ran.out)["stopped"] is True
    again = interrupted(folder, program, *long)  # the picture that it left there is no hindrance
    assert again.code == 130, again.err
    assert "goes on after step " in again.err
    other = impasto(*long[:-3], "-o", "photo.jpg")
    assert (other.code, "exists already" in other.err) == (2, True)
    Image.fromarray(colours(9)).save(folder / "out.png")  # somebody else's picture
    before = contents(folder)
    other = impasto(*long)
    assert (other.code, "out.png exists already" in other.err) == (2, True)
    assert contents(folder) == before


def test_a_finished_run_gives_its_picture_again(folder: Path, impasto: Run, unbroken: np.ndarray) -> None:
    assert impasto(*WORDS, *KEPT, "-o", "out.png").code == 0
    assert np.array_equal(pixels(folder / "out.png"), unbroken)
    ran = impasto(*WORDS, *KEPT, "-o", "out.png")
    assert (ran.code, "out.png exists already" in ran.err) == (2, True)
    ran = impasto(*WORDS, *KEPT, "-o", "out.png", "--overwrite")
    assert ran.code == 0
    assert "impasto: run.ckpt holds the picture of this run, which is finished; delete it to paint anew\n" in ran.err
    assert np.array_equal(pixels(folder / "out.png"), unbroken)
    ran = impasto("stylize", "--settings", "out.png", "-o", "again.png", "--strength", "0.6", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["settings"]["options"]["checkpoint"] is None
    assert read(folder / "out.png").settings["options"]["checkpoint"] == "run.ckpt"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--checkpoint", "photo.jpg"], "photo.jpg would be written over"),
        (["--checkpoint", "painting.png"], "painting.png would be written over"),
        (["--checkpoint", "./out.png"], "out.png would be written over"),
        (["--checkpoint", "a.jsonl", "--trace", "a.jsonl"], "a.jsonl would be written over"),
        (["--checkpoint", "start.png", "--init", "start.png"], "start.png would be written over"),
        (["--checkpoint", "mask.png", "--mask", "mask.png"], "mask.png would be written over"),
        (["--checkpoint", "mask.png"], "mask.png is damaged or no checkpoint"),
        (["--checkpoint", "missing/run.ckpt"], "there is no folder missing; mend: create it first"),
        (["--checkpoint", "."], ". is no file; mend: name another"),
        (["--checkpoint", ""], "--checkpoint takes Path"),
        (["--checkpoint", "run.ckpt", "-m", "fast"], "the method fast has no --checkpoint; methods that do: gatys, "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused_in_one_line_before_the_work(folder: Path, impasto: Run, words: list[str], told: str) -> None:
    Image.fromarray(np.full((20, 20), 255, np.uint8)).save(folder / "mask.png")
    Image.fromarray(colours(4)).save(folder / "start.png")
    before = contents(folder)
    base = WORDS[:3] if "fast" in words else WORDS
    ran = impasto(*base, "-o", "out.png", *words)
    assert ran.code == 2
    assert told in ran.err
    assert ran.err.startswith("impasto: ")
    assert ran.err.count("\n") == 1
    assert contents(folder) == before
