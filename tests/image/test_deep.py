"""16 bits stay 16 bits, through every layout."""

from __future__ import annotations

import io
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from impasto.errors import PictureError
from impasto.image import png16, read, write
from impasto.image.icc import shaper_of
from impasto.picture import Picture

from .builders import (
    chunk,
    gamma_curve,
    grey_profile,
    one_line_error,
    parametric_curve,
    png,
    rgb_profile,
    saved,
    tiff,
)


def words(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.rint(pixels * np.float32(65535))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (31, 17), (3, 300)])
def test_png(channels: int, interlaced: bool, shape: tuple[int, int], rng: np.random.Generator) -> None:
    values = rng.integers(1, 65536, (*shape, channels)).astype(np.uint16)
    got = read(png(values, interlaced=interlaced))
    assert got.bit_depth == 16
    colour = values[..., :3] if channels >= 3 else np.repeat(values[..., :1], 3, axis=2)
    assert np.array_equal(words(got.pixels), colour)
    if channels in (2, 4):
        assert got.alpha is not None
        assert np.array_equal(words(got.alpha), values[..., -1])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 5, 8])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("extra", [None, 0, 1, 2])
def test_tiff(
    order: str, compression: int, predictor: int, tile: int, extra: int | None, rng: np.random.Generator
) -> None:
    if predictor == 2 and compression == 1:
        predictor = 1  # there is no such file
    alpha = rng.integers(20000, 65536, (20, 19, 1)).astype(np.uint16)
    values = rng.integers(0, 20000, (20, 19, 3)).astype(np.uint16)
    if extra is not None:
        values = np.concatenate([values, alpha], axis=2)
    data = tiff(values, order=order, compression=compression, predictor=predictor, tile=tile, extra_samples=extra)
    got = read(data)
    assert got.bit_depth == 16
    colour = values[..., :3]
    if extra == 1:  # premultiplied
        assert np.abs(words(got.pixels) - colour * (65535 / alpha)).max() <= 0.51
    else:
        assert np.array_equal(words(got.pixels), colour)
    assert (got.alpha is None) == (extra in (None, 0))
    if got.alpha is not None:
        assert np.array_equal(words(got.alpha), alpha[..., 0])


@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_tiff(order: str, rng: np.random.Generator) -> None:
    values = rng.integers(0, 65536, (9, 7, 1)).astype(np.uint16)
    got = read(tiff(values, order=order, photometric=1))
    assert got.bit_depth == 16
    assert np.array_equal(words(got.pixels[..., 0]), values[..., 0])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
def test_planes_apart_are_read_at_eight_bits(order: str, compression: int, rng: np.random.Generator) -> None:
    values = rng.integers(0, 65536, (9, 7, 3)).astype(np.uint16)
    got = read(tiff(values, order=order, compression=compression, planar=2))
    assert got.bit_depth == 8
    assert np.array_equal(np.rint(got.pixels * 255), values >> 8)


def test_orientation_of_deep_files(rng: np.random.Generator) -> None:
    values = rng.integers(0, 65536, (4, 6, 3)).astype(np.uint16)
    assert np.array_equal(words(read(tiff(values, tags={274: 6})).pixels), np.rot90(values, -1))
    exif = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    assert np.array_equal(words(read(png(values, extra=chunk(b"eXIf", exif))).pixels), np.rot90(values, -1))


def test_kinds_of_tiff_that_are_refused_say_so() -> None:
    floats = np.zeros((4, 4, 3), np.float32)
    for data in (tiff(floats), tiff(np.zeros((4, 4, 2), np.uint16), photometric=1, extra_samples=2)):
        with pytest.raises(PictureError) as caught:
            read(data)
        one_line_error(caught.value, "mend: save it as PNG")
    with pytest.raises(PictureError, match="32-bit whole numbers"):
        read(saved(Image.fromarray(np.zeros((4, 4), np.int32)), "TIFF"))


@pytest.mark.parametrize("fmt", ["png", "tiff"])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (31, 17), (300, 5), (2, 900)])
def test_round_trip(fmt: str, with_alpha: bool, shape: tuple[int, int], rng: np.random.Generator) -> None:
    values = rng.integers(1, 65536, (*shape, 4 if with_alpha else 3)).astype(np.uint16)
    out = io.BytesIO()
    write(read(values), out, format=fmt)
    again = read(out.getvalue())
    assert again.bit_depth == 16
    assert np.array_equal(words(again.pixels), values[..., :3])
    if with_alpha:
        assert again.alpha is not None
        assert np.array_equal(words(again.alpha), values[..., 3])
    with Image.open(io.BytesIO(out.getvalue())) as im:  # and others can read it
        assert np.array_equal(np.asarray(im), values >> 8)


def test_filter_shrinks_a_gradient() -> None:
    y, x = np.mgrid[0:300, 0:300]
    values = np.stack([x * 200, y * 200, (x + y) * 100], -1).astype(np.uint16)
    data = png16.encode(values)
    assert len(data) < values.nbytes / 50
    assert np.array_equal(words(read(data).pixels), values)


def test_eight_bit_formats_take_a_deep_picture(rng: np.random.Generator) -> None:
    deep = Picture(rng.random((8, 8, 3), np.float32), bit_depth=16)
    for fmt in ("jpeg", "webp", "avif", "bmp"):
        out = io.BytesIO()
        write(deep, out, format=fmt)
        assert read(out.getvalue()).bit_depth == 8


def test_deep_profile_keeps_its_depth() -> None:
    """A ramp of 4096 greys in Display P3 keeps them all apart, and a P3 red leaves sRGB's gamut."""
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
    ramp[0, -1] = (65535, 0, 0)
    extra = chunk(b"iCCP", b"p\0\0" + zlib.compress(rgb_profile()))
    got = read(png(ramp, extra=extra))
    assert got.bit_depth == 16
    assert got.pixels[0, -1].tolist() == [1, 0, 0]
    light = (ramp[0, :-1, 0] / 65535) ** 2.2
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(got.pixels[0, :-1] - expected[:, None]).max() < 2e-3
    assert len(np.unique(got.pixels[0, 100:-1, 0])) == 4095 - 100


def test_deep_grey_profile() -> None:
    ramp = np.arange(0, 65536, 64, dtype=np.uint16)[None, :, None]
    extra = chunk(b"iCCP", b"p\0\0" + zlib.compress(grey_profile(1.0)))
    got = read(png(ramp, extra=extra))
    light = ramp[0, :, 0] / 65535
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert got.bit_depth == 16
    assert np.abs(got.pixels[0, :, 0] - expected).max() < 1e-3


SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@pytest.mark.parametrize(
    ("curve", "formula"),
    [
        (gamma_curve(1.8), lambda x: x**1.8),
        (b"curv\0\0\0\0\0\0\0\0", lambda x: x),
        (b"curv\0\0\0\0\0\0\0\3\0\0\x40\0\xff\xff", lambda x: np.interp(x, [0, 0.5, 1], [0, 0.25, 1])),
        (parametric_curve(0, 2.0), lambda x: x**2),
        (parametric_curve(1, 2.0, 0.5, -0.1), lambda x: np.where(x >= 0.2, (0.5 * x - 0.1) ** 2, 0)),
        (parametric_curve(2, 2.0, 0.5, -0.1, 0.3), lambda x: np.where(x >= 0.2, (0.5 * x - 0.1) ** 2 + 0.3, 0.3)),
        (parametric_curve(3, *SRGB), lambda x: np.where(x < 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)),
        (
            parametric_curve(4, 2.0, 0.8, 0.1, 0.2, 0.3, 0.05, 0.02),
            lambda x: np.where(x >= 0.3, (0.8 * x + 0.1) ** 2 + 0.05, 0.2 * x + 0.02),
        ),
    ],
)
def test_curves_of_profiles(curve: bytes, formula: object) -> None:
    shaper = shaper_of(rgb_profile(curve=curve))
    assert shaper is not None and callable(formula)
    x = np.linspace(0, 1, 4096)
    assert np.abs(shaper.curves[1] - formula(x)).max() < 2e-4


@pytest.mark.parametrize(
    "bad", [b"para\0\0\0\0\0\x09\0\0", b"curv\0\0\0\0\xff\xff\xff\xff", b"odd \0\0\0\0", b"", b"curv"]
)
def test_broken_curves_are_no_profile(bad: bytes) -> None:
    assert shaper_of(rgb_profile(curve=bad or b"x")) is None
