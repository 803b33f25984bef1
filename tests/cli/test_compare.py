"""`impasto compare`: sheet, results, table, JSON, and what it says when something is wrong."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from impasto.evaluation import compare
from impasto.evaluation.compare import Painted, candidates
from impasto.image import read

from .conftest import Ran, Run, contents
from .test_interrupt import start, until

BOTH = ["photo.jpg", "painting.png"]
QUICK = ["--methods", "fast,gatys", "--encoder", "efficientnet-lite0", "--size", "48", "--steps", "2"]


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of everything but the metrics, which take most of the time."""
    monkeypatch.setattr(compare, "judge_all", lambda painted, content, styles: ({}, ()))


def refused(ran: Ran, said: str, code: int = 2) -> None:
    assert (ran.code, ran.out) == (code, b""), ran
    assert ran.err.startswith("impasto: ")
    assert ran.err.count("\n") == 1, ran.err
    assert said in ran.err


def test_a_sheet_a_table_and_results_that_can_be_repeated(impasto: Run, folder: Path) -> None:
    Path("results").mkdir()
    ran = impasto("compare", *BOTH, *QUICK, "--folder", "results")
    assert ran.code == 0, ran
    table = ran.out.decode()
    for word in ("photo", "fast", "gatys", "seconds", "ssim", "sliced", "loading of the networks included"):
        assert word in table
    assert "content, style and the residuals" in ran.err  # VGG-16 is nowhere
    sheet = read("photo-painting-compare.png")
    assert f"photo-painting-compare.png ({sheet.width}x{sheet.height})" in table
    names = {method: f"results/photo-painting-{method}.png" for method in ("fast", "gatys")}
    assert set(contents(folder)) == {*BOTH, "photo-painting-compare.png", *names.values()}
    for method, name in names.items():
        assert read(name).settings["method"] == method
        assert impasto("stylize", "--settings", name, "-o", f"{method}.png").code == 0
        assert (read(f"{method}.png").pixels == read(name).pixels).all()


def test_json_is_one_object(impasto: Run, folder: Path) -> None:
    ran = impasto("compare", *BOTH, *QUICK, "-o", "sheet.jpg", "--json")
    told: dict[str, Any] = json.loads(ran.out)
    assert (ran.code, told["output"], told["stopped"]) == (0, "sheet.jpg", False)
    assert list(read("sheet.jpg").size) == told["size"]
    fast, gatys = told["results"]
    assert (fast["method"], gatys["method"], told["left_out"]) == ("fast", "gatys", {})
    for result in (fast, gatys):
        assert result["size"] == [48, 40]
        assert result["seconds"] > 0
        assert set(result["metrics"]) == set(told["photo"]) == {"ssim", "sliced"}
        assert result["output"] is None
    assert fast["metrics"]["ssim"] < told["photo"]["ssim"] == pytest.approx(1, abs=1e-6)
    assert gatys["losses"]["total"] > 0
    assert "steps" not in fast["settings"]["options"]  # a flag that the one has not is the other's alone
    assert gatys["settings"]["options"]["steps"] == 2
    assert len(told["missing"]) == 1


@pytest.mark.usefixtures("unmeasured")
def test_all_that_can_are_asked(impasto: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Not one name is written down: a new row of the table is compared without a word about it here."""
    asked: list[str] = []

    def only_fast(content: object, styles: object, chosen: list[Any], **more: Any) -> compare.Round:
        asked.extend(compare.method_of(options).name for options in chosen)
        return paint(content, styles, chosen[:1], **more)  # type: ignore[arg-type]

    paint = compare.paint_all
    monkeypatch.setattr(compare, "paint_all", only_fast)
    assert impasto("compare", *BOTH, "--size", 32, "-o", "s.png").code == 0
    assert asked == [method.name for method in candidates()]


@pytest.mark.usefixtures("unmeasured")
def test_who_paints_without_a_control_is_told(impasto: Run, folder: Path) -> None:
    controls = ["--semantic", "photo.jpg,photo.jpg", "--preset", "paper", "--strength", "0.5", "--seed", "3"]
    ran = impasto("compare", *BOTH, *QUICK, *controls, "-o", "s.png")
    assert ran.code == 0, ran
    (line,) = (line for line in ran.err.splitlines() if "without" in line)
    told = line.removeprefix("impasto: fast paints without ")
    assert set(told.split(", ")) == {"--semantic", "--preset"}  # steps, seed and encoder are the other's own business
    assert "without" not in impasto("compare", *BOTH, *QUICK, "-o", "t.png").err


@pytest.mark.usefixtures("unmeasured")
def test_who_cannot_paint_is_left_out_with_a_line(impasto: Run, folder: Path) -> None:
    ran = impasto("compare", *BOTH, "--methods", "fast,adain,gatys", "--encoder", "nope", "--size", 32, "-o", "s.png")
    assert ran.code == 0
    lines = ran.err.splitlines()
    assert [line.split(": ")[:3] for line in lines] == [["impasto", "left out", n] for n in ("adain", "gatys")]
    assert "unknown encoder 'nope'" in lines[1]
    assert "fast" in ran.out.decode()


def test_bad_input_is_one_line_and_nothing_is_written(impasto: Run, folder: Path) -> None:
    Path("notes.jpg").write_bytes(b"no picture")
    Path("start.png").write_bytes(Path("painting.png").read_bytes())
    before = contents(folder)
    cases: list[tuple[list[str], str]] = [
        ([], "impasto compare PHOTO PAINTING"),
        (["photo.jpg"], "impasto compare PHOTO PAINTING"),
        (["photo.jpg", "nowhere.png"], "nowhere.png does not exist"),
        (["notes.jpg", "painting.png"], "notes.jpg"),
        ([*BOTH, "--methods", "nope"], "unknown method 'nope'"),
        ([*BOTH, "--methods", ""], "unknown method ''"),
        ([*BOTH, "--methods", "johnson"], "takes no painting"),
        ([*BOTH, "--methods", "fast", "--steps", "2"], "of the methods fast none has --steps; methods that do: gatys"),
        ([*BOTH, "--methods", "fast,gatys", "--strength", "7"], "--strength 7 is out of range"),
        ([*BOTH, "--size", "many"], "--size 'many' is not allowed"),
        ([*BOTH, "--methods", "fast,gatys", "--blend", "1,2"], "--blend has 2 weights for 1 styles"),
        ([*BOTH, "--preview-every", "2"], "No such option"),
        ([*BOTH, "-o", "photo.jpg"], "photo.jpg exists already"),
        ([*BOTH, "-o", "photo.jpg", "--overwrite"], "photo.jpg would be written over"),
        ([*BOTH, *QUICK, "--init", "start.png", "-o", "start.png", "--overwrite"], "start.png would be written over"),
        ([*BOTH, "-o", "sheet.xyz"], "unknown ending"),
        ([*BOTH, "-o", "nowhere/sheet.png"], "no folder nowhere"),
        ([*BOTH, "--folder", "nowhere"], "no folder nowhere"),
        ([*BOTH, "--folder", ".", "-o", "photo-painting-fast.png"], "would be written over"),
    ]
    for words, said in cases:
        refused(impasto("compare", *words), said)
    assert contents(folder) == before


def test_nothing_is_written_over_unless_asked(impasto: Run, folder: Path) -> None:
    Path("photo-painting-gatys.png").write_bytes(b"mine")
    words = ["compare", *BOTH, *QUICK, "--folder", ".", "--json"]
    refused(impasto(*words), "photo-painting-gatys.png exists already")
    assert not Path("photo-painting-fast.png").exists()
    assert impasto(*words, "--overwrite").code == 0
    assert read("photo-painting-gatys.png").settings["method"] == "gatys"


def test_help_has_the_flags_of_all_and_none_of_those_without_use(impasto: Run) -> None:
    told = impasto("compare", "--help").out.decode()
    for flag in ("--strength", "--blend", "--style-scale", "--keep-color", "--steps", "--seed", "--device", "--folder"):
        assert flag in told
    assert told.count("--size") == 1
    assert "--preview-every" not in told


@pytest.mark.slow
def test_ctrl_c_ends_with_the_sheet_of_what_is_done(folder: Path, program: str) -> None:
    (folder / "results").mkdir()
    words = [*QUICK[:-1], "100000", "-o", "sheet.png", "--folder", "results", "--json"]
    started = start(program, "compare", *BOTH, *words)
    until(lambda: (folder / "results" / "photo-painting-fast.png").exists(), started)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    told = json.loads(out)
    assert told["stopped"] is True
    assert "fast" in {result["method"] for result in told["results"]}
    assert {*(result["method"] for result in told["results"]), *told["left_out"]} == {"fast", "gatys"}
    assert list(read(folder / "sheet.png").size) == told["size"]


def test_ctrl_c_while_measuring_keeps_the_sheet(impasto: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def impatient(painted: list[Painted], content: object, styles: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "judge_all", impatient)
    ran = impasto("compare", *BOTH, "--methods", "fast", "--size", 32, "-o", "sheet.png")
    assert ran.code == 130
    assert ran.err == "impasto: left out: every metric; interrupted\n"
    assert read("sheet.png").width > 32
