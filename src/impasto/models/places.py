"""Where files lie: inside this package, inside installed wheels, in a folder of the user's, in the cache."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_dir

from impasto.models import index
from impasto.models.index import Entry


def cache_folder() -> Path:
    """The user's cache of Impasto."""
    return Path(user_cache_dir("impasto"))


def model_folder() -> Path:
    """The folder where files are looked for and downloads are put: `IMPASTO_MODELS` when set, else the cache."""
    named = os.environ.get("IMPASTO_MODELS", "")
    return Path(named).expanduser() if named else cache_folder()


def offline() -> bool:
    """Whether `IMPASTO_OFFLINE` forbids downloads."""
    return os.environ.get("IMPASTO_OFFLINE", "") not in ("", "0")


def locate(entry: Entry) -> Path | None:
    """The file as it lies on this machine, unchecked, or None; its sources in order, then the folders."""
    shipped = index.BUNDLED / entry.file
    if entry.bundled and shipped.is_file():
        return shipped
    for package in entry.packages:
        found = package_file(package)
        if found:
            return found
    for folder in (model_folder(), cache_folder()):
        if (folder / entry.file).is_file():
            return folder / entry.file
    return None


def package_file(package: str) -> Path | None:
    """A data file in an installed wheel, without importing the wheel; `package` is "module/path"."""
    folder = package_folder(package)
    file = folder / package.partition("/")[2] if folder else None
    return file if file and file.is_file() else None


def package_folder(package: str) -> Path | None:
    """Where the module before the first "/" is installed, or None when it is not."""
    try:
        spec = find_spec(package.partition("/")[0])
    except ValueError:  # something half-imported of that name
        return None
    folders = spec.submodule_search_locations if spec else None
    return Path(next(iter(folders))) if folders else None
