"""The contract of `impasto texture` and `impasto reconstruct`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from impasto.image import read

from .conftest import Run, colours, contents, pixels
from .test_interrupt import start, until

LITE = ["--encoder", "efficientnet-lite0", "--steps", "2"]


class TestTexture:
    def test_the_result_lies_beside_the_painting(self, impasto: Run, folder: Path) -> None:
        ran = impasto("texture", "painting.png", *LITE)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(b"painting-texture.png (48x40, w2, ")
        assert pixels(folder / "painting-texture.png").shape == (40, 48, 3)

    @pytest.mark.parametrize(("word", "size"), [("70x33", (70, 33)), ("33X70", (33, 70)), ("96", (96, 80))])
    def test_any_size(self, impasto: Run, folder: Path, word: str, size: tuple[int, int]) -> None:
        assert impasto("texture", "painting.png", "-o", "out.png", "--size", word, *LITE).code == 0
        assert read(folder / "out.png").size == size

    def test_json_tells_all(self, impasto: Run, folder: Path) -> None:
        ran = impasto("texture", "painting.png", "photo.jpg", "--blend", "1,3", "--seed", "7", "--json", *LITE)
        told = json.loads(ran.out)
        assert told["output"] == "painting-photo-texture.png"
        assert (told["size"], told["method"], told["stopped"]) == ([48, 40], "w2", False)
        assert told["losses"]["style"] > 0
        settings = told["settings"]
        assert (settings["job"], settings["styles"], settings["tileable"]) == (
            "texture", ["painting.png", "photo.jpg"], False,
        )  # fmt: skip
        assert settings["options"]["seed"] == 7
        assert read(folder / told["output"]).settings == settings

    def test_a_tile_has_no_seam(self, impasto: Run, folder: Path) -> None:
        words = ["--tileable", "--size", "48x32", "--steps", "10"]
        assert impasto("texture", "photo.jpg", "-o", "tile.png", *words).code == 0
        made = pixels(folder / "tile.png").astype(float)
        for axis in (0, 1):
            across = np.abs(made.take(0, axis) - made.take(-1, axis)).mean()
            assert across <= 1.02 * np.abs(np.diff(made, axis=axis)).mean()

    def test_nothing_is_overwritten_unless_asked(self, impasto: Run, folder: Path) -> None:
        (folder / "painting-texture.png").write_bytes(b"mine")
        before = contents(folder)
        ran = impasto("texture", "painting.png", *LITE)
        assert ran.code == 2
        assert "--overwrite" in ran.err
        assert contents(folder) == before
        assert impasto("texture", "painting.png", "--overwrite", *LITE).code == 0

    def test_standard_streams(self, command: Run, folder: Path) -> None:
        ran = command("texture", "-", *LITE, stdin=(folder / "painting.png").read_bytes())
        assert ran.code == 0
        assert ran.out.startswith(b"\x89PNG")
        assert set(contents(folder)) == {"photo.jpg", "painting.png"}

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["painting.png", "--size", "3x"], "--size '3x' is not allowed; give WIDTHxHEIGHT such as 640x480"),
            (["painting.png", "--size", "0"], "--size 0 is out of range; give a whole number from 16 to 32768"),
            (["painting.png", "--size", "4x64"], "--size 4x64 is out of range; give WIDTHxHEIGHT from 16 to 32768"),
            (
                ["painting.png", "-m", "fast"],
                "fast has no texture model that can be used alone; methods that do: gatys",
            ),
            (["painting.png", "--strength", "1"], "No such option: --strength"),
            (["painting.png", "--tileable", *LITE], "cannot see a picture go on at its other border"),
            (["none.png"], "none.png"),
            (["-", "-"], "standard input can be read only once"),
        ],
    )
    def test_bad_words_in_one_line(self, impasto: Run, folder: Path, words: list[str], told: str) -> None:
        before = contents(folder)
        ran = impasto("texture", *words)
        assert (ran.code, ran.out) == (2, b"")
        assert told in ran.err
        assert ran.err.count("\n") == 1
        assert contents(folder) == before

    def test_previews_and_trace(self, impasto: Run, folder: Path) -> None:
        words = [*LITE, "--preview-every", "1", "--trace", "t.jsonl"]
        assert impasto("texture", "painting.png", *words).code == 0
        assert len((folder / "t.jsonl").read_text().splitlines()) == 2
        assert (folder / "painting-texture-preview.png").exists()

    def test_ctrl_c_saves_the_best_so_far(self, folder: Path, program: str) -> None:
        trace = folder / "t.jsonl"
        words = [*LITE[:2], "--steps", "100000", "--scales", "1", "--json", "--trace", "t.jsonl"]
        started = start(program, "texture", "painting.png", *words)
        until(lambda: trace.exists() and trace.read_text().count("\n") >= 3, started)
        started.send_signal(signal.SIGINT)
        out, _ = started.communicate(timeout=60)
        assert started.returncode == 130
        told = json.loads(out)
        assert told["stopped"] is True
        assert np.std(read(folder / "painting-texture.png").pixels) > 0.01


class TestReconstruct:
    def test_features(self, impasto: Run, folder: Path) -> None:
        ran = impasto("reconstruct", "photo.jpg", "--layer", "stem,block1_1", *LITE)
        assert (ran.code, ran.err) == (0, "")
        first, *errors = ran.out.decode().splitlines()
        assert first.startswith("photo-stem-block1_1.png (48x40, reconstruct, ")
        assert [line.split(":")[0] for line in errors] == ["stem", "block1_1"]
        assert all(line.split(": ")[1].startswith("relative feature error ") for line in errors)
        assert pixels(folder / "photo-stem-block1_1.png").shape == (40, 48, 3)

    def test_json_tells_the_errors(self, impasto: Run) -> None:
        told = json.loads(impasto("reconstruct", "photo.jpg", "--layer", "stem", "--json", *LITE).out)
        assert 0 < told["losses"]["error stem"] < 2
        assert told["settings"]["layers"] == ["stem"]

    def test_its_settings_are_not_a_paintings(self, impasto: Run) -> None:
        assert impasto("reconstruct", "photo.jpg", "--layer", "stem", "-o", "seen.png", *LITE).code == 0
        ran = impasto("stylize", "--settings", "seen.png", "-o", "again.png")
        assert ran.code != 0
        assert "was made by impasto reconstruct; give a file that impasto stylize painted" in ran.err

    def test_statistics(self, impasto: Run) -> None:
        words = ["--style", "-m", "gatys", "-o", "s.png", "--json"]
        told = json.loads(impasto("reconstruct", "photo.jpg", "--layer", "block1_1", *words, *LITE).out)
        assert (told["output"], told["method"], told["settings"]["style"]) == ("s.png", "gatys", True)
        assert told["losses"]["style"] > 0

    @pytest.mark.parametrize(
        ("words", "code", "told"),
        [
            (["--layer", "relu9_9"], 2, "vgg19 has no layer 'relu9_9'; it has: conv1_1"),
            (["--layer", ","], 2, "give at least one layer, such as --layer relu3_1"),
            ([], 2, "Missing option '--layer'"),
            (["--layer", "relu1_1", "-m", "gatys"], 2, "mend: add --style, or leave -m out"),
            (["--layer", "pool5", "--size", "16"], 3, "too small for vgg19's pool5"),
        ],
    )
    def test_bad_words_in_one_line(self, impasto: Run, folder: Path, words: list[str], code: int, told: str) -> None:
        ran = impasto("reconstruct", "photo.jpg", *words)
        assert (ran.code, ran.out) == (code, b"")
        assert told in ran.err
        assert ran.err.count("\n") == 1
        assert set(contents(folder)) == {"photo.jpg", "painting.png"}

    def test_nothing_is_overwritten(self, impasto: Run, folder: Path) -> None:
        (folder / "photo-stem.png").write_bytes(b"mine")
        assert impasto("reconstruct", "photo.jpg", "--layer", "stem", *LITE).code == 2
        assert (folder / "photo-stem.png").read_bytes() == b"mine"


def test_colours_are_the_paintings(impasto: Run, folder: Path) -> None:
    """A grey material stays grey."""
    from PIL import Image

    Image.fromarray(colours(3)).convert("L").save(folder / "grey.png")
    assert impasto("texture", "grey.png", *LITE[:2], "--steps", "6").code == 0
    made = pixels(folder / "grey-texture.png").astype(int)
    assert np.ptp(made, axis=2).max() <= 1
    assert made.std() > 3
