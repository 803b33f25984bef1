"""Colour profiles: what leaves `read` is sRGB."""

from __future__ import annotations

import io
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from impasto.image import read, write
from impasto.picture import Picture

from .builders import P3_PRIMARIES, chunk, cmyk_profile, grey_profile, png, rgb_profile, saved

# What a P3 colour is in sRGB, by the matrices of both standards and a gamma of 2.2 on the P3 side.
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])


def p3_in_srgb(rgb: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    light = np.clip(P3_TO_SRGB @ np.power(rgb, 2.2), 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4) - 0.055)


@pytest.mark.parametrize("rgb", [(1, 0, 0), (0, 1, 0), (1, 1, 1), (0.5, 0.5, 0.5), (0.8, 0.4, 0.2), (0.2, 0.6, 0.9)])
@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "deep"])
def test_display_p3(fmt: str, rgb: tuple[float, float, float]) -> None:
    if fmt == "deep":
        extra = chunk(b"iCCP", b"p\0\0" + zlib.compress(rgb_profile()))
        data = png((np.full((8, 8, 3), rgb) * 65535).astype(np.uint16), extra=extra)
    else:
        im = Image.new("RGB", (8, 8), tuple(round(v * 255) for v in rgb))
        options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}}
        data = saved(im, fmt, icc_profile=rgb_profile(), **options.get(fmt, {}))
    assert np.abs(read(data).pixels - p3_in_srgb(rgb)).max() < 0.02


def test_p3_red_is_clipped_srgb_red() -> None:
    data = saved(Image.new("RGB", (4, 4), (255, 0, 0)), "PNG", icc_profile=rgb_profile())
    assert read(data).pixels[0, 0].tolist() == [1, 0, 0]


def test_profile_survives_alpha_palette_and_pillow_images() -> None:
    rgba = Image.new("RGBA", (4, 4), (204, 102, 51, 128))
    got = read(saved(rgba, "PNG", icc_profile=rgb_profile()))
    assert got.alpha is not None and np.allclose(got.alpha, 128 / 255)
    assert np.abs(got.pixels - p3_in_srgb((0.8, 0.4, 0.2))).max() < 0.02
    palette = rgba.convert("RGB").quantize(2)
    got = read(saved(palette, "PNG", icc_profile=rgb_profile()))
    assert np.abs(got.pixels - p3_in_srgb((0.8, 0.4, 0.2))).max() < 0.02
    with Image.open(io.BytesIO(saved(rgba, "PNG", icc_profile=rgb_profile()))) as im:
        assert np.abs(read(im).pixels - p3_in_srgb((0.8, 0.4, 0.2))).max() < 0.02


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "TIFF"])
def test_grey_profile(fmt: str) -> None:
    data = saved(Image.new("L", (8, 8), 128), fmt, icc_profile=grey_profile(1.0))
    assert np.abs(read(data).pixels - 0.735).max() < 0.02  # half the light


def test_grey_file_with_a_colour_profile() -> None:
    data = saved(Image.new("L", (8, 8), 128), "PNG", icc_profile=rgb_profile())
    assert np.abs(read(data).pixels - p3_in_srgb((128 / 255,) * 3)).max() < 0.01
    assert np.ptp(read(data).pixels) < 0.01


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF"])
def test_cmyk_profile(fmt: str) -> None:
    """The profile's cyan is another colour than the naive 1 - ink, and paper stays white."""
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    options = {"quality": 100, "subsampling": 0} if fmt == "JPEG" else {}
    naive = read(saved(inks, fmt, **options)).pixels[8, 8]
    managed = read(saved(inks, fmt, icc_profile=cmyk_profile(), **options)).pixels[8, 8]
    assert np.abs(naive - (0, 1, 1)).max() < 0.02
    assert managed[0] < 0.1 and 0.6 < managed[1] < 0.8 and managed[2] > 0.9  # Lab 70 -60 -60, clipped
    paper = read(saved(Image.new("CMYK", (16, 16)), fmt, icc_profile=cmyk_profile(), **options)).pixels
    assert paper.min() > 0.97


def test_profiles_of_another_kind_are_ignored() -> None:
    grey = saved(Image.new("RGB", (4, 4), (10, 200, 30)), "PNG", icc_profile=grey_profile(1.0))
    assert np.allclose(read(grey).pixels[0, 0] * 255, (10, 200, 30))
    inks = saved(Image.new("L", (4, 4), 77), "PNG", icc_profile=cmyk_profile())
    assert np.allclose(read(inks).pixels * 255, 77)


def test_srgb_by_any_maker_changes_nothing(rng: np.random.Generator) -> None:
    """A profile that is sRGB but for a rounding must not move 8-bit values."""
    from .builders import parametric_curve

    primaries = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
    curve = parametric_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    values = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    data = saved(Image.fromarray(values), "PNG", icc_profile=rgb_profile(primaries, curve))
    assert np.array_equal(np.rint(read(data).pixels * 255), values)
    assert primaries != P3_PRIMARIES


@pytest.mark.parametrize("fmt", ["png", "jpeg", "webp", "avif", "tiff"])
@pytest.mark.parametrize("bits", [8, 16])
def test_written_files_carry_srgb(fmt: str, bits: int, picture: Picture) -> None:
    out = io.BytesIO()
    write(Picture(picture.pixels, bit_depth=bits), out, format=fmt)
    with Image.open(io.BytesIO(out.getvalue())) as im:
        profile = im.info["icc_profile"]
    assert profile[16:20] == b"RGB " and b"s\0R\0G\0B" in profile
