"""Which run a checkpoint belongs to: told by what is in the pictures, not by their names, and by the options."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from impasto.online.options import OnlineOptions
from impasto.picture import Picture, Pixels

FREE_TO_CHANGE = frozenset({"device", "precision", "preview_every", "photorealistic", "checkpoint"})
"""Options that a run may go on with another value of. Device and precision round another way, and that is all; edges
are given back to the finished picture."""


def run_of(
    name: str, content: Picture, styles: Sequence[Picture], options: OnlineOptions, encoder: str
) -> dict[str, Any]:
    """What tells one run from another, as JSON can hold it.

    Args:
        name: the method's.
        content: the photo.
        styles: the paintings.
        options: the method's; files that they name are told by what is in them.
        encoder: what looks, which need not be the one that the options name.
    """
    files: dict[str, list[str]] = {}
    values = options.to_dict() | {"encoder": encoder}
    for spec in options.specs():
        value = getattr(options, spec.name)
        if spec.name not in FREE_TO_CHANGE and spec.kind is Path and value:
            files[spec.name] = [_fingerprint_of_file(path) for path in (value if spec.many else (value,))]
            del values[spec.name]
    if options.init and Path(options.init).is_file() and options.init not in ("content", "noise", "fast"):
        files["init"] = [_fingerprint_of_file(Path(options.init))]
        values["init"] = "a file"
    return {
        "method": name,
        "photo": _fingerprint(content.pixels),
        "paintings": [_fingerprint(style.pixels) for style in styles],
        "files": files,
        "options": {key: value for key, value in values.items() if key not in FREE_TO_CHANGE},
        "usual": {key: value for key, value in type(options)().to_dict().items() if key not in FREE_TO_CHANGE},
    }


def difference(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first thing that tells one run from another, in words that go after "a run"; "" when they are the same.

    Raises:
        KeyError, TypeError: when what was saved is no run.
    """
    if saved["method"] != asked["method"]:
        return f"of {saved['method']}, not of {asked['method']}"
    for name, told in (("photo", "another photo"), ("paintings", "other paintings")):
        if saved[name] != asked[name]:
            return f"of {told}"
    for name in sorted({*saved["files"], *asked["files"]}):
        if saved["files"].get(name) != asked["files"].get(name):
            return f"with another {_flag(name)}" if name in saved["files"] else f"without {_flag(name)}"
    # An option that came after the checkpoint: by its default the run is what it was
    before, now = asked["usual"] | saved["options"], asked["options"]
    for name in sorted(before.keys() & now.keys()):
        if before[name] != now[name]:
            return f"{_worded(name, before[name])}, not {_worded(name, now[name])}"
    return ""


def _worded(name: str, value: object) -> str:
    if value is None or value is False or value == []:
        return f"without {_flag(name)}"
    if value is True:
        return f"with {_flag(name)}"
    return f"with {_flag(name)} {','.join(map(str, value)) if isinstance(value, list) else value}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _fingerprint(pixels: Pixels) -> str:
    found = hashlib.sha256(str(pixels.shape).encode())
    found.update(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _fingerprint_of_file(path: Path) -> str:
    """Of what is in it; of nothing when it cannot be read, which whoever needs it will say."""
    with suppress(OSError):
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""
