"""CONTRIBUTING.md's "Add a method in 60 lines" is run as it stands on the page."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import impasto.losses.parametric
import impasto.online
from impasto.encoders import load_encoder
from impasto.events import Done, Progress
from impasto.losses import Loss
from impasto.methods import METHODS, Method, get_method, run
from impasto.picture import Pixels
from losses.base import LossTests
from methods_base import encoders_once, painting, photo
from stepwise_base import StepwiseTests

__all__ = ["encoders_once"]

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def blocks() -> dict[str, str]:
    """The page's ```python blocks, by the file that their first line names."""
    found = re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return dict(found)


CODE = blocks()


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Method]:
    """The page's method, in METHODS and importable, for the length of a test."""
    for package, name in ((impasto.losses.parametric, "statistics"), (impasto.online, "li")):
        path = next(p for p in CODE if p.endswith(f"/{name}.py"))
        assert package.__name__ == f"impasto.{Path(path).parent.as_posix().replace('/', '.')}"
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(CODE[path])
        monkeypatch.setattr(package, "__path__", [str((tmp_path / path).parent), *package.__path__])
        monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}", raising=False)
    importlib.invalidate_caches()
    row = eval(CODE["methods.py"], {"Method": Method})
    monkeypatch.setitem(METHODS, row.name, row)
    yield row
    for package, name in ((impasto.losses.parametric, "statistics"), (impasto.online, "li")):
        sys.modules.pop(f"{package.__name__}.{name}", None)
        vars(package).pop(name, None)


def statistics_by_hand(pixels: Pixels) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of every channel of VGG-19's style layers."""
    with torch.no_grad():
        maps = load_encoder("vgg19")(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None], STYLE)
    return [(maps[tap].mean((0, 2, 3)), maps[tap].std((0, 2, 3))) for tap in STYLE]


def distance(pixels: Pixels, style: Pixels) -> float:
    """Of the statistics of two pictures; each layer's in units of the style's."""
    pairs = zip(statistics_by_hand(pixels), statistics_by_hand(style), strict=True)
    return sum(
        float(((m - mean).norm() + (s - std).norm()) / (mean.norm() + std.norm())) for (m, s), (mean, std) in pairs
    )


def test_the_page_has_three_blocks_of_60_lines_in_all() -> None:
    assert set(CODE) == {"losses/parametric/statistics.py", "online/li.py", "methods.py"}
    assert sum(bool(line.strip()) for code in CODE.values() for line in code.splitlines()) <= 60


@pytest.mark.parametrize("path", ["losses/parametric/statistics.py", "online/li.py"])
@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_the_code_passes_the_checks_of_the_house(path: str, command: list[str]) -> None:
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", f"src/impasto/{path}", "-"]
    done = subprocess.run(ruff, input=CODE[path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_loss_keeps_to_25_lines() -> None:
    tree = ast.parse(CODE["losses/parametric/statistics.py"])
    (loss,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    assert loss.end_lineno is not None
    assert loss.end_lineno - loss.lineno + 1 <= 25


def test_statistics_come_nearer(example: Method, encoders_once: None) -> None:
    content, style = photo(side=48), painting(side=48)
    options = example.options_class(size=48, steps=12, strength=0.9)  # type: ignore[call-arg]
    told = list(run(content, [style], options))
    done = told[-1]
    assert isinstance(done, Done)
    before, after = distance(content.pixels, style.pixels), distance(done.picture.pixels, style.pixels)
    assert after < 0.6 * before
    totals = [e.losses["total"] for e in told if isinstance(e, Progress)]
    assert len(totals) == 12
    assert totals[-1] < 0.5 * totals[0]


def test_it_is_a_method_like_others(example: Method, encoders_once: None) -> None:
    assert get_method("li") is example
    assert inspect.getdoc(example.options_class)
    tests, ran = StepwiseTests(), 0
    for name in (
        "test_first_comes_started_and_last_done",
        "test_result_is_a_picture_of_the_size_that_was_asked_for",
        "test_a_blend_of_one_is_that_one",
        "test_same_seed_gives_the_same_pixels",
        "test_alpha_and_exif_are_kept",
        "test_one_more_step_never_ends_worse",
    ):
        getattr(tests, name)(example)
        ran += 1
    assert ran == 6


class TestExampleLoss(LossTests):
    """The page's loss, by the base class that the page recommends."""

    module: ModuleType

    @pytest.fixture(autouse=True)
    def _module(self, example: Method) -> None:
        self.module = importlib.import_module("impasto.losses.parametric.statistics")

    def make(self, target: Tensor) -> Loss:
        loss: Any = self.module.StatisticsLoss(self.tap, self.module.statistics(target))
        assert isinstance(loss, Loss)
        return loss

    def test_one_position(self) -> None:
        """A channel that does not vary has no gradient of infinity."""
        features = torch.full((1, 2, 1, 1), 0.5, requires_grad=True)
        self.value(self.make(torch.rand(1, 2, 3, 3)), features).backward()
        assert features.grad is not None
        assert features.grad.isfinite().all()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]*(?:\.py|\.toml)?|[a-z_]+\.py|[A-Z]+\.md|NOTICE)`", PAGE)))
)
def test_what_the_page_names_is_there(path: str) -> None:
    assert any((root / path).exists() for root in (ROOT, ROOT / "src" / "impasto", ROOT / "src"))


def test_the_page_names_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", PAGE, re.MULTILINE))
    assert {"setup", "check", "test"} <= named <= targets


def test_recommended_field_is_a_valid_option() -> None:
    from impasto.options import option

    (field,) = re.findall(r"^```py\n    softness: float = (option\(.*\))\n```", PAGE, re.MULTILINE)
    made = eval(field, {"option": option})
    assert made.default == 0
    assert np.isclose(made.metadata["high"], 1)
