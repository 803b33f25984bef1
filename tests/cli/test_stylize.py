"""The contract of `impasto stylize`: what others' scripts rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.image import read

from .conftest import GATYS, SIZE, Run, colours, contents, pixels


def test_the_installed_command_paints(command: Run, folder: Path) -> None:
    ran = command("stylize", "photo.jpg", "painting.png")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(b"photo-painting.png (48x40, fast, ")
    assert np.abs(pixels(folder / "photo-painting.png").astype(int) - pixels(folder / "photo.jpg")).mean() > 2


def test_the_result_lies_beside_the_photo(impasto: Run, folder: Path) -> None:
    (folder / "in").mkdir()
    Path("photo.jpg").replace("in/photo.jpg")
    assert impasto("stylize", "in/photo.jpg", "painting.png").code == 0
    assert set(contents(folder)) == {"in/photo.jpg", "in/photo-painting.png", "painting.png"}


def test_several_styles_are_all_in_the_name(impasto: Run, folder: Path) -> None:
    assert impasto("stylize", "photo.jpg", "painting.png", "photo.jpg", "--blend", "2,1").code == 0
    assert (folder / "photo-painting-photo.png").exists()


def test_nothing_is_overwritten_unless_asked(impasto: Run, folder: Path) -> None:
    assert impasto("stylize", "photo.jpg", "painting.png").code == 0
    before = contents(folder)
    ran = impasto("stylize", "photo.jpg", "painting.png", "--strength", "0")
    assert ran.code == 2
    assert "--overwrite" in ran.err
    assert contents(folder) == before
    assert impasto("stylize", "photo.jpg", "painting.png", "--strength", "0", "--overwrite").code == 0
    assert contents(folder) != before


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (".png", "PNG"), (".jpg", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP"), (".avif", "AVIF"), (".tif", "TIFF"),
        (".tiff", "TIFF"), (".bmp", "BMP"), (".PNG", "PNG"),
    ],
)  # fmt: skip
def test_each_ending_gives_its_format(impasto: Run, folder: Path, ending: str, kind: str) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "-o", f"out{ending}", "--json")
    assert ran.code == 0
    with Image.open(folder / f"out{ending}") as opened:
        assert (opened.format, opened.size) == (kind, SIZE)
    if kind != "BMP":
        assert read(folder / f"out{ending}").settings == json.loads(ran.out)["settings"]


@pytest.mark.parametrize("method", [["-m", "fast"], GATYS], ids=["fast", "gatys"])
def test_json_is_one_object_and_nothing_else(impasto: Run, method: list[str]) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "-o", "out.png", "--json", *method)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count(b"\n") == 1
    told = json.loads(ran.out)
    assert {"output", "size", "method", "seconds", "losses", "settings"} <= told.keys()
    assert (told["output"], told["method"]) == ("out.png", method[1])
    with Image.open("out.png") as opened:
        assert told["size"] == list(opened.size)
    assert told["seconds"] > 0
    assert ("total" in told["losses"]) == (method[1] == "gatys")


def test_notices_go_to_standard_error(impasto: Run, folder: Path) -> None:
    Image.fromarray(colours(1, (8, 8))).save(folder / "tiny.png")
    ran = impasto("stylize", "photo.jpg", "tiny.png", "-o", "out.png", "--json", *GATYS)
    assert ran.code == 0
    assert "tiny.png has only 8x8 pixels" in ran.err
    assert json.loads(ran.out)["output"] == "out.png"


def test_standard_input_to_standard_output(command: Run, folder: Path) -> None:
    before = contents(folder)
    ran = command("stylize", "-", "painting.png", stdin=(folder / "photo.jpg").read_bytes())
    assert ran.code == 0
    assert ran.err.startswith("standard output (48x40")
    assert ran.err.count("\n") == 1
    with Image.open(BytesIO(ran.out)) as opened:
        assert (opened.format, opened.size) == ("PNG", SIZE)
    assert contents(folder) == before


def test_the_painting_from_standard_input(impasto: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO((folder / "painting.png").read_bytes())))
    assert impasto("stylize", "photo.jpg", "-").code == 0
    assert impasto("stylize", "photo.jpg", "painting.png").code == 0
    assert np.array_equal(pixels(folder / "photo-stdin.png"), pixels(folder / "photo-painting.png"))


@pytest.mark.parametrize("place", ["full", "closed", "gone"])
def test_standard_output_that_takes_nothing(folder: Path, program: str, place: str) -> None:
    """A full disk and a closed stream are told in one line; a reader that has gone is no fault of ours."""
    words = f"'{program}' stylize photo.jpg painting.png -o -"
    line = {"full": f"{words} > /dev/full", "closed": f"{words} >&-", "gone": f"{words} | head -c 1 > /dev/null"}[place]
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    lines = [text for text in ran.stderr.splitlines() if text.startswith("impasto: ")]
    if place == "gone":
        assert ran.returncode == 0
    else:
        assert ran.returncode == 2
        assert len(lines) == 1
        assert "standard output" in lines[0]
    assert "Traceback" not in ran.stderr


def test_standard_input_that_is_closed(folder: Path, program: str) -> None:
    ran = subprocess.run(
        ["bash", "-c", f"'{program}' stylize - painting.png -o out.png <&-"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert not (folder / "out.png").exists()


def test_a_terminal_gets_a_bar_and_programs_do_not(folder: Path, program: str) -> None:
    terminal, inside = os.openpty()
    started = subprocess.Popen(
        [program, "stylize", "photo.jpg", "painting.png", "-o", "out.png", *GATYS],
        stdout=subprocess.PIPE, stderr=inside, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(inside)
    seen = b""
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    out, _ = started.communicate(timeout=60)
    os.close(terminal)
    assert started.returncode == 0
    assert b"gatys" in seen
    assert b"left" in seen
    assert b"\x1b" not in out


# Repeating a run.


def test_settings_repeat_a_run(impasto: Run, folder: Path) -> None:
    words = ["--strength", "0.6", "--keep-color", "histogram", "--blend", "1,3", "--size", "32"]
    first = impasto("stylize", "photo.jpg", "painting.png", "photo.jpg", "-o", "first.png", "--json", *words)
    second = impasto("stylize", "--settings", "first.png", "-o", "second.png", "--json")
    assert (first.code, second.code) == (0, 0)
    assert np.array_equal(pixels(folder / "first.png"), pixels(folder / "second.png"))
    told = json.loads(second.out)["settings"]
    assert told == json.loads(first.out)["settings"]
    assert (
        told["options"] | {"strength": 0.6, "blend": [1, 3], "size": 32, "keep_color": "histogram"} == told["options"]
    )


def test_settings_repeat_an_online_run(impasto: Run, folder: Path) -> None:
    assert (
        impasto("stylize", "photo.jpg", "painting.png", "-o", "a.png", "--seed", 5, "--init", "noise", *GATYS).code == 0
    )
    assert impasto("stylize", "--settings", "a.png", "-o", "b.png").code == 0
    assert np.array_equal(pixels(folder / "a.png"), pixels(folder / "b.png"))


def test_flags_and_names_override_settings(impasto: Run, folder: Path) -> None:
    Image.fromarray(colours(9, (20, 30))).save(folder / "other.png")
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "a.jpg", "--strength", "0.6", "--size", "32").code == 0
    ran = impasto("stylize", "--settings", "a.jpg", "-o", "b.png", "--strength", "0.3", "--json", "other.png")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["size"] == [21, 32]
    assert (told["settings"]["content"], told["settings"]["styles"]) == ("other.png", ["painting.png"])
    assert (told["settings"]["options"]["strength"], told["settings"]["options"]["size"]) == (0.3, 32)


def test_settings_of_another_method_keep_the_pictures(impasto: Run) -> None:
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "a.png", "--strength", "0.1").code == 0
    ran = impasto("stylize", "--settings", "a.png", "-o", "b.png", "--json", *GATYS)
    told = json.loads(ran.out)["settings"]
    assert (told["method"], told["content"], told["options"]["strength"]) == ("gatys", "photo.jpg", 0.5)


# Watching a run.


def test_the_trace_has_a_line_a_step(impasto: Run, folder: Path) -> None:
    ran = impasto(
        "stylize", "photo.jpg", "painting.png", "-o", "out.png", *GATYS, "--steps", 3, "--trace", "t.jsonl", "--json"
    )
    lines = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    for line in lines:
        terms = {k: v for k, v in line.items() if k not in ("step", "size", "seconds", "total")}
        assert sum(terms.values()) == pytest.approx(line["total"], rel=1e-4)
    assert [line["seconds"] for line in lines] == sorted(line["seconds"] for line in lines)
    assert json.loads(ran.out)["losses"] == {k: lines[-1][k] for k in json.loads(ran.out)["losses"]}


def test_a_trace_is_not_overwritten_unless_asked(impasto: Run, folder: Path) -> None:
    (folder / "t.jsonl").write_text("dear")
    words = ["stylize", "photo.jpg", "painting.png", "-o", "out.png", "--trace", "t.jsonl"]
    assert impasto(*words).code == 2
    assert (folder / "t.jsonl").read_text() == "dear"
    assert not (folder / "out.png").exists()
    assert impasto(*words, "--overwrite").code == 0
    assert (folder / "t.jsonl").read_text() == ""


def test_previews_are_pictures_and_stay(impasto: Run, folder: Path) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "-o", "out.jpg", *GATYS, "--preview-every", 1)
    assert ran.code == 0
    assert pixels(folder / "out-preview.png").shape == pixels(folder / "out.jpg").shape
    (folder / "out.jpg").unlink()
    again = impasto("stylize", "photo.jpg", "painting.png", "-o", "out.jpg", *GATYS, "--preview-every", 1)
    assert again.code == 2
    assert "out-preview.png exists already" in again.err


# Style files.


def test_a_style_file_paints_as_its_painting_does(impasto: Run, folder: Path) -> None:
    ran = impasto("style", "encode", "painting.png")
    assert (ran.code, ran.out) == (0, b"painting.style\n")
    assert (folder / "painting.style").stat().st_size < 4096
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "a.png").code == 0
    assert impasto("stylize", "photo.jpg", "painting.style", "-o", "b.png").code == 0
    assert np.array_equal(pixels(folder / "a.png"), pixels(folder / "b.png"))


def test_a_style_file_is_not_overwritten_unless_asked(impasto: Run, folder: Path) -> None:
    (folder / "painting.style").write_text("dear")
    assert impasto("style", "encode", "painting.png").code == 2
    assert (folder / "painting.style").read_text() == "dear"
    assert impasto("style", "encode", "painting.png", "--overwrite").code == 0
    assert impasto("style", "encode", "painting.png", "-o", "mine.style").code == 0
    assert (folder / "painting.style").read_bytes() == (folder / "mine.style").read_bytes()


# The same seed.


def test_the_same_seed_gives_the_same_pixels(impasto: Run, folder: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = ["-o", f"{name}.png", "--init", "noise", "--seed", seed]
        assert impasto("stylize", "photo.jpg", "painting.png", *GATYS, "--steps", 3, *words).code == 0
    assert np.array_equal(pixels(folder / "a.png"), pixels(folder / "b.png"))
    assert not np.array_equal(pixels(folder / "a.png"), pixels(folder / "c.png"))


@pytest.mark.slow
def test_the_default_online_method_paints(impasto: Run, folder: Path) -> None:
    ran = impasto("stylize", "photo.jpg", "painting.png", "-m", "gatys", "--size", 64, "--steps", 3)
    assert ran.code == 0
    assert pixels(folder / "photo-painting.png").shape == (53, 64, 3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_a_trace_that_fills_the_disk_does_not_cost_the_picture(command: Run, folder: Path) -> None:
    ran = command(
        "stylize", "photo.jpg", "painting.png", "-o", "out.png", *GATYS, "--trace", "/dev/full", "--overwrite"
    )
    assert ran.code == 0, ran.err
    assert "the trace stopped" in ran.err
    assert (folder / "out.png").exists()
