"""Headers that claim too much are refused before anything is decoded, and damage is told in one line."""

from __future__ import annotations

import io
import os
import re
import resource
import struct
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from impasto.errors import ImpastoError, LimitError, OptionError, PictureError
from impasto.image import read, reading
from impasto.image.limits import MAX_PIXELS, pixel_limit
from impasto.picture import Picture

from .builders import one_line_error, png, rgb_profile, saved, tiff

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")


def bomb(fmt: str, width: int, height: int) -> bytes:
    """A small file of a few real pixels whose header claims very many."""
    if fmt == "PNG":
        return png(np.zeros((8, 8, 3), np.uint8), claims=(width, height))
    if fmt == "deep PNG":
        return png(np.zeros((8, 8, 3), np.uint16), claims=(width, height))
    data = bytearray(saved(Image.new("RGB", (8, 8)), fmt))
    if fmt == "JPEG":
        at = data.index(b"\xff\xc0")
        struct.pack_into(">HH", data, at + 5, height, width)
    elif fmt == "GIF":
        struct.pack_into("<HH", data, 6, width, height)
    elif fmt == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    elif fmt == "WEBP":
        struct.pack_into("<HH", data, 26, width & 0x3FFF, height & 0x3FFF)
    elif fmt == "AVIF":
        at = data.index(b"ispe")
        struct.pack_into(">II", data, at + 8, width, height)
    else:
        (start,) = struct.unpack_from("<I", data, 4)
        for entry in range(start + 2, start + 2 + 24, 12):
            struct.pack_into("<HII", data, entry + 2, 4, 1, width if data[entry] == 0 else height)
    return bytes(data)


@pytest.mark.parametrize("fmt", [*FORMATS, "deep PNG"])
def test_bombs(fmt: str, tmp_path: Path) -> None:
    width, height = (16000, 16000) if fmt in ("WEBP", "AVIF") else (30000, 30000)
    data = bomb(fmt, width, height)
    assert len(data) < 10_000
    path = tmp_path / "bomb.jpg"
    path.write_bytes(data)
    for source in (data, path):
        started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(LimitError) as caught:
            read(source)
        assert time.perf_counter() - started < 60
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 100_000
        one_line_error(
            caught.value,
            f"{width}x{height}",
            "the limit is 100 MPx",
            f"mend: make it smaller, or set IMPASTO_MAX_PIXELS={width * height}",
        )
        assert caught.value.exit_code == 3
    assert "bomb.jpg" in str(caught.value)


def test_gif_whose_frame_is_larger_than_its_screen() -> None:
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    at = data.index(b",", 13)
    for size in (10_500, 60_000):  # the one Pillow warns about, the other it refuses
        struct.pack_into("<HH", data, at + 5, size, size)
        with pytest.raises(LimitError, match=f"{size}x{size}"):
            read(bytes(data))


def test_limit_by_argument_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.new("RGB", (20, 10)), "PNG")
    assert read(data, max_pixels=200).size == (20, 10)
    with pytest.raises(LimitError, match="20x10"):
        read(data, max_pixels=199)
    monkeypatch.setenv("IMPASTO_MAX_PIXELS", "199")
    with pytest.raises(LimitError, match="IMPASTO_MAX_PIXELS=200"):
        read(data)
    with Image.open(io.BytesIO(data)) as im, pytest.raises(LimitError):
        read(im)
    assert read(data, max_pixels=200).size == (20, 10)
    monkeypatch.setenv("IMPASTO_MAX_PIXELS", " ")
    assert pixel_limit() == MAX_PIXELS


@pytest.mark.parametrize("text", ["many", "0", "-5", "1e8", "1.5", "100_000", "٣", "9" * 30])
def test_limit_in_the_environment_is_checked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_MAX_PIXELS", text)
    with pytest.raises(OptionError, match="IMPASTO_MAX_PIXELS"):
        read(b"")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "7"])
def test_limit_as_argument_is_checked(value: Any) -> None:
    with pytest.raises(OptionError, match="max_pixels"):
        read(b"", max_pixels=value)


def test_raised_limit_is_not_stopped_by_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own guard would warn, or refuse, above another number."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for fmt in FORMATS:
            assert read(saved(Image.new("RGB", (20, 10)), fmt)).size == (20, 10)


BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"dear diary, this is no picture at all\n" * 9, "it is text"),
    "a page": (b"\n<!DOCTYPE html><html><body>404</body></html>", "it is a web page"),
    "svg": (b'<?xml version="1.0"?><svg xmlns="x"></svg>', "it is SVG"),
    "pdf": (b"%PDF-1.7\n", "it is a PDF"),
    "psd": (b"8BPS\0\1" + bytes(50), "it is a Photoshop file"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "it is JPEG 2000"),
    "jpeg xl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "it is JPEG XL"),
    "icon": (saved(Image.new("RGB", (16, 16)), "ICO"), "it is an icon"),
    "ppm": (saved(Image.new("RGB", (16, 16)), "PPM"), "it is PNM"),
    "film": (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(50), "it is a video"),
    "raw": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(50), "it is Canon raw"),
    "noise": (bytes(range(200, 256)) * 3, "of no picture that is known"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "dng": (tiff(np.zeros((4, 4, 3), np.uint8), tags={254: 1, 330: 8}), "camera's raw file"),
    "no width": (png(np.zeros((4, 4, 3), np.uint8), claims=(0, 4)), ""),
    "no height": (bomb("BMP", 5, 0), ""),
    "cut signature": (b"\x89PNG\r\n\x1a\n", ""),
    "riff": (b"RIFF\x10\0\0\0WEBP", ""),
}


@pytest.mark.parametrize("kind", BYTES)
def test_what_is_no_picture(kind: str, tmp_path: Path) -> None:
    data, words = BYTES[kind]
    path = tmp_path / f"{kind}.png"
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        read(path)
    one_line_error(caught.value, str(path), words, "mend: ")
    assert caught.value.exit_code == 2
    for source in (data, io.BytesIO(data)):
        with pytest.raises(PictureError) as caught:
            read(source)
        one_line_error(caught.value, words, "mend: ")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing/a.png", "does not exist"), ("", "is empty"), (".", "is a folder"), ("a\0b.png", "cannot be opened"),
        ("line\nbreak.png", "line break.png does not exist"), ("x" * 300, "cannot be opened"),
        ("file.png/a.png", "cannot be opened"), (Path("/dev/null"), "is empty"), (Path("/dev/zero"), "no picture"),
        (Path("/proc/self/mem"), "mend: "),
    ],
)  # fmt: skip
def test_wrong_paths(path: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.png").write_bytes(b"x")
    with pytest.raises(PictureError) as caught:
        read(path)
    one_line_error(caught.value, words, "mend: ")


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: str = "r") -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match=r"may not be read \(permission denied\); mend: change its permissions"):
        read(tmp_path / "a.png")
    with pytest.raises(PictureError, match="is a folder"):  # as Windows answers for one
        read(tmp_path)


@pytest.mark.parametrize("source", [3, None, [1], object(), io.StringIO("text" * 100)])
def test_wrong_sources(source: Any) -> None:
    with pytest.raises(PictureError) as caught:
        read(source)
    one_line_error(caught.value, "mend: ")


def test_file_objects_that_fail_or_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"\xff\xd8\xff" + bytes(size - 3)

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(reading, "MAX_STREAM_BYTES", 5 << 20)
    endless: Any = Endless()
    broken: Any = Broken()
    with pytest.raises(LimitError, match="longer than 5 MiB"):
        read(endless)
    with pytest.raises(PictureError, match="Input/output error"):
        read(broken)


def test_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Image.Image) -> None:
        raise MemoryError

    data = saved(Image.new("RGB", (8, 8)), "PNG")
    monkeypatch.setattr(Image.Image, "load", refuse)
    with pytest.raises(LimitError, match="does not fit into memory; mend: make it smaller"):
        read(data)


@pytest.fixture(scope="module")
def whole() -> dict[str, tuple[bytes, Picture]]:
    y, x = np.mgrid[0:40, 0:56]
    rgb = np.stack([x * 4, y * 6, (x * y) % 256], -1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    files = {f: saved(Image.fromarray(rgb), f) for f in FORMATS}
    files["progressive"] = saved(Image.fromarray(rgb), "JPEG", progressive=True, exif=exif, icc_profile=rgb_profile())
    files["deep"] = png(rgb.astype(np.uint16) * 257)
    files["interlaced"] = png(rgb, interlaced=True)
    files["deep TIFF"] = tiff(rgb.astype(np.uint16) * 257, compression=8, predictor=2)
    files["LZW"] = saved(Image.fromarray(rgb), "TIFF", compression="tiff_lzw")
    files["palette"] = saved(Image.fromarray(rgb).quantize(64), "PNG")
    files["lossless"] = saved(Image.fromarray(rgb), "WEBP", lossless=True, exif=exif, icc_profile=rgb_profile())
    return {name: (data, read(data)) for name, data in files.items()}


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cut_short(whole: dict[str, tuple[bytes, Picture]], data: st.DataObject) -> None:
    """A file cut anywhere is refused; or only its ending was cut, and every pixel is there. Never a half-grey one."""
    name = data.draw(st.sampled_from(sorted(whole)))
    content, expected = whole[name]
    end = data.draw(st.integers(0, len(content) - 1))
    try:
        got = read(content[:end])
    except ImpastoError as error:
        one_line_error(error)
    else:
        assert np.array_equal(got.pixels, expected.pixels), (name, end, len(content))


@pytest.mark.parametrize("name", [*FORMATS, "progressive", "deep", "interlaced", "deep TIFF", "palette", "lossless"])
def test_cut_in_the_middle_is_refused(name: str, whole: dict[str, tuple[bytes, Picture]], tmp_path: Path) -> None:
    content = whole[name][0]
    for share in (0.3, 0.6, 0.9):
        path = tmp_path / "cut.jpg"
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(PictureError) as caught:
            read(path)
        one_line_error(caught.value, str(path), "mend: ")


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged(whole: dict[str, tuple[bytes, Picture]], data: st.DataObject) -> None:
    """Bytes changed anywhere give a picture or one of our errors, and no warning."""
    content = bytearray(whole[data.draw(st.sampled_from(sorted(whole)))][0])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = read(bytes(content), max_pixels=1_000_000)
    except ImpastoError as error:
        one_line_error(error)
    else:
        assert np.isfinite(got.pixels).all() and got.pixels.min() >= 0 and got.pixels.max() <= 1


@settings(max_examples=300)
@given(
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF89a", b"II*\0", b"MM\0*", b"MM\0+"]),
    rest=st.binary(max_size=300),
)
def test_noise(start: bytes, rest: bytes) -> None:
    try:
        read(start + rest, max_pixels=1_000_000)
    except ImpastoError as error:
        one_line_error(error)


def test_no_message_shows_an_address_or_a_class() -> None:
    for data in (b"\xff\xd8\xff" + bytes(80), b"II*\0" + bytes(80), b"BM" + bytes(80), b"GIF89a"):
        with pytest.raises(PictureError) as caught:
            read(data)
        assert not re.search(r"<|>|\bobject at\b|Error", str(caught.value))


def test_reading_does_not_import_torch(picture: Picture, smooth: npt.NDArray[np.uint8]) -> None:
    import subprocess

    code = "import sys, impasto.image; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "False"
