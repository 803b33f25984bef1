"""A folder with a photo and a painting, and the command line run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from impasto.cli import main
from impasto.fast.session import METHOD_OF

SIZE = (48, 40)
GATYS = ["-m", "gatys", "--encoder", "efficientnet-lite0", "--size", "64", "--steps", "2"]
"""The quickest that online painting can be."""


@dataclass(frozen=True)
class Ran:
    """What a command left behind: exit code, standard output and error."""

    code: int
    out: bytes
    err: str


Run = Callable[..., Ran]


def colours(seed: int = 0, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """Soft waves of colour, (height, width, 3); each seed another."""
    y, x = np.mgrid[: size[1], : size[0]] / 8.0
    waves = [np.sin(x * (1 + i / 3) + seed) + np.cos(y * (1 + i / 2) - 2 * seed) for i in range(3)]
    return (np.stack(waves, -1) * 60 + 127).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: photo.jpg and painting.png, and a cache of its own that is not in it."""
    here = tmp_path / "work"
    here.mkdir()
    Image.fromarray(colours(0)).save(here / "photo.jpg", quality=95)
    Image.fromarray(colours(3)).save(here / "painting.png")
    monkeypatch.chdir(here)
    for name in ("IMPASTO_MODELS", "IMPASTO_MAX_PIXELS", "_IMPASTO_COMPLETE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMPASTO_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return here


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small random network's file for each method that paints with one."""
    from exported import exported

    made = tmp_path_factory.mktemp("networks")
    return {METHOD_OF[kind]: exported(kind, made) for kind in ("johnson", "dumoulin", "adain", "wct", "ghiasi")}


@pytest.fixture
def impasto(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command line in this process, for speed."""

    def run(*words: object) -> Ran:
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(w) for w in words])
        out, err = capfdbinary.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, out, err.decode())

    return run


@pytest.fixture
def program() -> str:
    """The installed command."""
    beside = Path(sys.executable).with_name("impasto")
    found = str(beside) if beside.exists() else shutil.which("impasto")
    assert found, "impasto is not installed in this environment"
    return found


@pytest.fixture
def command(folder: Path, program: str) -> Run:
    """Runs the installed command as a user does; Python's warnings are errors there too."""

    def run(*words: str | bytes, stdin: bytes = b"", **environment: str) -> Ran:
        done = subprocess.run(
            [program, *words],
            input=stdin,
            capture_output=True,
            env={**os.environ, "PYTHONWARNINGS": "error", **environment},
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr.decode())

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))
