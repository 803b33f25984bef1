"""What cannot be done is said in one line, quickly, and nothing is written."""

from __future__ import annotations

import json
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from impasto import models
from impasto.image import read, write

from .conftest import GATYS, Ran, Run, colours, contents


def refused(ran: Ran, code: int, *words: str) -> None:
    """One line on standard error, nothing on standard output, the right exit code."""
    assert ran.code == code, ran
    assert ran.out == b""
    assert ran.err.startswith("impasto: ")
    assert ran.err.endswith("\n")
    assert len(ran.err.splitlines()) == 1, ran.err
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


def bomb(side: int, length: int) -> bytes:
    """A PNG of about `length` bytes that claims side x side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(length * 900), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def no_pixels() -> bytes:
    """A BMP that claims to be 0 pixels wide."""
    out = BytesIO()
    Image.new("RGB", (4, 4)).save(out, "BMP")
    return out.getvalue()[:18] + struct.pack("<i", 0) + out.getvalue()[22:]


def cut(path: str) -> bytes:
    data = Path(path).read_bytes()
    return data[: len(data) // 2]


PICTURES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty.png": (lambda: b"", 2, "is empty"),
    "cut.jpg": (lambda: cut("photo.jpg"), 2, "cut short"),
    "cut.png": (lambda: cut("painting.png"), 2, "cut short"),
    "text.png": (lambda: b"Dear diary,\n" * 50, 2, "it is text"),
    "noise.jpg": (lambda: bytes(range(1, 256)) * 20, 2, "not a picture"),
    "bomb.png": (lambda: bomb(30_000, 10_000), 3, "30000x30000"),
    "nothing.bmp": (no_pixels, 2, "nothing.bmp"),
}


@pytest.mark.parametrize("place", ["photo", "painting", "init", "encode", "settings"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_bad_picture(impasto: Run, folder: Path, name: str, place: str) -> None:
    make, code, word = PICTURES[name]
    (folder / name).write_bytes(make())
    before = contents(folder)
    start = time.monotonic()
    words = {
        "photo": ["stylize", name, "painting.png"],
        "painting": ["stylize", "photo.jpg", name],
        "init": ["stylize", "photo.jpg", "painting.png", "--init", name, *GATYS],
        "encode": ["style", "encode", name],
        "settings": ["stylize", "--settings", name],
    }[place]
    refused(impasto(*words), code, name, word)
    assert contents(folder) == before
    if place != "init":
        assert time.monotonic() - start < 60


@pytest.mark.parametrize("name", ["missing.jpg", ".", "..", "/", "", "photo.jpg/x", "\n.png", "x" * 300])
def test_a_picture_that_is_not_there(impasto: Run, folder: Path, name: str) -> None:
    before = contents(folder)
    for words in (
        ["stylize", name, "painting.png"],
        ["stylize", "photo.jpg", name],
        ["style", "encode", name],
        ["stylize", "--settings", name or "missing", "photo.jpg"],
    ):
        refused(impasto(*words), 2)
    assert contents(folder) == before


def test_the_refusal_of_a_bomb_takes_no_memory(folder: Path, program: str) -> None:
    """A process that may hold only 1 GB refuses it as well: 30000x30000 would take 2.7."""
    (folder / "bomb.png").write_bytes(bomb(30_000, 10_000))
    assert 5_000 < (folder / "bomb.png").stat().st_size < 15_000
    ran = subprocess.run(
        ["bash", "-c", f"ulimit -v 1000000; OPENBLAS_NUM_THREADS=1 '{program}' stylize bomb.png painting.png"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    refused(Ran(ran.returncode, ran.stdout.encode(), ran.stderr), 3, "30000x30000", "IMPASTO_MAX_PIXELS")


@pytest.mark.parametrize("method", [["-m", "fast"], GATYS], ids=["fast", "gatys"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_pictures_one_pixel_wide_are_painted_or_refused(
    impasto: Run, folder: Path, size: tuple[int, int], method: list[str]
) -> None:
    Image.fromarray(colours(1, size)).save(folder / "thin.png")
    for words in (["thin.png", "painting.png"], ["photo.jpg", "thin.png"], ["thin.png", "thin.png"]):
        before = contents(folder)
        ran = impasto("stylize", *words, "-o", "out.png", *method)
        if ran.code == 0:
            made = read(folder / "out.png")
            wanted = {"thin.png": size, "photo.jpg": (48, 40)}[words[0]]
            assert made.size == wanted or (method == GATYS and max(made.size) == 64)
            (folder / "out.png").unlink()
        else:
            refused(ran, 3, "too small")
        assert contents(folder) == before


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("missing/out.png", "no folder"),
        ("photo.jpg/out.png", "not a folder"),
        ("/proc/out.png", "/proc/out.png"),
        ("out", "no ending"),
        ("out.xyz", "'.xyz'"),
        ("out.gif", "'.gif'"),
        (".png", "ending"),
        ("", "ending"),
        (".", "ending"),
        ("folder.png", "is a folder"),
        ("painting.png", "exists already"),
        ("/dev/null.png", "/dev/null.png"),
    ],
)
def test_an_output_that_cannot_be(impasto: Run, folder: Path, output: str, word: str) -> None:
    if output.startswith("/dev/"):
        output = str(folder / "pipe.png")
        (folder / "pipe.png").symlink_to("/dev/null")
        word = "not a regular file"
    (folder / "folder.png").mkdir()
    before = contents(folder)
    words = ["stylize", "photo.jpg", "painting.png", "-o", output]
    refused(impasto(*words, *([] if "exists" in word else ["--overwrite"])), 2, word)
    assert contents(folder) == before


BAD_WORDS = {
    "method": (["-m", "nope"], "fast, gatys"),
    "layer": ([*GATYS, "--style-layers", "relu9_9"], "relu9_9"),
    "content layer": ([*GATYS, "--content-layers", "relu9_9"], "relu9_9"),
    "encoder": (["-m", "gatys", "--encoder", "nope"], "vgg19"),
    "device": (["--device", "tpu"], "auto, cpu, cuda, mps"),
    "device that is not here": (["--device", "mps"], "mps"),
    "device that gatys does not have": ([*GATYS, "--device", "mps"], "mps"),
    "too many weights": (["--blend", "1,2"], "2 weights for 1 styles"),
    "zeros": (["--blend", "0"], "zeros"),
    "weights of gatys": ([*GATYS, "--blend", "1,2"], "2 weights for 1 styles"),
    "no numbers": (["--blend", "a,b"], "--blend"),
    "a hole": (["--blend", "1,,2"], "--blend"),
    "empty list": (["--blend", ""], "--blend"),
    "NaN in a list": (["--blend", "nan"], "--blend"),
    "negative in a list": (["--blend", "-1"], "--blend"),
    "infinity in a list": (["--blend", "inf"], "--blend"),
    "an option of another method": (["--steps", "3"], "gatys"),
    "unknown flag": (["--nope", "3"], "impasto stylize --help"),
    "flag without a value": (["--size"], "--size"),
    "JSON and picture": (["--json", "-o", "-"], "--json"),
    "previews into a stream": ([*GATYS, "--preview-every", "1", "-o", "-"], "--preview-every"),
    "settings of nobody": (["--settings", "painting.png"], "no settings"),
    "missing settings": (["--settings", "missing.png"], "missing.png"),
    "missing start": ([*GATYS, "--init", "missing.png"], "missing.png"),
    "trace without a folder": (["--trace", "missing/t.jsonl"], "--trace"),
    "trace into a folder": (["--trace", "."], "--trace"),
    "trace over the photo": (["--trace", "photo.jpg"], "exists already"),
    "trace over the result": (["--trace", "photo-painting.png"], "names of their own"),
    "trace of a bad run": ([*GATYS, "--style-layers", "x", "--trace", "t.jsonl"], "x"),
    "pooling of an encoder without": ([*GATYS, "--pooling", "average"], "pooling"),
}


@pytest.mark.parametrize("name", BAD_WORDS)
def test_bad_words(impasto: Run, folder: Path, name: str) -> None:
    words, told = BAD_WORDS[name]
    before = contents(folder)
    refused(impasto("stylize", "photo.jpg", "painting.png", *words), 2, told)
    assert contents(folder) == before


@pytest.mark.parametrize("words", [[], ["photo.jpg"], ["", "painting.png"], ["-", "-"], ["photo.jpg", "-", "-"]])
def test_too_few_pictures_or_too_much_standard_input(impasto: Run, folder: Path, words: list[str]) -> None:
    before = contents(folder)
    refused(impasto("stylize", *words), 2)
    assert contents(folder) == before


@pytest.mark.parametrize(
    "words",
    [
        ["nope"], ["--nope"], ["models", "nope"], ["models", "path"], ["models", "path", "nope"],
        ["models", "verify", "nope"],
        ["models", "pull", "vgg16"], ["models", "path", "vgg16"], ["methods", "extra"], ["doctor", "--nope"],
        ["style", "nope"], ["style", "encode"], ["style", "encode", "photo.jpg", "-o", "out.png"],
        ["style", "encode", "photo.jpg", "-o", "missing/out.style"], ["encoders", "--jsn"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_other_commands(impasto: Run, folder: Path, words: list[str]) -> None:
    before = contents(folder)
    refused(impasto(*words), 2)
    assert contents(folder) == before


def test_a_device_that_is_not_here(impasto: Run, folder: Path) -> None:
    import onnxruntime
    import torch

    before = contents(folder)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        refused(impasto("stylize", "photo.jpg", "painting.png", "--device", "cuda"), 2, "--device cuda", "--device cpu")
    if not torch.cuda.is_available():
        refused(impasto("stylize", "photo.jpg", "painting.png", *GATYS, "--device", "cuda"), 2, "--device cuda", "cpu")
    assert contents(folder) == before


@pytest.mark.parametrize("damage", ["cut", "swapped", "missing", "folder"])
def test_bad_weights(impasto: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    entry = models.entry("vgg16")
    weights = tmp_path / "weights"
    weights.mkdir()
    if damage == "folder":
        (weights / entry.file).mkdir()
    elif damage != "missing":
        with (weights / entry.file).open("wb") as file:
            file.truncate(entry.bytes - (damage == "cut"))
    monkeypatch.setenv("IMPASTO_MODELS", str(weights))
    before = contents(folder)
    ran = impasto("stylize", "photo.jpg", "painting.png", "-m", "gatys", "--encoder", "vgg16", "--size", 64)
    refused(ran, 2, entry.file)
    assert contents(folder) == before


STYLES: dict[str, Callable[[dict[str, object]], object]] = {
    "text": lambda told: "hello",
    "a list": lambda told: [told],
    "too short": lambda told: told | {"code": [0.0] * 99},
    "words": lambda told: told | {"code": ["1"] * 100},
    "huge": lambda told: told | {"code": [1e300] * 100},
    "another version": lambda told: told | {"version": 99},
    "no network": lambda told: told | {"model": None},
    "no format": lambda told: {"code": [0.0] * 100},
}


@pytest.mark.parametrize("damage", STYLES)
def test_a_damaged_style_file(impasto: Run, folder: Path, damage: str) -> None:
    assert impasto("style", "encode", "painting.png").code == 0
    told = json.loads((folder / "painting.style").read_text())
    (folder / "painting.style").write_text(json.dumps(STYLES[damage](told)))
    before = contents(folder)
    refused(impasto("stylize", "photo.jpg", "painting.style"), 2, "painting.style", "impasto style encode")
    assert contents(folder) == before


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"{" * 70_000, b"[" * 5_000, b'{"format": "impasto style"'])
def test_a_style_file_of_rubbish(impasto: Run, folder: Path, data: bytes) -> None:
    (folder / "painting.style").write_bytes(data)
    refused(impasto("stylize", "photo.jpg", "painting.style"), 2, "painting.style")
    assert not (folder / "photo-painting.png").exists()


def test_a_style_file_is_for_methods_that_take_it(impasto: Run, folder: Path) -> None:
    assert impasto("style", "encode", "painting.png").code == 0
    before = contents(folder)
    refused(impasto("stylize", "photo.jpg", "painting.style", *GATYS), 2, "fast")
    assert contents(folder) == before


SETTINGS: dict[str, dict[str, object]] = {
    "content": {"content": 5},
    "styles": {"styles": "painting.png"},
    "a style": {"styles": [None]},
    "method": {"method": ["fast"]},
    "unknown method": {"method": "nope"},
    "options": {"options": [1]},
    "unknown option": {"options": {"nope": 1}},
    "bad option": {"options": {"strength": "much"}},
    "NaN": {"options": {"strength": float("nan")}},
    "stdin twice": {"content": "-", "styles": ["-"]},
}


@pytest.mark.parametrize("damage", SETTINGS)
def test_settings_that_somebody_wrote_by_hand(impasto: Run, folder: Path, damage: str) -> None:
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "a.png").code == 0
    painted = read(folder / "a.png")
    told = {**painted.settings, **SETTINGS[damage]}
    if damage == "NaN":  # our own writer refuses it
        info = PngImagePlugin.PngInfo()
        with Image.open("a.png") as opened:
            told_as = opened.info["XML:com.adobe.xmp"]
            info.add_itxt("XML:com.adobe.xmp", told_as.replace("strength&quot;:1.0", "strength&quot;:NaN"))
            opened.save("bad.png", pnginfo=info)
        assert b"NaN" in (folder / "bad.png").read_bytes()
    else:
        write(painted, folder / "bad.png", settings=told)
    before = contents(folder)
    refused(impasto("stylize", "--settings", "bad.png", "-o", "out.png"), 2)
    assert contents(folder) == before


@pytest.mark.parametrize("words", [["missing.jpg", "painting.png"], ["photo.jpg", "painting.png", "--strength", "nan"]])
def test_the_installed_command_refuses_as_well(command: Run, folder: Path, words: list[str]) -> None:
    before = contents(folder)
    refused(command("stylize", *words), 2)
    assert contents(folder) == before


def test_names_that_are_no_text(command: Run, folder: Path) -> None:
    """Bytes that are no UTF-8 come out as they went in."""
    name = b"caf\xe9.png"
    refused(command("stylize", name, "painting.png"), 2)
    Path(str(name, "utf-8", "surrogateescape")).write_bytes((folder / "painting.png").read_bytes())
    ran = command("stylize", "photo.jpg", name, PYTHONIOENCODING="utf-8:strict")
    assert ran.code == 0
    assert ran.out.startswith(b"photo-caf\xe9.png (")
