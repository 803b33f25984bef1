"""Pretrained numbers: one list (`index.toml`), and the loader that finds, checks and downloads the files."""

from impasto.models.find import Progress, here, path, pull, status, verify
from impasto.models.index import Entry, entries, entry

__all__ = ["Entry", "Progress", "entries", "entry", "here", "path", "pull", "status", "verify"]
