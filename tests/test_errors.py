"""Errors: one family, one line, an exit code each; and what a missing extra says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto import errors
from impasto.errors import ImpastoError, LimitError, MissingExtraError

FAMILY = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]


@pytest.mark.parametrize("error", FAMILY, ids=lambda e: e.__name__)
def test_one_family(error: type[Exception]) -> None:
    assert issubclass(error, ImpastoError)
    assert error.exit_code == (3 if error is LimitError else 2)
    assert error.__doc__


def test_a_missing_extra_names_the_command_that_mends_it() -> None:
    error = MissingExtraError("the method 'gatys'", "torch")
    assert error.extra == "torch"
    assert str(error).endswith('mend: pip install "impasto[torch]"')
    assert "\n" not in str(error)


# A machine without torch, as `pip install impasto` leaves it.

BLOCK = "import sys; sys.modules.update(torch=None, safetensors=None); "


def without_torch(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    values = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    Image.fromarray(values).save(folder / "a.png")
    words = [sys.executable, "-W", "error", "-c", BLOCK + script]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


@pytest.mark.parametrize(
    "words",
    [["stylize", "a.png", "a.png", "-m", "gatys"], ["stylize", "a.png", "a.png", "-m", "gatys", "--init", "fast"]],
)
def test_without_torch_an_online_method_says_what_to_install(tmp_path: Path, words: list[str]) -> None:
    ran = without_torch(tmp_path, f"from impasto.cli import main; main({words})")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert 'pip install "impasto[torch]"' in ran.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "words",
    [
        ["stylize", "a.png", "a.png"],
        ["style", "encode", "a.png"],
        ["methods"],
        ["encoders"],
        ["models", "list"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_without_torch_everything_else_works(tmp_path: Path, words: list[str]) -> None:
    ran = without_torch(tmp_path, f"from impasto.cli import main; main({words})")
    assert (ran.returncode, ran.stderr) == (0, "")
    if words[0] in ("methods", "doctor"):
        assert 'pip install "impasto[torch]"' in ran.stdout


def test_without_torch_an_encoder_says_what_to_install(tmp_path: Path) -> None:
    ran = without_torch(tmp_path, "import impasto; impasto.load_encoder('vgg19')")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("impasto.errors.MissingExtraError")
    assert 'pip install "impasto[torch]"' in ran.stderr


def test_without_torch_the_library_works(tmp_path: Path) -> None:
    script = "import impasto; print(impasto.stylize('a.png', 'a.png').size, impasto.GatysOptions().steps)"
    ran = without_torch(tmp_path, script)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "(48, 40) None\n", "")
