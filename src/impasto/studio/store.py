"""Where pictures lie: a folder of this machine, or any store that fsspec knows by its address.

A picture is two files, itself and a thumbnail; a job's preview is one; the state of its run lies in a folder beside
them. Names are made here from ids, never from what users call their pictures, and a file is there whole or not at all.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from impasto.errors import ImpastoError, OptionError
from impasto.image import targets
from impasto.studio.errors import AwayError, MissingError

_ID = re.compile(r"[0-9a-f]{32}\Z")
_OURS = re.compile(r"\.?[0-9a-f]{32}\.|\.impasto-[0-9a-f]{16}\.tmp\Z")
STALE = 3600.0
"""Seconds after which a file that nobody has finished writing is swept away."""

_MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "let the store's folder be written to"),
}

RUNS = "runs"
"""The folder of what goes on after an interruption; its names begin with the job's id."""


class Store:
    """Files by name.

    Args:
        url: a folder, or an address such as `s3://bucket/impasto` whose fsspec package is installed.

    Raises:
        OptionError: when the address is of an unknown kind, or its package is missing.
        ImpastoError: when the folder cannot be made or written to.
    """

    def __init__(self, url: str) -> None:
        try:
            self._files, root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise OptionError(f"--store {url} cannot be used: {error}") from None
        self._local = isinstance(self._files, LocalFileSystem)
        self._root = str(root).rstrip("/")
        try:
            self._files.makedirs(self._root, exist_ok=True)
        except Exception as error:  # each kind of store has errors of its own
            why = getattr(error, "strerror", None) or error
            raise ImpastoError(f"--store {url} cannot be made: {why}") from error
        if self._local:
            self._root = str(Path(self._root).resolve())  # who names the store may name it by a link
            if not os.access(self._root, os.W_OK):
                raise ImpastoError(f"--store {url} may not be written to; mend: change its permissions")

    @property
    def folder(self) -> Path | None:
        """The folder, where it is one of this machine."""
        return Path(self._root) if self._local else None

    def file(self, name: str) -> Path | None:
        """Where a file is, or would be, in the folder; None where there is no folder.

        Raises:
            MissingError: when it would lie elsewhere: links inside the folder are not followed, whoever made them.
        """
        if self.folder is None:
            return None
        path = Path(self._path(name))
        if path.is_symlink() or not path.resolve().is_relative_to(self.folder):
            raise MissingError("there is no such file")
        return path

    def put(self, name: str, data: bytes) -> None:
        """Keeps a file, whole or not at all; an object store does so by itself.

        Raises:
            MissingError: when there is a link in its place.
            AwayError: when there is no room or no permission, or the store does not answer.
        """
        path, target = self.file(name), self._path(name)
        with _reached():
            try:
                if path:
                    targets.put(data, path, overwrite=True)
                else:
                    self._files.pipe_file(target, data)
            except OSError as error:
                if path and error.strerror:
                    mend = _MENDS.get(error.errno or 0, "try again")
                    raise AwayError(f"the picture cannot be kept ({error.strerror}); mend: {mend}") from error
                raise

    def get(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            MissingError: when it is not there.
            AwayError: when the store does not answer.
        """
        path = self.file(name)
        with _reached():
            try:
                data: bytes = path.read_bytes() if path else self._files.cat_file(self._path(name))
            except FileNotFoundError:
                raise MissingError("the file is gone") from None
        return data

    def delete(self, *names: str) -> None:
        """Deletes files, of a link the link; those that are gone already are no trouble.

        Raises:
            AwayError: when the store does not answer.
        """
        for name in names:
            with _reached(), suppress(FileNotFoundError):
                self._files.rm_file(self._path(name))

    def answers(self) -> bool:
        """Whether something can be kept just now; leaves nothing behind."""
        place = f"{self._root}/.impasto-{secrets.token_hex(8)}.tmp"
        try:
            self._files.pipe_file(place, bytes(1 << 16))
            self._files.rm_file(place)
        except Exception:
            return False
        return True

    def names(self) -> Iterator[tuple[str, float]]:
        """Every file of ours with its age in seconds, as far as the store knows it; others' are left alone."""
        yield from ((name, _age(found)) for name, found in self._ours())

    def sizes(self) -> dict[str, int]:
        """The bytes of every file of ours."""
        return {name: int(found.get("size") or 0) for name, found in self._ours()}

    def _ours(self) -> Iterator[tuple[str, dict[str, Any]]]:
        self._files.invalidate_cache()
        for found in self._files.ls(self._root, detail=True):
            name = str(found["name"]).rsplit("/", 1)[-1]
            if found["type"] == "file" and not found.get("islink") and _OURS.match(name):
                yield name, found

    def sweep(self) -> None:
        """Deletes what somebody began to write and never finished."""
        for name, age in self.names():
            if name.startswith(".") and age > STALE:
                with suppress(FileNotFoundError):
                    self._files.rm_file(f"{self._root}/{name}")

    def checkpoint(self, job: str) -> Path | None:
        """Where the state of a job's run may be kept; None where not all workers could reach it, or a link is there."""
        if self._runs is None:
            return None
        self._runs.mkdir(exist_ok=True)
        place = self._runs / job
        return None if place.is_symlink() else place

    def runs(self) -> set[str]:
        """The jobs of whose runs anything is kept."""
        found = [path.name.lstrip(".")[:32] for path in self._of_runs("*")]
        return {job for job in found if _ID.match(job)}

    def run_bytes(self) -> int:
        """The bytes of all that is kept of runs; what goes while it is looked at counts nothing."""
        found = 0
        for folder, _, names in os.walk(self._runs) if self._runs else ():  # a glob stops where a folder goes
            for name in names:
                with suppress(FileNotFoundError):
                    found += (Path(folder) / name).lstat().st_size
        return found

    def delete_run(self, job: str) -> None:
        """Deletes the state of a run, and what was written beside it when somebody was killed."""
        for found in self._of_runs(f"*{job}*"):
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)

    @property
    def _runs(self) -> Path | None:
        """The folder of runs; None where there can be none."""
        runs = self.folder and self.folder / RUNS
        return runs if runs and not runs.is_symlink() else None

    def _of_runs(self, pattern: str) -> list[Path]:
        return list(self._runs.glob(pattern)) if self._runs else []

    def _path(self, name: str) -> str:
        identity, _, rest = name.partition(".")
        if not _ID.match(identity) or not re.fullmatch(r"[a-z0-9.-]{1,60}", rest):
            raise MissingError("there is no such file")
        return f"{self._root}/{name}"


def picture_file(identity: str) -> str:
    """A picture's file."""
    return f"{identity}.png"


def thumbnail_file(identity: str) -> str:
    """Its thumbnail."""
    return f"{identity}.thumbnail.jpg"


def preview_file(job: str) -> str:
    """A job's newest preview."""
    return f"{job}.preview.jpg"


@contextmanager
def _reached() -> Iterator[None]:
    """Puts what a store has to say of itself into our words: each kind has errors of its own.

    Raises:
        AwayError: in place of whatever is not ours.
    """
    try:
        yield
    except ImpastoError:
        raise
    except Exception as error:
        raise AwayError("the store of pictures does not answer; mend: try again") from error


def _age(found: dict[str, Any]) -> float:
    made = found.get("mtime") or found.get("LastModified") or found.get("created")
    made = made.timestamp() if isinstance(made, datetime) else made
    return time.time() - made if isinstance(made, int | float) else 0.0
