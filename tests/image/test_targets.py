"""Files are whole or not there at all, and never take another's place unasked."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.errors import LimitError, PictureError
from impasto.image import check_target, read, targets, write
from impasto.picture import Picture

from .builders import one_line_error


@pytest.mark.parametrize("name", ["a", "a.xyz", ".png", "a.gif", "a.heic", "a.png.tmp", "a."])
def test_unknown_endings(name: str, picture: Picture, tmp_path: Path) -> None:
    def check() -> None:
        check_target(tmp_path / name)

    for act in (lambda: write(picture, tmp_path / name), check):
        with pytest.raises(PictureError) as caught:
            act()
        one_line_error(caught.value, ".png .jpg .jpeg .webp .avif .tif .tiff .bmp")
    assert not list(tmp_path.iterdir())


def test_existing_files_stay(picture: Picture, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    for act in (lambda: write(picture, path), lambda: check_target(path)):
        with pytest.raises(PictureError) as caught:
            act()
        one_line_error(caught.value, "a.png exists already", "mend: add --overwrite, or name another file with -o")
    assert path.read_bytes() == b"old"
    check_target(path, overwrite=True)
    assert path.read_bytes() == b"old"
    write(picture, path, overwrite=True)
    assert read(path).size == picture.size
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_stays(
    links: bool, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    real = targets._write

    def meanwhile(temp: Path, data: bytes) -> None:
        real(temp, data)
        path.write_bytes(b"somebody else's")

    monkeypatch.setattr(targets, "_write", meanwhile)
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    with pytest.raises(PictureError, match="exists already"):
        write(picture, path)
    assert path.read_bytes() == b"somebody else's"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def _no_links(*_: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_without_hard_links(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    write(picture, tmp_path / "a.png")
    assert read(tmp_path / "a.png").size == picture.size

    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PictureError, match="Input/output error"):
        write(picture, tmp_path / "b.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
@pytest.mark.parametrize("links", [True, False])
def test_permissions_are_the_umasks(
    umask: int, links: bool, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    before = os.umask(umask)
    try:
        write(picture, tmp_path / "a.png")
        write(picture, tmp_path / "a.png", overwrite=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~umask


def test_symbolic_links_are_followed(picture: Picture, tmp_path: Path) -> None:
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    link.symlink_to(real)
    write(picture, link)  # the link leads nowhere yet
    assert link.is_symlink() and read(real).size == picture.size
    with pytest.raises(PictureError, match="exists already"):
        write(picture, link)
    write(picture, link, overwrite=True)
    assert link.is_symlink() and real.is_file()


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be flushed there")
def test_file_and_name_are_on_the_disk(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[tuple[bool, list[str]]] = []

    def flush(number: int) -> None:
        names = [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")]
        flushed.append((os.path.samestat(os.fstat(number), tmp_path.stat()), names))

    monkeypatch.setattr(os, "fsync", flush)
    write(picture, tmp_path / "a.png")
    assert flushed == [(False, []), (True, ["a.png"])]  # a name that stands for what is not there yet would be worse


FAULTS: dict[str, Callable[[pytest.MonkeyPatch, BaseException], None]] = {
    "sync": lambda patch, error: patch.setattr(os, "fsync", _raising(error)),
    "rename": lambda patch, error: patch.setattr(Path, "replace", _raising(error)),
    "encode": lambda patch, error: patch.setattr(Image.Image, "save", _raising(error)),
}


def _raising(error: BaseException) -> Callable[..., None]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("where", FAULTS)
@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), PictureError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), (LimitError, MemoryError)),
        (SystemExit(), SystemExit),
    ],
)
def test_faults_leave_the_old_file_and_nothing_else(
    where: str,
    error: BaseException,
    seen: type[BaseException],
    picture: Picture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        FAULTS[where](patch, error)
        with pytest.raises(seen) as caught:
            write(picture, path, overwrite=True)
    if isinstance(error, OSError):
        one_line_error(caught.value, "No space left", "mend: ")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_real_disk_that_is_full(picture: Picture, rng: np.random.Generator, tmp_path: Path) -> None:
    """The system itself refuses to let the file grow."""
    code = (
        "import resource, sys, signal, numpy as np\n"
        "from impasto.image import write\nfrom impasto.picture import Picture\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "pixels = np.random.default_rng(0).random((99, 99, 3), np.float32)\n"
        "try:\n    write(Picture(pixels), sys.argv[1], overwrite=True)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PictureError") and "File too large" in done.stdout
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_killed_while_writing(tmp_path: Path) -> None:
    """Whoever looks, whenever the process dies: the file is a whole old one or a whole new one."""
    code = (
        "import sys, numpy as np\nfrom impasto.image import write\nfrom impasto.picture import Picture\n"
        "p = [Picture(np.full((200, 200, 3), v, np.float32)) for v in (0.2, 0.8)]\n"
        "print('ready', flush=True)\n"
        "while True:\n    for one in p:\n        write(one, sys.argv[1], overwrite=True)\n"
    )
    path = tmp_path / "a.bmp"
    write(Picture(np.full((200, 200, 3), 0.2, np.float32)), path)
    looks = 0
    for round_ in range(5):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            until = time.monotonic() + 0.05 + 0.037 * round_
            while time.monotonic() < until:
                value = read(path).pixels
                assert np.ptp(value) == 0 and round(float(value[0, 0, 0]), 1) in (0.2, 0.8)
                looks += 1
            child.send_signal(signal.SIGKILL)
        assert np.ptp(read(path).pixels) == 0
    assert looks > 5


@pytest.mark.parametrize("act", ["write", "check"])
def test_targets_that_cannot_be(act: str, picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    wrong = {
        tmp_path / "missing" / "a.png": "there is no folder",
        tmp_path / "file" / "a.png": "cannot be written",
        tmp_path / "folder.png": "is a folder",
        tmp_path / "pipe.png": "is not a regular file",
        Path("/proc/a.png"): "cannot be written",
        tmp_path / ("x" * 300 + ".png"): "File name too long",
        tmp_path / "zero\0byte.png": "cannot be used",
    }
    for path, words in wrong.items():
        with pytest.raises(PictureError) as caught:
            if act == "write":
                write(picture, path, overwrite=True)
            else:
                check_target(path, overwrite=True)
        one_line_error(caught.value, words, "mend: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png", "pipe.png"]


def test_permission_denied(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", _raising(PermissionError(13, "Permission denied")))
    for act in (lambda: write(picture, tmp_path / "a.png"), lambda: check_target(tmp_path / "a.png")):
        with pytest.raises(PictureError) as caught:
            act()
        one_line_error(caught.value, "permission denied", "mend: name another folder with -o")


def test_check_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_target(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    check_target("with space.png")
    assert not list(tmp_path.iterdir())
