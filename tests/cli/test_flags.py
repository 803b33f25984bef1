"""One option, one place: the command line is the options dataclasses, no more and no less."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from impasto.cli.flags import by_name
from impasto.cli.main import build
from impasto.cli.stylize import FIXED
from impasto.methods import METHODS
from impasto.options import Spec

from .conftest import GATYS, Run

NUMERIC = [
    pytest.param(method, spec, id=f"{method.name}{spec.flag}")
    for method in METHODS.values()
    for spec in method.options_class.specs()
    if spec.kind in (int, float)
]
CHOICES = [
    pytest.param(method, spec, id=f"{method.name}{spec.flag}")
    for method in METHODS.values()
    for spec in method.options_class.specs()
    if spec.choices
]


def test_the_flags_are_the_union_of_all_options() -> None:
    stylize: Any = build(["stylize"])
    flags = {p.name: p.opts for p in stylize.commands["stylize"].params}
    options = {spec.name: spec for m in METHODS.values() for spec in m.options_class.specs()}
    assert set(flags) - {"help"} == set(FIXED) | set(options)
    assert not set(FIXED) & set(options)
    for name, spec in options.items():
        assert flags[name] == [spec.flag] == ["--" + name.replace("_", "-")]


def test_the_help_tells_each_option(impasto: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    text = " ".join(impasto("stylize", "--help").out.decode().split())
    for name, holders in by_name().items():
        told = text.partition(f" --{name.replace('_', '-')} ")[2].partition(" --")[0]
        for method, spec in holders.items():
            assert spec.help in told
            assert not spec.choices or "|".join(spec.choices) in told
            if spec.default not in (None, ()):
                shown = f"{spec.default:g}" if isinstance(spec.default, float) else str(spec.default)
                usual, own = rf"\(default {re.escape(shown)}[,)]", rf"\b{method}\b[^:()]*: {re.escape(shown)}[,)]"
                assert re.search(f"{usual}|{own}", told), method
        if len(holders) < len(METHODS):
            assert f"[{', '.join(holders)}]" in told


def test_methods_as_json_tell_the_same(impasto: Run) -> None:
    told = json.loads(impasto("methods", "--json").out)
    for name, method in METHODS.items():
        for spec, said in zip(method.options_class.specs(), told[name]["options"], strict=True):
            assert (said["name"], said["help"], said["kind"]) == (spec.name, spec.help, spec.kind.__name__)
            assert (tuple(said["choices"]), said["low"], said["high"]) == (spec.choices, spec.low, spec.high)
            assert said["default"] == (list(spec.default) if spec.many else spec.default)


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_a_word_for_each_flag_arrives_in_the_settings(impasto: Run, networks: dict[str, Path], method: Any) -> None:
    """Every option set to something else than its default; the flags reach the options one to one."""
    quick = {"steps": 2, "size": 64, "scales": 1, "encoder": "efficientnet-lite0", "init": "noise", "device": "cpu"}
    quick |= {"model": str(networks.get(method.name)), "pick": ("wave",), "checkpoint": "run.checkpoint"}
    quick |= {"mask": ("photo.jpg",), "style_mask": ("painting.png",)}
    skip = {"pooling"}  # which the quick encoder has not
    skip |= {"style_layers", "content_layers", "semantic", "mix_scales"}  # have tests below
    wanted = {}
    for spec in method.options_class.specs():
        if spec.name not in skip:
            wanted[spec.name] = quick[spec.name] if spec.name in quick else _other(spec)
    words = [w for n, v in wanted.items() for w in (f"--{n.replace('_', '-')}", *([] if v is True else [_word(v)]))]
    pictures = ["photo.jpg", "painting.png"] if method.styles == "any" else ["photo.jpg"]
    ran = impasto("stylize", *pictures, "-o", "out.png", "-m", method.name, "--json", *words)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)["settings"]["options"]
    assert {n: told[n] for n in wanted} == {n: list(v) if isinstance(v, tuple) else v for n, v in wanted.items()}
    assert method.options_class.from_dict(told).to_dict() == told


def test_layers_are_lists_with_commas(impasto: Run) -> None:
    words = ["--style-layers", "stem, block2_2", "--content-layers", "block3_2"]
    ran = impasto("stylize", "photo.jpg", "painting.png", "-o", "out.png", "--json", *GATYS, *words)
    told = json.loads(ran.out)["settings"]["options"]
    assert (told["style_layers"], told["content_layers"]) == (["stem", "block2_2"], ["block3_2"])


def test_semantic_maps_are_two_with_a_comma(impasto: Run) -> None:
    words = ["--semantic", "photo.jpg,photo.jpg"]
    ran = impasto("stylize", "photo.jpg", "painting.png", "-o", "out.png", "--json", *GATYS, *words)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["settings"]["options"]["semantic"] == ["photo.jpg", "photo.jpg"]


def test_mixing_scales_is_said_by_a_word_alone(impasto: Run) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "photo.jpg", "-o", "o.png", "--json", *GATYS, "--mix-scales")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["settings"]["options"]["mix_scales"] is True


def _other(spec: Spec) -> Any:
    if spec.kind is bool:
        return not spec.default
    if spec.choices:
        return next((c for c in spec.choices if c != spec.default and c != "bf16"), spec.default)
    if spec.many:
        return (1.0,)
    low, high = spec.low or 0, spec.high or 10
    return spec.kind(min(low + 1, (low + high) / 2))


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-1", "1e999", "abc", "", "9" * 400, "--"])
@pytest.mark.parametrize(("method", "spec"), NUMERIC)
def test_numbers_that_are_none_are_refused(impasto: Run, method: Any, spec: Spec, text: str) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "-m", method.name, spec.flag, text)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert ran.out == b""
    assert spec.flag in ran.err
    assert "give a" in ran.err
    assert len(ran.err) < 200


@pytest.mark.parametrize(("method", "spec"), NUMERIC)
def test_numbers_outside_their_bounds_are_refused(impasto: Run, method: Any, spec: Spec) -> None:
    assert spec.low is not None and spec.high is not None, "every number has bounds"
    beyond = [math.nextafter(spec.low, -math.inf), math.nextafter(spec.high, math.inf)]
    if spec.kind is int:
        beyond = [int(spec.low) - 1, int(spec.high) + 1]
    for number in beyond:
        ran = impasto("stylize", "photo.jpg", "painting.png", "-m", method.name, spec.flag, repr(number))
        assert ran.code == 2
        assert "out of range" in ran.err


@pytest.mark.parametrize(("method", "spec"), CHOICES)
def test_words_that_are_no_choice_are_refused(impasto: Run, method: Any, spec: Spec) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "-m", method.name, spec.flag, "bogus")
    assert ran.code == 2
    assert ran.err == f"impasto: {spec.flag} 'bogus' is unknown; choose one of: {', '.join(spec.choices)}\n"
