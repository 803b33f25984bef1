"""Files are whole, hold what the picture knew, and never take another's place unasked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image

from impasto.errors import PictureError
from impasto.image import check_target, encoding, metadata, read, write
from impasto.picture import Picture

from .builders import exif_block, one_line_error

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")
CLOSE = {".jpg": 0.04, ".jpeg": 0.04, ".webp": 0.08, ".avif": 0.04}
SETTINGS = {
    "method": "gatys",
    "strength": 0.5,
    "blend": [2, 1],
    "size": None,
    "name": 'Öl & "<tags>" 絵 \u0001',
    "on": True,
}


def encoded(picture: Picture, fmt: str, **options: Any) -> bytes:
    out = io.BytesIO()
    write(picture, out, format=fmt, **options)
    return out.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(suffix: str, picture: Picture, tmp_path: Path) -> None:
    path = tmp_path / f"Öl auf 絵{suffix.upper()}"
    write(picture, path)
    got = read(path)
    assert np.abs(got.pixels - picture.pixels).max() <= CLOSE.get(suffix, 1e-6)
    assert got.alpha is None and got.bit_depth == 8
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("shape", [(1, 1), (31, 17), (200, 3000)])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_odd_sizes(shape: tuple[int, int], suffix: str) -> None:
    pixels = np.full((*shape, 3), 0.5, np.float32)
    assert read(encoded(Picture(pixels), suffix)).pixels.shape == pixels.shape


@pytest.mark.parametrize("fmt", ["png", "webp", "avif", "tiff", "jpeg", "bmp"])
def test_alpha(fmt: str, picture: Picture, cover: npt.NDArray[np.float32]) -> None:
    got = read(encoded(Picture(picture.pixels, alpha=cover), fmt, quality=100))
    if fmt in ("jpeg", "bmp"):
        white = picture.pixels * cover[..., None] + 1 - cover[..., None]
        assert got.alpha is None
        assert np.abs(got.pixels - white).max() < 0.03
    else:
        assert got.alpha is not None
        assert np.abs(got.alpha - cover).max() < 0.02
        assert np.abs(got.pixels - picture.pixels).max() < 0.08


@pytest.mark.parametrize("fmt", ["png", "jpeg", "webp", "avif", "tiff"])
@pytest.mark.parametrize("bits", [8, 16])
def test_exif_and_settings_come_back(fmt: str, bits: int, picture: Picture) -> None:
    source = Picture(picture.pixels, exif=exif_block(1), bit_depth=bits)
    got = read(encoded(source, fmt, settings=SETTINGS))
    assert got.settings == SETTINGS
    exif = Image.Exif()
    exif.load(got.exif or b"")
    assert exif[0x010F] == "Camera"
    assert exif.get(0x0112, 1) == 1
    again = read(encoded(got, fmt))
    assert again.settings == SETTINGS
    assert read(encoded(got, fmt, settings={})).settings == {}
    assert read(encoded(got, "bmp")).settings == {}


def test_exif_of_a_photo_with_places_and_dates(picture: Picture) -> None:
    block = Image.Exif()
    block[0x010F] = "Camera"
    block[0x8769] = {0x9003: "2024:05:06 07:08:09", 0x829A: 0.01}
    block[0x8825] = {1: "N", 2: (48.0, 12.0, 30.0)}
    for fmt in ("jpeg", "png", "tiff", "webp", "avif"):
        got = read(encoded(Picture(picture.pixels, exif=block.tobytes()), fmt))
        exif = Image.Exif()
        exif.load(got.exif or b"")
        assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert exif.get_ifd(0x8825)[2] == (48.0, 12.0, 30.0)


@pytest.mark.parametrize("fmt", ["png", "jpeg", "webp", "avif", "tiff"])
def test_exif_that_cannot_be_kept_stops_nothing(fmt: str, picture: Picture) -> None:
    for block in (b"Exif\0\0nonsense!", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", exif_block(1, make="x" * 70_000)):
        assert read(encoded(Picture(picture.pixels, exif=block), fmt)).size == picture.size


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@examples(max_examples=150)
@given(values=st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_any_settings_come_back(values: dict[str, Any]) -> None:
    packet = metadata.pack_settings(values)
    assert metadata.unpack_settings(packet) == values
    assert packet is None or all(byte >= 32 for byte in packet)


@pytest.mark.parametrize("values", [{"a": float("nan")}, {"a": object()}, {"a": "x" * 60_000}, {"a": b"bytes"}])
def test_settings_that_are_refused(values: dict[str, Any], picture: Picture) -> None:
    with pytest.raises(PictureError) as caught:
        encoded(picture, "png", settings=values)
    one_line_error(caught.value, "settings", "mend: ")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[1]", b"NaN", b"{&quot;a&quot;:NaN}", b"\xff\xfe", b"[" * 40_000, b'"' + b"x" * 60_000 + b'"',
        b"{&quot;a&quot;:" + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_settings_of_a_file_are_not_trusted(body: bytes) -> None:
    assert metadata.unpack_settings(b"<impasto:settings>" + body + b"</impasto:settings>") == {}


def test_settings_after_another_program_rewrote_them() -> None:
    as_attribute = b"<rdf:Description impasto:settings='' impasto:settings=\"{&quot;a&quot;:1}\"/>"
    assert metadata.unpack_settings(as_attribute) == {"a": 1}
    assert metadata.unpack_settings(as_attribute.decode()) == {"a": 1}
    assert metadata.unpack_settings(None) == metadata.unpack_settings(b"x" * (2 << 20)) == {}


def test_settings_are_json_inside_xmp(picture: Picture) -> None:
    """Any tool that shows XMP shows them."""
    with Image.open(io.BytesIO(encoded(picture, "png", settings={"a": 1}))) as im:
        xmp = im.info["xmp"].decode()
    body = xmp.split("<impasto:settings>")[1].split("<")[0]
    assert json.loads(body.replace("&quot;", '"')) == {"a": 1}


def test_rounding_is_to_the_nearest(rng: np.random.Generator) -> None:
    steps = np.arange(256, dtype=np.float32)
    pixels = np.stack([steps, steps + np.float32(0.49), np.maximum(steps - np.float32(0.49), 0)], -1)[
        None
    ] / np.float32(255)
    got = encoding.samples(Picture(pixels))
    assert (
        np.array_equal(got[0, :, 0], steps)
        and np.array_equal(got[0, :, 1], steps)
        and np.array_equal(got[0, :, 2], steps)
    )
    over = np.array([[[-0.5, 1.5, 1e9]]], np.float32)
    assert encoding.samples(Picture(over)).tolist() == [[[0, 255, 255]]]
    assert encoding.samples(Picture(over), deep=True).tolist() == [[[0, 65535, 65535]]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_not_written(bad: float, picture: Picture, tmp_path: Path) -> None:
    pixels = picture.pixels.copy()
    pixels[3, 3, 1] = bad
    with pytest.raises(PictureError, match="NaN or infinity"):
        write(Picture(pixels), tmp_path / "a.png")
    alpha = np.full(pixels.shape[:2], bad, np.float32)
    with pytest.raises(PictureError, match="NaN or infinity"):
        write(Picture(picture.pixels, alpha=alpha), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_equal_pictures_make_equal_files(picture: Picture) -> None:
    for fmt in ("png", "jpeg", "webp", "tiff"):
        assert encoded(picture, fmt, settings=SETTINGS) == encoded(picture, fmt, settings=SETTINGS)


def test_jpeg_keeps_full_chroma_and_quality_counts(picture: Picture, rng: np.random.Generator) -> None:
    noise = Picture(rng.random((64, 64, 3), np.float32))
    with Image.open(io.BytesIO(encoded(picture, "jpeg"))) as im:
        assert {component[1:3] for component in im.layer} == {(1, 1)}  # type: ignore[attr-defined]
    for fmt in ("jpeg", "webp", "avif"):
        assert len(encoded(noise, fmt, quality=30)) < len(encoded(noise, fmt, quality=95))
    for quality in (0, 101, 50.5, True, "90"):
        with pytest.raises(PictureError, match="quality"):
            encoded(picture, "jpeg", quality=quality)


def test_formats_that_cannot_hold_the_size(tmp_path: Path) -> None:
    for suffix, longest in ((".webp", 16_383), (".jpg", 65_500), (".avif", 65_536)):
        wide = Picture(np.zeros((1, longest + 1, 3), np.float32))
        with pytest.raises(PictureError) as caught:
            write(wide, tmp_path / f"a{suffix}")
        one_line_error(caught.value, str(longest), "mend: write PNG")
        with pytest.raises(PictureError, match=str(longest)):
            check_target(tmp_path / f"a{suffix}", size=wide.size)
        check_target(tmp_path / f"a{suffix}", size=(longest, 1))


def test_format_by_name(picture: Picture, tmp_path: Path) -> None:
    for name in ("png", "PNG", ".png"):
        assert encoded(picture, name)[1:4] == b"PNG"
    write(picture, tmp_path / "odd.name", format="webp")
    assert (tmp_path / "odd.name").read_bytes()[8:12] == b"WEBP"
    out = io.BytesIO()
    write(picture, out)
    assert out.getvalue()[1:4] == b"PNG"
    with pytest.raises(PictureError, match="choose one of: png, jpg"):
        encoded(picture, "gif")


def test_file_objects_that_fail(picture: Picture, tmp_path: Path) -> None:
    text: Any = io.StringIO()
    closed = io.BytesIO()
    closed.close()
    for file in (text, closed):
        with pytest.raises(PictureError) as caught:
            write(picture, file)
        one_line_error(caught.value, "file object", "mend: ")
