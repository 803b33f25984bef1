"""Options: typed, bounded, documented, and the same everywhere."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto import FastOptions, GatysOptions
from impasto.errors import OptionError
from impasto.methods import METHODS
from impasto.options import Options, Spec, StylizeOptions, check_blend, option

CLASSES = [m.options_class for m in METHODS.values()]
NUMBERS = [
    pytest.param(c, s, id=f"{c.__name__}.{s.name}") for c in CLASSES for s in c.specs() if s.kind in (int, float)
]
ALL = [pytest.param(c, s, id=f"{c.__name__}.{s.name}") for c in CLASSES for s in c.specs()]


@dataclass(frozen=True, kw_only=True)
class Every(Options):
    """One option of each kind."""

    whole: int = option(1, "a whole number", low=0)
    real: float | None = option(None, "a number")
    flag: bool = option(False, "a switch")
    file: Path | None = option(None, "a file")
    word: Literal["a", "b"] = option("a", "a choice")
    many: tuple[int, ...] = option((), "whole numbers", low=1)
    names: tuple[str, ...] = option((), "words")


def values_of(spec: Spec) -> st.SearchStrategy[Any]:
    if spec.choices:
        one: st.SearchStrategy[Any] = st.sampled_from(spec.choices)
    elif spec.kind is int:
        one = st.integers(None if spec.low is None else int(spec.low), None if spec.high is None else int(spec.high))
    elif spec.kind is float:
        one = st.floats(spec.low, spec.high, allow_nan=False, allow_infinity=False)
    elif spec.kind is bool:
        one = st.booleans()
    elif spec.kind is Path:
        one = st.sampled_from([Path("a"), Path("b/ c.png")])
    else:
        one = st.text(max_size=8)
    one = st.lists(one, max_size=3) if spec.many else one
    return st.none() | one if spec.optional else one


@pytest.mark.parametrize("cls", [*CLASSES, Every], ids=lambda c: c.__name__)
@given(data=st.data())
def test_options_travel_as_json(cls: type[Options], data: st.DataObject) -> None:
    made = cls(**{s.name: data.draw(values_of(s), s.name) for s in cls.specs()})
    again = cls.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False)))
    assert again == made
    assert again.to_dict() == made.to_dict()
    assert set(made.to_dict()) == {s.name for s in cls.specs()}


@pytest.mark.parametrize(("cls", "spec"), ALL)
def test_every_option_is_documented(cls: type[Options], spec: Spec) -> None:
    assert spec.help
    assert "\n" not in spec.help
    assert len(spec.help) < 100
    assert spec.check(spec.default) == spec.default
    assert spec.kind not in (int, float) or (spec.low is not None and spec.high is not None)


@pytest.mark.parametrize(
    "wrong", [math.nan, math.inf, -math.inf, True, False, "1", b"1", [], {}, 1j, 10**400, -(10**400)]
)
@pytest.mark.parametrize(("cls", "spec"), NUMBERS)
def test_numbers_that_are_none_are_refused(cls: type[Options], spec: Spec, wrong: Any) -> None:
    with pytest.raises(OptionError, match=spec.flag) as caught:
        cls(**{spec.name: [wrong] if spec.many else wrong})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("cls", "spec"), NUMBERS)
def test_bounds_are_allowed_and_no_more(cls: type[Options], spec: Spec) -> None:
    assert spec.low is not None and spec.high is not None
    for bound, away in ((spec.low, -math.inf), (spec.high, math.inf)):
        beyond = bound + math.copysign(1, away) if spec.kind is int else math.nextafter(bound, away)
        cls(**{spec.name: [bound] if spec.many else bound})
        with pytest.raises(OptionError, match="out of range"):
            cls(**{spec.name: [beyond] if spec.many else beyond})


def test_values_come_in_their_own_type() -> None:
    made = FastOptions(size=512.0, strength=1, blend=[np.float32(2), 1])  # type: ignore[arg-type]
    assert (type(made.size), type(made.strength), made.blend) == (int, float, (2.0, 1.0))
    assert all(type(w) is float for w in made.blend)
    assert FastOptions(size=np.int64(64)).size == 64  # type: ignore[arg-type]
    assert Every(file="a/b").file == Path("a/b")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"whole": 1.5}, {"whole": np.bool_(True)}, {"flag": 1}, {"flag": "yes"}, {"file": ""}, {"file": 3},
        {"word": "c"},
        {"word": ["a"]}, {"word": None}, {"word": np.zeros(2)}, {"many": 3}, {"many": "12"}, {"many": [0]},
        {"names": "abc"}, {"names": [1]}, {"whole": None},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_types_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="--"):
        Every(**wrong)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(OptionError, match="unknown option 'nope'; known: blend"):
        FastOptions.from_dict({"nope": 1})
    with pytest.raises(OptionError, match="unknown option"):
        FastOptions.from_dict({"steps": 3})


def test_options_are_frozen_and_keyword_only() -> None:
    with pytest.raises(FrozenInstanceError):
        FastOptions().strength = 0.5  # type: ignore[misc]
    with pytest.raises(TypeError):
        FastOptions(512)  # type: ignore[call-arg]
    assert hash(GatysOptions()) == hash(GatysOptions())


@pytest.mark.parametrize(("name", "text", "value"), [
    ("whole", "3", 3), ("real", "1e-3", 0.001), ("word", "b", "b"), ("file", "a b.png", Path("a b.png")),
    ("many", "3, 1", (3, 1)), ("names", "relu1_1,relu2_1", ("relu1_1", "relu2_1")),
])  # fmt: skip
def test_words_are_parsed(name: str, text: str, value: Any) -> None:
    (spec,) = (s for s in Every.specs() if s.name == name)
    assert spec.parse(text) == value


@pytest.mark.parametrize(("name", "text"), [
    ("whole", "1.5"), ("whole", ""), ("whole", "-1"), ("real", "nan"), ("real", "one"), ("word", "c"), ("many", "1,,2"),
    ("many", ""), ("many", "1,x"), ("names", "a,"), ("file", ""),
])  # fmt: skip
def test_words_that_mean_nothing_are_refused(name: str, text: str) -> None:
    (spec,) = (s for s in Every.specs() if s.name == name)
    with pytest.raises(OptionError, match=spec.flag):
        spec.parse(text)


def test_every_method_understands_the_common_options() -> None:
    common = {s.name for s in StylizeOptions.specs()}
    for cls in CLASSES:
        assert common <= {s.name for s in cls.specs()}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5))
def test_shares_sum_to_one(weights: list[float]) -> None:
    if sum(weights) == 0:
        with pytest.raises(OptionError, match="zeros"):
            check_blend(weights, len(weights))
    else:
        assert sum(check_blend(weights, len(weights))) == pytest.approx(1)
    with pytest.raises(OptionError, match=f"{len(weights)} weights for {len(weights) + 1} styles"):
        check_blend(weights, len(weights) + 1)


def test_shares_are_equal_when_nothing_is_said() -> None:
    assert check_blend((), 4) == (0.25,) * 4
    assert check_blend((2, 1, 1), 3) == (0.5, 0.25, 0.25)
