"""Every fmt in every mode becomes the right pixels."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from impasto.errors import MissingExtraError, PictureError
from impasto.image import pillow, read
from impasto.picture import Picture

from .builders import chunk, exif_block, one_line_error, png, rgb_profile, saved, tiff

LOSSY = {"JPEG": 0.04, "WEBP": 0.08, "AVIF": 0.04}
MATRIX = [
    *(("PNG", m) for m in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(("TIFF", m) for m in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB", "YCbCr")),
    *(("JPEG", m) for m in ("L", "RGB", "CMYK")),
    *(("WEBP", m) for m in ("RGB", "RGBA")),
    *(("AVIF", m) for m in ("L", "RGB", "RGBA")),
    *(("BMP", m) for m in ("1", "L", "P", "RGB")),
    *(("GIF", m) for m in ("1", "L", "P")),
]


def in_mode(smooth: npt.NDArray[np.uint8], mode: str) -> Image.Image:
    rgb = Image.fromarray(smooth)
    if mode == "I;16":
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.float32) / 255)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(rgb, ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
        assert converted is not None
        return converted
    if mode == "P":
        return rgb.quantize(64)
    if mode in ("LA", "RGBA"):
        im = rgb.convert(mode)
        im.putalpha(Image.fromarray(np.tile(np.linspace(40, 255, 40, dtype=np.uint8), (24, 1))))
        return im
    return rgb.convert(mode)


@pytest.mark.parametrize(("fmt", "mode"), MATRIX)
def test_format_and_mode(fmt: str, mode: str, smooth: npt.NDArray[np.uint8]) -> None:
    im = in_mode(smooth, mode)
    options = {"quality": 95} if fmt in LOSSY else {}
    got = read(saved(im, fmt, **options))
    grey = mode in ("I;16", "F")
    expected = np.asarray((in_mode(smooth, "L") if grey else im).convert("RGB"), np.float32) / 255
    if mode == "LAB":
        expected = smooth.astype(np.float32) / 255
    slack = LOSSY.get(fmt, 0.15 if mode == "LAB" else 1e-6)  # 8-bit Lab is coarse among saturated blues
    assert got.size == (40, 24)
    assert got.pixels.dtype == np.float32 and got.pixels.flags.c_contiguous
    assert np.abs(got.pixels - expected).max() <= slack
    assert got.bit_depth == (16 if grey else 8)
    if mode in ("LA", "RGBA"):
        assert got.alpha is not None
        alpha = np.asarray(im.getchannel("A"), np.float32) / 255
        assert np.abs(got.alpha - alpha).max() <= (0.02 if fmt == "AVIF" else 1e-6)
    else:
        assert got.alpha is None


@pytest.mark.parametrize("shape", [(1, 1), (31, 17), (200, 3000), (1, 9), (9, 1)])
@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_odd_sizes(fmt: str, shape: tuple[int, int]) -> None:
    assert read(saved(Image.new("RGB", shape[::-1], (200, 100, 50)), fmt)).pixels.shape == (*shape, 3)


@pytest.mark.parametrize("name", ["with space.png", "Öl auf Leinwand 絵.png", "no_suffix", "lies.jpg", "'q\".png"])
def test_names_do_not_matter(name: str, tmp_path: Path, smooth: npt.NDArray[np.uint8]) -> None:
    path = tmp_path / name
    path.write_bytes(saved(Image.fromarray(smooth), "PNG"))
    for source in (path, str(path)):
        got = read(source)
        assert got.path == path
        assert np.array_equal(got.pixels, smooth.astype(np.float32) / np.float32(255))


def test_every_kind_of_source(tmp_path: Path, smooth: npt.NDArray[np.uint8]) -> None:
    data = saved(Image.fromarray(smooth), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    expected = smooth.astype(np.float32) / np.float32(255)
    with path.open("rb") as file:
        from_file = read(file)
    sources: list[Any] = [data, bytearray(data), memoryview(data), io.BytesIO(data), Image.open(path), smooth]
    for got in [from_file, *map(read, sources)]:
        assert np.array_equal(got.pixels, expected)
        assert got.path is None
    assert read(from_file) is from_file


def test_pipe(tmp_path: Path, smooth: npt.NDArray[np.uint8]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = saved(Image.fromarray(smooth), "PNG")
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    got = read(pipe)
    writer.join()
    assert got.size == (40, 24)


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64, np.float16, ">u2"])
def test_arrays(channels: int, kind: Any, rng: np.random.Generator) -> None:
    shape = (5, 7, channels) if channels else (5, 7)
    full = {"u1": 255, "u2": 65535}.get(np.dtype(kind).str[1:], 1)
    values = ((0.1 + 0.9 * rng.random(shape)) * full).astype(kind)
    got = read(values)
    shares = values.astype(np.float32) / np.float32(full)
    colour = shares.reshape(5, 7, -1)
    assert np.array_equal(got.pixels, np.broadcast_to(colour[..., :3] if channels >= 3 else colour[..., :1], (5, 7, 3)))
    assert (got.alpha is not None) == (channels in (2, 4))
    if got.alpha is not None:
        assert np.array_equal(got.alpha, shares[..., -1])
    assert got.bit_depth == (16 if full == 65535 else 8)
    assert not np.shares_memory(got.pixels, values)


@pytest.mark.parametrize(
    "values",
    [
        np.full((2, 2, 3), np.nan, np.float32), np.full((2, 2, 3), np.inf), np.full((2, 2), 255.0),
        np.full((2, 2), -1.0), np.zeros((2, 2), np.int64), np.zeros((2, 2, 5), np.uint8), np.zeros((0, 2), np.uint8),
        np.zeros(3, np.uint8), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((2, 2), bool),
        np.full((2, 2), "x"), np.zeros((2, 2), complex),
    ],
)  # fmt: skip
def test_wrong_arrays(values: Any) -> None:
    with pytest.raises(PictureError) as caught:
        read(values)
    one_line_error(caught.value, "mend: ")


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_pillow_images_of_every_mode(mode: str, smooth: npt.NDArray[np.uint8]) -> None:
    route = {"PA": "P", "La": "LA", "RGBa": "RGBA"}.get(mode)
    im = Image.fromarray(smooth).convert(route or mode)
    expected = np.asarray(im.convert("RGBA").convert("RGB"), np.float32) / 255
    im = im.convert(mode) if route else im
    before = im.tobytes()
    got = read(im)
    assert np.abs(got.pixels - expected).max() < 1e-6
    assert im.tobytes() == before and im.mode == mode


def test_pillow_whole_numbers(rng: np.random.Generator) -> None:
    values = rng.integers(0, 65536, (4, 5))
    for im in (Image.fromarray(values.astype(np.int32)), Image.fromarray(values.astype(np.uint16))):
        got = read(im)
        assert got.bit_depth == 16
        assert np.array_equal(np.rint(got.pixels[..., 0] * 65535), values)


def test_gif_gives_its_first_frame() -> None:
    first, second = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    for fmt in ("GIF", "PNG", "WEBP"):
        got = read(saved(first, fmt, save_all=True, append_images=[second]))
        assert np.allclose(got.pixels, [1, 0, 0], atol=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_orientation(fmt: str, orientation: int) -> None:
    """Red stands at the upper left and blue at the upper right of the upright picture, whatever the file does."""
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16], upright[:8, 16:] = (255, 0, 0), (0, 0, 255)
    back = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    options: dict[str, Any] = {"JPEG": {"quality": 95, "subsampling": 0}, "AVIF": {"quality": 95}}.get(fmt, {})
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    got = read(saved(Image.fromarray(np.ascontiguousarray(back)), fmt, exif=exif, **options))
    assert got.size == (32, 16)
    assert np.abs(got.pixels[4, 6] - (1, 0, 0)).max() < 0.1
    assert np.abs(got.pixels[4, 26] - (0, 0, 1)).max() < 0.1
    assert np.abs(got.pixels[12, 6]).max() < 0.1
    kept = Image.Exif()
    kept.load(got.exif or b"")
    assert kept.get(0x0112, 1) == 1
    assert kept[0x010F] == "Camera"


def test_orientation_turns_alpha_too() -> None:
    alpha = np.full((4, 6), 255, np.uint8)
    alpha[0, 0] = 9
    im = Image.new("RGBA", (6, 4), (9, 9, 9))
    im.putalpha(Image.fromarray(alpha))
    got = read(saved(im, "PNG", exif=exif_block(6)))
    assert got.size == (4, 6)
    assert got.alpha is not None and got.alpha[0, -1] < 0.1 and got.alpha.min(axis=None) == got.alpha[0, -1]


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_patched_and_nothing_else(order: str) -> None:
    block = exif_block(6, order=order)
    got = read(saved(Image.new("RGB", (6, 4)), "JPEG", exif=block))
    assert got.exif is not None and len(got.exif) == len(block)
    upright = bytearray(exif_block(1, order=order))
    upright[6 + 8 + 2 + 24 : 6 + 8 + 2 + 24 + 4] = bytes(4)  # the thumbnail shows the photo unpainted
    assert got.exif == bytes(upright)


def test_exif_after_the_pixels_of_a_png() -> None:
    data = png(np.zeros((4, 6, 3), np.uint8))
    late = data[:-12] + chunk(b"eXIf", exif_block(6)[6:]) + data[-12:]
    assert read(late).size == (4, 6)


def test_exif_as_imagemagick_writes_it() -> None:
    block = exif_block(8)
    text = f"\nexif\n{len(block):8d}\n{block.hex()}\n".encode()
    got = read(png(np.zeros((4, 6, 3), np.uint8), extra=chunk(b"tEXt", b"Raw profile type exif\0" + text)))
    assert got.size == (4, 6)
    assert got.exif is not None


@pytest.mark.parametrize(
    "damage", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense"]
)
def test_broken_exif_does_not_matter(damage: bytes) -> None:
    assert read(saved(Image.new("RGB", (6, 4)), "JPEG", exif=damage)).size == (6, 4)


def test_orientation_of_pillow_images(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(Image.new("RGB", (6, 4)), "JPEG", exif=exif_block(6)))
    with Image.open(path) as im:
        assert read(im).size == (4, 6)


@pytest.mark.parametrize("kind", ["P int", "P table", "L", "1", "RGB", "L;2", "I;16", "RGB16", "GIF"])
def test_see_through_by_key(kind: str) -> None:
    """One colour, or entries of the palette, stand for nothing: alpha is 0 there and 1 elsewhere."""
    grey = np.array([[0, 85, 170, 255]], np.uint8)
    if kind in ("P int", "P table", "GIF"):
        im = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8))
        im.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
        assert im.mode == "P"
        clear = bytes([255, 0, 255, 255]) if kind == "P table" else 1
        data = saved(im, "GIF" if kind == "GIF" else "PNG", transparency=clear)
    elif kind == "L":
        data = png(grey[..., None], extra=chunk(b"tRNS", b"\0\x55"))
    elif kind == "1":
        data = saved(Image.fromarray(grey).convert("1", dither=Image.Dither.NONE), "PNG", transparency=0)
    elif kind == "L;2":
        data = png(np.array([[[0b00011011]]], np.uint8), extra=chunk(b"tRNS", b"\0\1"))
        data = data[:16] + _header(4, 1, 2, 0) + data[33:]
    elif kind == "I;16":
        data = png(grey.astype(np.uint16)[..., None] * 257, extra=chunk(b"tRNS", b"\x55\x55"))
    else:
        deep = kind == "RGB16"
        values = np.stack([grey, grey, grey], -1).astype(np.uint16 if deep else np.uint8) * (257 if deep else 1)
        data = png(values, extra=chunk(b"tRNS", b"\x55\x55" * 3 if deep else b"\0\x55" * 3))
    got = read(data)
    assert got.alpha is not None
    expected = [0, 0, 1, 1] if kind == "1" else [1, 0, 1, 1]
    assert got.alpha[0].tolist() == expected


def _header(width: int, height: int, bits: int, colour: int) -> bytes:
    import struct

    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))[8:]


def test_partly_see_through_palette() -> None:
    im = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    im.putpalette([10, 20, 30, 255, 0, 0, 0, 255, 0])
    got = read(saved(im, "PNG", transparency=bytes([255, 128, 64])))
    assert got.alpha is not None
    assert np.allclose(got.alpha[0] * 255, [255, 128, 64])
    assert np.allclose(got.pixels[0] * 255, [[10, 20, 30], [255, 0, 0], [0, 255, 0]])


def test_hidden_pixels_hold_their_neighbours_colours() -> None:
    values = np.zeros((8, 8, 4), np.uint8)
    values[:, :4] = (200, 100, 50, 255)
    got = read(saved(Image.fromarray(values), "PNG"))
    assert np.allclose(got.pixels * 255, (200, 100, 50), atol=1e-3)


def test_opaque_alpha_is_no_alpha() -> None:
    assert read(saved(Image.new("RGBA", (3, 3), (1, 2, 3, 255)), "PNG")).alpha is None


def test_inverted_and_plain_cmyk() -> None:
    """Adobe stores ink upside down; Pillow's own JPEGs say so, and a TIFF stores it as it is."""
    im = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for fmt in ("JPEG", "TIFF"):
        assert np.abs(read(saved(im, fmt)).pixels - (1, 0, 0)).max() < 0.02


def test_ycck() -> None:
    """A JPEG whose CMYK went through YCC: Adobe's marker says 2 instead of 0."""
    ycc = Image.merge("YCbCr", [Image.new("L", (16, 16), v) for v in (76, 85, 255)])  # red, as Y Cb Cr
    inks = Image.merge(
        "CMYK", [*(Image.eval(band, lambda v: 255 - v) for band in ycc.split()), Image.new("L", (16, 16))]
    )
    data = saved(inks, "JPEG", quality=98, subsampling=0)
    at = data.index(b"Adobe")
    assert data[at + 11] == 0
    ycck = data[: at + 11] + b"\2" + data[at + 12 :]
    got = read(ycck).pixels
    assert np.abs(got - (0, 1, 1)).max() < 0.03  # ink upside down: what YCC calls red is cyan ink
    with Image.open(io.BytesIO(ycck)) as im:
        assert np.abs(got * 255 - np.asarray(im.convert("RGB"))).max() < 1.5


def test_white_is_zero(rng: np.random.Generator) -> None:
    for kind, full in ((np.uint8, 255), (np.uint16, 65535)):
        values = rng.integers(0, full + 1, (5, 7, 1)).astype(kind)
        got = read(tiff(values, photometric=0)).pixels[..., 0]
        assert np.abs(got - (1 - values[..., 0].astype(np.float32) / full)).max() < 1e-6


def test_float_tiff_is_clamped_and_must_be_finite() -> None:
    values = np.array([[-1, 0, 0.25, 1, 9]], np.float32)
    assert read(saved(Image.fromarray(values), "TIFF")).pixels[0, :, 0].tolist() == [0, 0, 0.25, 1, 1]
    with pytest.raises(PictureError, match="NaN"):
        read(saved(Image.fromarray(values * np.float32(np.nan)), "TIFF"))


def test_heic_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MissingExtraError, match=r"reading HEIC .*impasto\[heif\]"):
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_heic_with_its_extra(monkeypatch: pytest.MonkeyPatch, smooth: npt.NDArray[np.uint8]) -> None:
    """A stand-in for the package: registers an opener for the fmt, as the real one does."""
    from types import SimpleNamespace

    from PIL import PngImagePlugin

    class Heif(PngImagePlugin.PngImageFile):
        format = "HEIF"

        def _open(self) -> None:
            assert self.fp is not None
            self.fp = io.BytesIO(self.fp.read()[24:])
            super()._open()

    def register() -> None:
        monkeypatch.setitem(Image.OPEN, "HEIF", (Heif, None))
        monkeypatch.setattr(Image, "ID", [*Image.ID, "HEIF"])

    monkeypatch.setitem(sys.modules, "pi_heif", SimpleNamespace(register_heif_opener=register))
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + saved(Image.fromarray(smooth), "PNG")
    assert np.array_equal(read(data).pixels, smooth.astype(np.float32) / np.float32(255))


def test_profile_of_the_wrong_kind_is_ignored(smooth: npt.NDArray[np.uint8]) -> None:
    for profile in (b"", b"broken" * 100, rgb_profile()[:150], bytes(5000)):
        got = read(saved(Image.fromarray(smooth), "PNG", icc_profile=profile))
        assert np.array_equal(got.pixels, smooth.astype(np.float32) / np.float32(255))


def test_pillow_is_left_as_it_was_found(smooth: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12)
    assert isinstance(read(saved(Image.fromarray(smooth), "PNG")), Picture)
    assert Image.MAX_IMAGE_PIXELS == 12
    with pytest.raises(PictureError):
        read(b"\xff\xd8\xff" + bytes(50))
    assert Image.MAX_IMAGE_PIXELS == 12


def test_two_threads_decode(smooth: npt.NDArray[np.uint8]) -> None:
    data = saved(Image.fromarray(smooth), "JPEG")
    guard, found = Image.MAX_IMAGE_PIXELS, []
    threads = [threading.Thread(target=lambda: found.append([read(data).size for _ in range(10)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[(40, 24)] * 10] * 4
    assert guard == Image.MAX_IMAGE_PIXELS
    assert pillow._lock.acquire(blocking=False)
    pillow._lock.release()
