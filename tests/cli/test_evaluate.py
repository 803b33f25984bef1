"""`impasto evaluate`: table, report, sheet, and what it says when something is missing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from impasto.evaluation import evaluate, timing
from impasto.evaluation.options import EvaluateOptions

from .conftest import Ran, Run, colours, contents

SMALL = ["--size", "32"]
HELD_OUT, TRAINED = "pond-000014.png", "pond-000015.png"


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Three photos, one of them grey and one damaged, and two paintings, one of them held out from training."""
    (folder / "photos").mkdir()
    (folder / "paintings").mkdir()
    Image.fromarray(colours(1)).save(folder / "photos" / "a.png")
    Image.fromarray(colours(2)[..., 0]).save(folder / "photos" / "grey.png")
    (folder / "photos" / "damaged.jpg").write_bytes(b"nothing")
    for seed, name in enumerate((HELD_OUT, TRAINED)):
        Image.fromarray(colours(seed + 5, (37, 61))).save(folder / "paintings" / name)
    return folder


def refused(ran: Ran, *words: str) -> None:
    assert ran.code == 2, ran
    assert ran.out == b""
    assert ran.err.startswith("impasto: ")
    assert ran.err.count("\n") == 1, ran.err
    for word in words:
        assert word in ran.err


def test_one_run_compares_networks_on_the_same_pairs(impasto: Run, pictures: Path) -> None:
    ran = impasto(
        "evaluate", "--model", "magenta", "--model", "magenta", "--content", "photos", "--style", "paintings",
        "--pairs", 3, *SMALL, "--json", "-o", "report.json", "--sheet", "sheet.png",
    )  # fmt: skip
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert list(told["networks"]) == ["photo", "magenta", "magenta 2"]
    assert told["networks"]["magenta"]["ssim"] == told["networks"]["magenta 2"]["ssim"]
    assert told["networks"]["photo"]["ssim"]["mean"] == pytest.approx(1, abs=1e-6)
    assert told["networks"]["magenta"]["sliced"]["mean"] > 0
    rows = [(r["content"], r["style"]) for r in told["rows"] if r["network"] == "magenta"]
    assert len(rows) == len(set(rows)) == told["about"]["pairs"] == 3
    assert [r["network"] for r in told["rows"]] == ["photo", "magenta", "magenta 2"] * 3
    assert json.loads(Path("report.json").read_text("utf-8")) == told
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 4 * 256
        assert sheet.height > 3 * 256


def test_without_vgg16_the_rest_is_told_and_how_to_get_it(impasto: Run, pictures: Path) -> None:
    ran = impasto("evaluate", "--content", "photos", "--style", "paintings", *SMALL)
    assert ran.code == 0, ran
    missing, skipped = ran.err.splitlines()
    for word in ("left out: content, style and the residuals", "IMPASTO_MODELS=FOLDER", "vgg16-caffe-fp16.safetensors"):
        assert word in missing
    assert "1 unreadable and left out, the first: damaged.jpg" in skipped
    table = ran.out.decode()
    for word in ("ssim", "sliced", "photo", "impasto", "mean", "median", "4 pairs"):
        assert word in table
    assert "conv1" not in table


def test_one_picture_each_is_enough(impasto: Run, pictures: Path) -> None:
    ran = impasto("evaluate", "--content", "photo.jpg", "--style", "painting.png", *SMALL, "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["about"]["pairs"] == 1


def test_paths_with_commas_and_lists(impasto: Run, pictures: Path) -> None:
    Path("photo.jpg").rename("one, two.jpg")
    ran = impasto(
        "evaluate", "--content", "one, two.jpg", "--style", f"painting.png,paintings/{TRAINED}", *SMALL, "--json"
    )
    assert {(r["content"], r["style"]) for r in json.loads(ran.out)["rows"]} == {
        ("one, two.jpg", "painting.png"),
        ("one, two.jpg", TRAINED),
    }


def test_seen_against_unseen(impasto: Run, pictures: Path) -> None:
    words = ["evaluate", "--content", f"paintings/{HELD_OUT}", "--style", "paintings", "--seen", "paintings"]
    ran = impasto(*words, "--held-out", *SMALL, "--json")
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert {(r["style"], r["seen"]) for r in told["rows"]} == {(HELD_OUT, False), (TRAINED, True)}
    assert (told["about"]["pairs"], told["about"]["seen_pairs"]) == (1, 1)
    assert told["networks"]["impasto"]["seen"]["ssim"]["mean"] > 0


def test_times(impasto: Run, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "milliseconds", partial(timing.milliseconds, sides=(24, 48), runs=1))
    words = ["evaluate", "--content", "photo.jpg", "--style", "painting.png", "--times", *SMALL]
    told = json.loads(impasto(*words, "--json").out)["networks"]
    assert set(told["impasto"]["milliseconds"]) == {"24", "48"}
    assert min(told["impasto"]["milliseconds"].values()) > 0
    assert "48x48" in impasto(*words).out.decode()


def test_bad_input_is_one_line_and_nothing_is_written(impasto: Run, pictures: Path) -> None:
    Path("empty").mkdir()
    Path("notes.onnx").write_bytes(b"no network")
    before = contents(pictures)
    both = ["--content", "photos", "--style", "paintings"]
    cases: list[tuple[list[str], str]] = [
        ([], "impasto evaluate --content FOLDER --style FOLDER"),
        (["--content", "photos"], "give photos and paintings"),
        (["--content", "empty", "--style", "paintings"], "empty: no picture in it"),
        (["--content", "nowhere", "--style", "paintings"], "nowhere does not exist"),
        (["--content", "photos/damaged.jpg", "--style", "paintings"], "none of 1 pictures can be read"),
        (["--content", "photos", "--style", "paintings", "--held-out"], "held out"),
        ([*both, "--pairs", "0"], "--pairs 0 is out of range"),
        ([*both, "--size", "many"], "--size 'many' is not allowed"),
        ([*both, "--model", "nothing.onnx"], "nothing.onnx is neither a file nor a bundled network"),
        ([*both, "--model", "notes.onnx"], "notes.onnx cannot be loaded"),
        ([*both, "--sheet", "sheet.xyz"], "unknown ending"),
        ([*both, "--sheet", "photo.jpg"], "exists already"),
        ([*both, "-o", "photo.jpg"], "exists already"),
        ([*both, "-o", "nowhere/report.json"], "in a folder that exists"),
        ([*both, "-o", "new.png", "--sheet", "new.png"], "names of their own"),
    ]
    for words, said in cases:
        refused(impasto("evaluate", *words), said)
    assert contents(pictures) == before


def test_every_option_has_a_flag_and_a_line_of_help(impasto: Run) -> None:
    told = " ".join(impasto("evaluate", "--help").out.decode().split())
    for spec in EvaluateOptions.specs():
        assert spec.flag in told
        assert spec.help.split(";")[0][:30] in told
