"""Style codes: kept in files, mixed, and refused in one line when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from impasto.errors import OptionError, PictureError
from impasto.fast.style_code import MAX_BYTES, StyleCode, blend


def code(seed: int = 0, name: str = "") -> StyleCode:
    return StyleCode(np.random.default_rng(seed).standard_normal(100).astype(np.float32), name=name)


def test_saved_and_loaded_to_the_last_bit(tmp_path: Path) -> None:
    kept = code(name="Große Welle")
    kept.save(tmp_path / "a.style")
    again = StyleCode.load(tmp_path / "a.style")
    np.testing.assert_array_equal(again.values, kept.values)
    assert (again.name, again.model) == (kept.name, kept.model)
    assert [p.name for p in tmp_path.iterdir()] == ["a.style"]


def test_an_existing_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "a.style"
    code(1).save(path)
    with pytest.raises(PictureError, match="exists already; mend"):
        code(2).save(path)
    np.testing.assert_array_equal(StyleCode.load(path).values, code(1).values)
    code(2).save(path, overwrite=True)
    np.testing.assert_array_equal(StyleCode.load(path).values, code(2).values)


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot be written: there is no folder"):
        code().save(tmp_path / "nowhere" / "a.style")


def told(**changes: object) -> bytes:
    good = {"format": "impasto style", "version": 1, "model": "magenta-mobile", "name": "x", "code": [0.5] * 100}
    return json.dumps(good | changes).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no style file"),
        (b"\x89PNG\r\n\x1a\n", "no style file"),
        (b"[" * 5000, "no style file"),
        (b"[1, 2]", "no style file"),
        (told()[:-40], "no style file"),
        (told() + b" " * MAX_BYTES, "no style file"),
        (told(format="other"), "no style file"),
        (told(version=2), "version 2"),
        (told(model=""), "for which networks"),
        (told(model=5), "for which networks"),
        (told(model="other", code=[]), "does not hold its"),
        (told(model="other", code=[0.5] * 3000), "no painting has"),
        (told(code=[0.5] * 99), "does not hold 100"),
        (told(code=["0.5"] * 100), "does not hold 100"),
        (told(code=[True] * 100), "does not hold 100"),
        (told(code="0.5"), "does not hold 100"),
        (told(name=7), "what it is"),
        (told(code=[float("nan")] * 100), "no painting has"),
        (told(code=[float("inf")] * 100), "no painting has"),
        (told(code=[1e30] * 100), "no painting has"),
        (told(code=[10**400] * 100), "no painting has"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.style"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=reason) as caught:
        StyleCode.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_good_file_of_the_table_above_loads(tmp_path: Path) -> None:
    (tmp_path / "a.style").write_bytes(told())
    assert StyleCode.load(tmp_path / "a.style").values[99] == 0.5


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="No such file"):
        StyleCode.load(tmp_path / "a.style")


@pytest.mark.parametrize("values", [np.zeros(99), np.zeros((100, 1)), np.full(100, np.nan), np.full(100, np.inf)])
def test_wrong_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(PictureError):
        StyleCode(values)


def test_values_cannot_be_changed_behind_its_back() -> None:
    mine = np.zeros(100, np.float32)
    kept = StyleCode(mine)
    mine[0] = 7
    assert kept.values[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        kept.values[0] = 1


def test_blend_is_the_weighted_mean() -> None:
    a, b, c = code(1, "a"), code(2, "b"), code(3, "c")
    mixed = blend([a, b, c], [2, 1, 1])
    np.testing.assert_allclose(mixed.values, a.values / 2 + b.values / 4 + c.values / 4, atol=1e-6)
    assert mixed.name == "a+b+c"
    np.testing.assert_allclose(blend([a, b]).values, (a.values + b.values) / 2, atol=1e-6)
    np.testing.assert_array_equal(blend([a]).values, a.values)


def test_what_cannot_be_blended_is_refused() -> None:
    with pytest.raises(PictureError, match="no style"):
        blend([])
    with pytest.raises(OptionError, match="1 weights for 2 styles"):
        blend([code(1), code(2)], [1])
    with pytest.raises(PictureError, match="do not mix"):
        blend([code(1), StyleCode(code(2).values, model="other")])
