"""The table of methods, and what `run` refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pytest

from impasto import FastOptions, GatysOptions, encode
from impasto.errors import OptionError
from impasto.events import Done, Started
from impasto.methods import METHODS, get_method, method_of, run
from impasto.options import StylizeOptions
from impasto.picture import Picture

PHOTO = Picture(np.linspace(0, 1, 20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3))


@pytest.mark.parametrize("name", METHODS)
def test_a_row_is_whole(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert all((method.paper, method.good_at, method.typical))
    assert any(year in method.paper for year in map(str, range(2000, 2030)))
    assert issubclass(method.options_class, StylizeOptions)
    assert callable(getattr(import_module(method.module), method.recipe))
    assert get_method(name) is method
    assert method_of(method.options_class()) is method
    assert method.ready


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(OptionError, match="unknown method 'nope'; choose one of: fast, gatys"):
        get_method("nope")


def test_options_of_nobody_are_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class FastOptions(StylizeOptions):
        """Of the same name as another."""

    with pytest.raises(OptionError, match="no method takes FastOptions"):
        method_of(FastOptions())


def test_a_run_needs_a_style() -> None:
    with pytest.raises(OptionError, match="at least one style"):
        run(PHOTO, [], FastOptions())


def test_a_code_is_for_methods_that_take_codes() -> None:
    with pytest.raises(OptionError, match="saved style codes are for: fast"):
        run(PHOTO, [encode(PHOTO)], GatysOptions())


def test_a_run_reports_and_ends_with_done() -> None:
    first, *_, last = run(PHOTO, [PHOTO], FastOptions())
    assert first == Started("fast", (30, 20))
    assert isinstance(last, Done)
    assert last.picture.size == (30, 20)


def test_the_table_and_all_options_need_no_torch() -> None:
    script = (
        "import sys; from impasto.methods import METHODS; [m.options_class.specs() for m in METHODS.values()];"
        "print([n for n in ('torch', 'onnxruntime') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "[]\n"
