"""`impasto export`, and painting with what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from exported import saved
from impasto import models
from impasto.errors import ModelError

from .conftest import Run, contents, pixels


@pytest.mark.parametrize("kind", ["johnson", "dumoulin", "ghiasi"])
def test_from_training_to_a_picture(impasto: Run, folder: Path, kind: str) -> None:
    saved(kind, folder)
    ran = impasto("export", f"{kind}.safetensors", "-o", "mine.onnx")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"mine.onnx ({kind}, fp32, 0.".encode())
    words = ["-m", "fast", "painting.png"] if kind == "ghiasi" else ["-m", kind]
    ran = impasto("stylize", "photo.jpg", *words, "--model", "mine.onnx")
    assert (ran.code, ran.err) == (0, "")
    name = "photo-painting.png" if kind == "ghiasi" else "photo-mine.png"
    assert ran.out.startswith(f"{name} (48x40, ".encode())
    assert np.abs(pixels(folder / name).astype(int) - pixels(folder / "photo.jpg")).mean() > 2


def test_json_tells_files_and_what_rounding_costs(impasto: Run, folder: Path) -> None:
    saved("ghiasi", folder)
    whole = json.loads(impasto("export", "ghiasi.safetensors", "-o", "a.onnx", "--json").out)
    assert (whole["network"], whole["precision"], whole["difference"]) == ("ghiasi", "fp32", None)
    assert whole["files"] == {n: (folder / n).stat().st_size for n in ("a.onnx", "a-predict.onnx")}
    words = ["-o", "b.onnx", "--precision", "int8", "--photo", "photo.jpg", "--photo", "painting.png"]
    ran = impasto("export", "ghiasi.safetensors", *words, "--json")
    told = json.loads(ran.out)
    assert told["files"]["b.onnx"] < whole["files"]["a.onnx"]
    assert told["difference"]["photos"] == 2
    assert 0 < told["difference"]["mean"] <= told["difference"]["max"]
    assert told["difference"]["psnr"] > 20
    ran = impasto("export", "ghiasi.safetensors", *words, "--overwrite")
    assert b"against fp32 on 2 photos: largest difference 0." in ran.out


def test_nothing_is_overwritten_unless_asked(impasto: Run, folder: Path) -> None:
    saved("johnson", folder)
    (folder / "a.onnx").write_text("dear")
    before = contents(folder)
    ran = impasto("export", "johnson.safetensors", "-o", "a.onnx")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
    assert "--overwrite" in ran.err
    assert contents(folder) == before
    assert impasto("export", "johnson.safetensors", "-o", "a.onnx", "--overwrite").code == 0
    assert contents(folder).keys() == before.keys()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["missing", "-o", "a.onnx"], "missing"),
        (["photo.jpg", "-o", "a.onnx"], "photo.jpg"),
        ([".", "-o", "a.png"], "a.png"),
        (["johnson.safetensors", "-o", "a.onnx", "--transform", "wct"], "--transform"),
        (["johnson.safetensors", "-o", "a.onnx", "--precision", "int8", "--photo", "missing.png"], "missing.png"),
        (["johnson.safetensors"], "-o"),
    ],
)
def test_bad_words(impasto: Run, folder: Path, words: list[str], told: str) -> None:
    saved("johnson", folder)
    before = contents(folder)
    ran = impasto("export", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
    assert told in ran.err
    assert contents(folder) == before


# Painting without a painting.


def test_picks_are_in_the_name_and_settings_repeat_them(impasto: Run, folder: Path, networks: dict[str, Path]) -> None:
    model = folder / "mine.onnx"
    model.write_bytes(networks["dumoulin"].read_bytes())
    words = ["-m", "dumoulin", "--model", "mine.onnx", "--pick", "gold leaf,wave", "--blend", "3,1"]
    assert impasto("stylize", "photo.jpg", *words).code == 0
    first = folder / "photo-mine-gold_leaf-wave.png"
    assert first.exists()
    assert impasto("stylize", "--settings", first, "-o", "again.png").code == 0
    assert np.array_equal(pixels(first), pixels(folder / "again.png"))
    assert impasto("stylize", "--settings", first, "-o", "other.png", "--pick", "starry,wave").code == 0
    assert not np.array_equal(pixels(first), pixels(folder / "other.png"))


def test_settings_find_the_network_beside_them(
    impasto: Run, folder: Path, networks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.onnx").write_bytes(networks["johnson"].read_bytes())
    assert impasto("stylize", "photo.jpg", "-m", "johnson", "--model", "mine.onnx", "-o", "a.png").code == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert impasto("stylize", "--settings", "../a.png", "-o", "b.png").code == 0
    assert np.array_equal(pixels(folder / "a.png"), pixels(folder / "elsewhere" / "b.png"))


def test_settings_of_a_painting_are_no_style_for_johnson(impasto: Run, folder: Path, networks: dict[str, Path]) -> None:
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "a.png").code == 0
    words = ["-m", "johnson", "--model", networks["johnson"]]
    assert impasto("stylize", "--settings", "a.png", "-o", "b.png", *words).code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["photo.jpg", "-m", "johnson"], "--model FILE.onnx"),
        (["photo.jpg", "painting.png", "-m", "adain"], "--model FILE.onnx"),
        (["photo.jpg", "-m", "adain", "--model", "MODEL"], "a photo and a painting"),
        (["photo.jpg", "painting.png", "-m", "johnson", "--model", "MODEL"], "leave the painting out"),
        (["photo.jpg", "painting.png", "-m", "dumoulin", "--model", "MODEL"], "--pick"),
        (["photo.jpg", "painting.png", "-m", "fast", "--model", "MODEL"], "mend: -m johnson"),
        (["photo.jpg", "-m", "dumoulin", "--model", "MODEL"], "mend: -m johnson"),
        (["photo.jpg", "-m", "johnson", "--model", "photo.jpg"], "photo.jpg"),
        (["photo.jpg", "-m", "johnson", "--model", "missing.onnx"], "missing.onnx is no file"),
        (["photo.jpg", "-m", "johnson", "--model", "MODEL", "--blend", "1,2"], "2 weights for 1 styles"),
        (["photo.jpg", "-m", "johnson", "--model", "MODEL", "--pick", "a"], "has no --pick"),
        (["-m", "johnson", "--model", "MODEL"], "give a photo"),
        (["photo.jpg", "-m", "johnson", "--model", "MAGENTA"], "not written by Impasto"),
    ],
)
def test_what_cannot_be_painted(
    impasto: Run, folder: Path, networks: dict[str, Path], words: list[str], told: str
) -> None:
    files = {"MODEL": str(networks["johnson"]), "MAGENTA": str(models.path("magenta-mobile-transfer"))}
    before = contents(folder)
    ran = impasto("stylize", *(files.get(word, word) for word in words))
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
    assert told in ran.err
    assert contents(folder) == before


# Codes of a pair of one's own, and a gallery of them.


def test_a_gallery(impasto: Run, folder: Path, networks: dict[str, Path]) -> None:
    (folder / "gallery").mkdir()
    pair = networks["fast"]
    assert impasto("style", "encode", "painting.png", "-o", "gallery/a.style").code == 0
    assert impasto("style", "encode", "painting.png", "-o", "gallery/b.style", "--model", pair).code == 0
    (folder / "gallery" / "c.style").write_text("dear")
    ran = impasto("style", "list", "gallery")
    assert ran.code == 0
    assert ran.err.count("\n") == 1 and "c.style is no style file" in ran.err
    rows = [line.split() for line in ran.out.decode().splitlines()]
    assert [row[:2] for row in rows] == [["gallery/a.style", "painting"], ["gallery/b.style", "painting"]]
    assert rows[0][2] == "magenta-mobile"
    told = json.loads(impasto("style", "list", "gallery", "--json").out)
    assert [row["model"] for row in told] == [rows[0][2], rows[1][2]]
    assert impasto("stylize", "photo.jpg", "gallery/a.style").code == 0
    ran = impasto("stylize", "photo.jpg", "gallery/b.style")
    assert ran.code == 2
    assert f"is for the networks {rows[1][2]}, not for magenta-mobile" in ran.err
    assert impasto("stylize", "photo.jpg", "gallery/b.style", "--model", pair).code == 0
    assert impasto("stylize", "photo.jpg", "painting.png", "--model", pair, "-o", "same.png").code == 0
    assert np.array_equal(pixels(folder / "photo-b.png"), pixels(folder / "same.png"))


@pytest.mark.parametrize("name", ["missing", "photo.jpg"])
def test_a_gallery_that_is_none(impasto: Run, name: str) -> None:
    ran = impasto("style", "list", name)
    assert (ran.code, ran.out, ran.err) == (
        2,
        b"",
        f"impasto: {name} is no folder; mend: name one with .style files in it\n",
    )


@pytest.mark.skipif(models.places.locate(models.entry("vgg16")) is None, reason="VGG-16's weights are not here")
def test_impasto_with_the_published_vgg(folder: Path) -> None:
    from impasto.fast import FastOptions
    from impasto.image import read
    from impasto.methods import run
    from impasto.offline.export import export

    try:
        export(saved("impasto", folder), folder / "a.onnx", precision="int8")
    except ModelError as error:
        pytest.skip(str(error))
    *_, done = run(read(folder / "photo.jpg"), [read(folder / "painting.png")], FastOptions(model=folder / "a.onnx"))
    assert done.picture.size == (48, 40)  # type: ignore[union-attr]
    assert (folder / "a-predict.onnx").stat().st_size < 12_000_000
