"""Odd but right pictures go through the whole command, by both methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from impasto.image import read

from .conftest import GATYS, Run, colours, contents, pixels


def grey(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(colours(1, size)).convert("L")


def deep(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(colours(1, size)[..., 0].astype(np.uint16) * 257 + 3)


def clear(size: tuple[int, int], mode: str = "RGBA") -> Image.Image:
    """See-through at the left, opaque at the right."""
    image = Image.fromarray(colours(1, size)).convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, size[0]).astype(np.uint8), (size[1], 1))))
    return image


def palette(size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(colours(1, size)).quantize(16)
    image.info["transparency"] = 3
    return image


SMALL = (45, 33)
ODD: dict[str, Callable[[Path], None]] = {
    "17x31.png": lambda p: Image.fromarray(colours(1, (17, 31))).save(p),
    "3000x200.png": lambda p: Image.fromarray(colours(1, (3000, 200))).save(p),
    "200x1500.webp": lambda p: Image.fromarray(colours(1, (200, 1500))).save(p),
    "grey.png": lambda p: grey(SMALL).save(p),
    "grey.jpg": lambda p: grey(SMALL).save(p),
    "grey and alpha.png": lambda p: clear(SMALL, "LA").save(p),
    "alpha.webp": lambda p: clear(SMALL).save(p, lossless=True),
    "palette.png": lambda p: palette(SMALL).save(p, transparency=3),
    "bits.png": lambda p: grey(SMALL).convert("1").save(p),
    "cmyk.jpg": lambda p: Image.fromarray(colours(1, SMALL)).convert("CMYK").save(p),
    "deep.png": lambda p: deep(SMALL).save(p),
    "deep.tif": lambda p: deep(SMALL).save(p),
    "frames.gif": lambda p: grey(SMALL).save(p, save_all=True, append_images=[grey(SMALL)]),
    'a photo, Größe 日本 \'n "q".png': lambda p: Image.fromarray(colours(1, SMALL)).save(p),
    "-dash.png": lambda p: Image.fromarray(colours(1, SMALL)).save(p),
    "png in disguise.jpg": lambda p: Image.fromarray(colours(1, SMALL)).save(p, format="PNG"),
    "no ending": lambda p: Image.fromarray(colours(1, SMALL)).save(p, format="PNG"),
    "two.dots.png": lambda p: Image.fromarray(colours(1, SMALL)).save(p),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_photos_and_paintings(impasto: Run, folder: Path, name: str) -> None:
    """As the photo, as the painting, and as both."""
    ODD[name](folder / name)
    given = read(folder / name)
    ran = impasto("stylize", "--", name, "painting.png")
    assert (ran.code, ran.err) == (0, "")
    made = read(folder / f"{Path(name).stem}-painting.png")
    assert made.size == given.size
    assert made.bit_depth == given.bit_depth
    assert (made.alpha is None) == (given.alpha is None)
    if given.alpha is not None and made.alpha is not None:
        assert np.abs(made.alpha - given.alpha).max() < 0.01
    assert impasto("stylize", "-o", "as painting.png", "--", "photo.jpg", name).code == 0
    assert read("as painting.png").size == (48, 40)
    assert impasto("stylize", "-o", "as both.png", "--size", "32", "--", name, name).code == 0
    assert max(read("as both.png").size) == 32


@pytest.mark.parametrize("name", ["17x31.png", "grey and alpha.png", "palette.png", "cmyk.jpg", "deep.tif"])
def test_odd_photos_by_optimisation(impasto: Run, folder: Path, name: str) -> None:
    ODD[name](folder / name)
    given = read(folder / name)
    ran = impasto("stylize", name, name, "-o", "out.png", *GATYS)
    assert ran.code == 0
    made = read("out.png")
    assert max(made.size) == 64
    assert made.width / made.height == pytest.approx(given.width / given.height, rel=0.03)
    assert (made.alpha is None) == (given.alpha is None)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright(impasto: Run, folder: Path, orientation: int) -> None:
    """The stored pixels turned back by hand and painted give the same as the file with its orientation."""
    stored = Image.fromarray(colours(2, (44, 28)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(folder / "turned.png", exif=exif)
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_270], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_90],
    }.get(orientation, [])  # fmt: skip
    for turn in turns:
        stored = stored.transpose(turn)
    stored.save(folder / "upright.png")
    assert impasto("stylize", "turned.png", "painting.png", "-o", "a.png").code == 0
    assert impasto("stylize", "upright.png", "painting.png", "-o", "b.png").code == 0
    assert np.array_equal(pixels(folder / "a.png"), pixels(folder / "b.png"))
    with Image.open("a.png") as opened:
        assert opened.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("strip", [False, True])
def test_places_stay_unless_they_are_stripped(impasto: Run, folder: Path, strip: bool) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model], exif[ExifTags.Base.Artist] = "E-M10", "Anna"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.6)})
    Image.fromarray(colours(2, (44, 28))).save(folder / "here.jpg", exif=exif)
    assert impasto("stylize", "here.jpg", "painting.png", "-o", "a.jpg", *["--strip"] * strip).code == 0
    with Image.open("a.jpg") as opened:
        kept = opened.getexif()
        assert kept[ExifTags.Base.Model] == "E-M10"
        assert (ExifTags.Base.Artist in kept) is not strip
        assert bool(kept.get_ifd(ExifTags.IFD.GPSInfo)) is not strip
    assert (b"here.jpg" in (folder / "a.jpg").read_bytes()) is not strip


def test_the_photo_as_its_own_painting(impasto: Run, folder: Path) -> None:
    assert impasto("stylize", "photo.jpg", "photo.jpg").code == 0
    assert (folder / "photo-photo.png").exists()


def test_strength_goes_from_the_photo_to_the_style(impasto: Run, folder: Path) -> None:
    """Each step further from the photo; none of it at 0."""
    photo = pixels(folder / "photo.jpg").astype(int)
    far = []
    for strength in (0, 0.3, 0.6, 1):
        assert (
            impasto("stylize", "photo.jpg", "painting.png", "-o", "o.png", "--overwrite", "--strength", strength).code
            == 0
        )
        far.append(float(np.abs(pixels(folder / "o.png") - photo).mean()))
    assert far[0] == 0
    assert far == sorted(far)
    assert far[-1] > 5


def test_a_link_to_the_result_is_followed(impasto: Run, folder: Path) -> None:
    (folder / "real.png").write_bytes(b"old")
    (folder / "link.png").symlink_to("real.png")
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "link.png").code == 2
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "link.png", "--overwrite").code == 0
    assert (folder / "link.png").is_symlink()
    assert contents(folder)["real.png"].startswith(b"\x89PNG")


def test_the_photo_itself_can_be_replaced_when_asked(impasto: Run, folder: Path) -> None:
    assert impasto("stylize", "photo.jpg", "painting.png", "-o", "photo.jpg", "--overwrite").code == 0
    assert read("photo.jpg").settings["content"] == "photo.jpg"
