"""The list itself."""

from __future__ import annotations

import pytest

from impasto import models
from impasto.errors import ModelError
from impasto.models import check, index

from .conftest import model_of


@pytest.mark.parametrize("entry", models.entries(), ids=lambda e: e.name)
def test_entry_is_complete(entry: models.Entry) -> None:
    assert entry.what
    assert entry.licence
    assert entry.paper
    assert entry.sources
    assert bool(entry.extra) == bool(entry.packages)
    if entry.bundled:
        check.check(index.BUNDLED / entry.file, entry, again=True)


def test_names_and_files_are_unique() -> None:
    entries = models.entries()
    assert len({e.name for e in entries}) == len(entries) == index.INDEX.read_text("utf-8").count("\n[[model]]\n")
    assert len({e.file for e in entries}) == len(entries)


def test_installed_weights_are_the_ones_in_the_list() -> None:
    assert models.verify("vgg19").stat().st_size == 20063401
    assert models.verify("efficientnet-lite0").stat().st_size == 18826032


def test_kinds_of_sources() -> None:
    entry = model_of(b"x", "bundled:", "package:a/b.bin", "https://x/y", "package:c/d/e.bin")
    assert entry.bundled
    assert entry.packages == ("a/b.bin", "c/d/e.bin")
    assert entry.urls == ("https://x/y",)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "abc"},
        {"sha256": "Z" * 64},
        {"file": "../x"},
        {"file": "a/b"},
        {"file": ".hidden"},
        {"sources": ("http://example.com/x",)},
        {"sources": ("ftp://example.com/x",)},
        {"sources": ("/etc/passwd",)},
    ],
)
def test_entries_that_are_not_taken(changes: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="toy: "):
        model_of(b"x", **changes)
