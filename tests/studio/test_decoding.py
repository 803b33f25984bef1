"""What strangers send: taken only as pixels, within limits, and without what gives somebody away."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from impasto.errors import ImpastoError, LimitError, PictureError
from impasto.image import read, write
from impasto.image.metadata import harmless
from impasto.picture import Picture
from impasto.studio.children import Bounds, Children
from impasto.studio.decoding import THUMBNAIL, believed, decode, vouch
from impasto.studio.errors import KindError
from impasto.studio.jobs.database import Database
from impasto.studio.limits import Limits
from impasto.studio.room import Room

from .conftest import png
from .pieces import (
    FORMATS,
    PNG_START,
    ZEROS,
    blank_png,
    chunk,
    claiming,
    encoded,
    moving,
    packed_zeros,
    telling_exif,
    titled,
    with_chunks,
)
from .server import shown

LIMITS = Limits()
MARK = "<script>alert('mark')</script>"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def child() -> Iterator[Children]:
    """A decoder as the studio has it, with half its memory."""
    family = Children(decode, count=1, bounds=Bounds(60.0, 1 << 30, processor=20.0, network=False))
    family.ask(png(), LIMITS)
    yield family
    family.close()


class TestTaken:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_pictures_of_these_kinds(self, kind: str) -> None:
        image = Image.open(io.BytesIO(png(size=(60, 40))))
        told = decode(encoded(kind, image), LIMITS)
        assert told.size == shown(told.png).size == (60, 40)
        assert shown(told.png).format == "PNG"
        assert shown(told.thumbnail).format == "JPEG"
        assert np.abs(np.asarray(shown(told.png), float) - np.asarray(image, float)).mean() < 6

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_pixels_of_every_kind(self, mode: str) -> None:
        image = Image.open(io.BytesIO(png())).convert("RGBA")
        image = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
        assert decode(encoded("PNG", image), LIMITS).size == image.size

    def test_large_photos(self, child: Children) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
        told = child.ask(encoded("JPEG", Image.fromarray(noise), quality=50), LIMITS)
        assert told.size == (4000, 3000)
        assert shown(told.thumbnail).size == (THUMBNAIL, 240)

    def test_rough_pictures_have_thumbnails(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
        assert shown(decode(encoded("PNG", Image.fromarray(noise)), LIMITS).thumbnail).size == (320, 320)

    @pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (THUMBNAIL, THUMBNAIL + 1), (7, 1281)])
    def test_thumbnails_of_every_shape(self, size: tuple[int, int]) -> None:
        told = decode(png(size=size), LIMITS)
        assert max(shown(told.thumbnail).size) == min(THUMBNAIL, max(size))

    def test_see_through_ones_stay_so(self) -> None:
        image = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
        image.paste((0, 200, 0, 255), (0, 0, 20, 40))
        alpha = np.asarray(shown(decode(encoded("PNG", image), LIMITS).png))[..., 3]
        assert (alpha[:, :20] == 255).all()
        assert (alpha[:, 20:] == 0).all()


class TestRefused:
    @pytest.mark.parametrize(
        "data",
        [
            b"\0", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>",
            b"<!doctype html><script>alert(1)</script>", b"%PDF-1.7\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"8BPS\0\1",
            b"\0\0\1\0\1\0\x10\x10", b"PK\3\4", b"\x1f\x8b\x08", b"SIMPLE  =                    T", b"P6\n9 9\n255\n",
            b"qoif", b"DDS ", b"gimp xcf ", b"v/1\x01", b"#EXTM3U\nhttp://127.0.0.1/x", b"ffconcat version 1.0\nfile x",
            b"#!/bin/sh\n", b"\x7fELF", b"MZ", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51", b"\xff\x0a",
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI LIST", b"RIFF\0\0\0\0WAVE",
            b"\x80\x04\x95", b"import os", b"push graphic-context\nfill 'url(https://x/|ls)'", b"\xd7\xcd\xc6\x9a",
            b"\1\0\0\0", b"#define x_width 1",
        ],
    )  # fmt: skip
    def test_what_is_no_picture(self, data: bytes) -> None:
        for told in (data, data + b"\n" * 300, data + png()):
            with pytest.raises(KindError):
                decode(told, LIMITS)

    @pytest.mark.parametrize(
        "kind", ["BMP", "GIF", "ICO", "PDF", "EPS", "PPM", "TGA", "PCX", "SGI", "JPEG2000", "ICNS", "DDS"]
    )
    def test_pictures_of_other_kinds(self, kind: str) -> None:
        with pytest.raises(KindError):
            decode(encoded(kind, Image.new("RGB", (64, 64))), LIMITS)

    def test_nothing_at_all(self) -> None:
        with pytest.raises(KindError, match="empty"):
            decode(b"", LIMITS)

    def test_pictures_that_are_scripts_too(self) -> None:
        for data in (
            b"GIF89a/*" + b"\0" * 30 + b"*/=1;alert(1)//", encoded("GIF") + b"*/=1;alert(1)//",
            b"BM=1;alert(1)//" + bytes(64), b"<html>" + png(), b"<?php echo 1; ?>" + encoded("JPEG"),
            b"#!/bin/sh\n" + encoded("JPEG"), b"\n" + png(),
        ):  # fmt: skip
            with pytest.raises(KindError):
                decode(data, LIMITS)

    def test_camera_raw_is_no_thumbnail(self) -> None:
        info = Image.Exif()
        info[50706] = b"\1\4\0\0"
        with pytest.raises(PictureError, match="raw"):
            decode(encoded("TIFF", exif=info), LIMITS)

    @pytest.mark.parametrize("kind", FORMATS)
    def test_damaged_ones(self, kind: str) -> None:
        data = encoded(kind, Image.open(io.BytesIO(png(size=(200, 200)))))
        for part in (len(data) // 8, len(data) // 2):
            with pytest.raises(ImpastoError):
                decode(data[:part], LIMITS)

    def test_formats_by_their_bytes_not_by_pillow(self) -> None:
        # what begins like a PNG is never read as anything else that Pillow knows
        for inside in ("TIFF", "GIF", "BMP"):
            with pytest.raises(PictureError):
                decode(PNG_START + encoded(inside), LIMITS)
        photo_cd = bytearray(PNG_START + bytes(800_000))
        photo_cd[2048:2052] = b"PCD_"  # which Pillow looks for there, whatever a file begins with
        assert Image.open(io.BytesIO(photo_cd)).format == "PCD"
        with pytest.raises(PictureError):
            decode(bytes(photo_cd), LIMITS)


def test_the_studios_decoders_may_take_what_the_limits_say(tmp_path: Path) -> None:
    limits = Limits(decode_seconds=7, decode_bytes=300 << 20, decoders=3, child_tasks=5, pixels=20_000)
    room = Room(Database(f"sqlite:///{tmp_path / 'jobs.db'}"), str(tmp_path), limits)
    decoders = room.decoders
    answer = 9 * 20_000 + (16 << 20)
    assert decoders._bounds == Bounds(21, 300 << 20, 5, 7, network=False, answer=answer)
    assert (decoders._work, decoders._vouch, decoders._free.qsize()) == (decode, vouch, 3)
    room.close()


class TestBombs:
    @pytest.mark.parametrize("side", [30_000, 13_000, 9_000])
    def test_many_pixels_in_few_bytes(self, child: Children, side: int) -> None:
        with pytest.raises(LimitError, match="claims"):
            child.ask(blank_png(side, side), LIMITS)

    def test_what_is_said_of_them_is_for_whoever_sent_them(self) -> None:
        with pytest.raises(LimitError, match=r"^the picture claims 9000x9000 pixels .*; mend: make it smaller$"):
            decode(blank_png(9_000, 9_000), LIMITS)

    @pytest.mark.parametrize("size", [(16_385, 1), (1, 16_385), (2**31 - 1, 1), (65_535, 2)])
    def test_long_sides(self, child: Children, size: tuple[int, int]) -> None:
        with pytest.raises(LimitError, match="claims"):
            child.ask(blank_png(*size) if max(size) < 10**6 else claiming("PNG", *size), LIMITS)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_long_sides_are_seen_before_anything_is_decoded(self, kind: str) -> None:
        data = claiming(kind, 20_000, 10)
        with pytest.raises(LimitError, match="claims 20000x10 pixels"):  # and not that the rest is missing
            decode(data[: len(data) // 2], LIMITS)

    @pytest.mark.parametrize("kind", FORMATS)
    def test_headers_that_claim_too_much(self, child: Children, kind: str) -> None:
        with pytest.raises(ImpastoError):
            child.ask(claiming(kind, 60_000, 60_000), LIMITS)

    def test_as_many_pixels_as_are_let_in(self, child: Children) -> None:
        assert child.ask(blank_png(8000, 1000), LIMITS).size == (8000, 1000)
        small = Limits(pixels=1_000_000)
        assert child.ask(blank_png(1000, 1000), small).size == (1000, 1000)
        with pytest.raises(LimitError):
            child.ask(blank_png(1000, 1001), small)

    @pytest.mark.parametrize("name", [b"iCCP", b"zTXt", b"iTXt"])
    def test_packed_texts(self, child: Children, name: bytes) -> None:
        packed = packed_zeros(ZEROS)
        body = {b"iCCP": b"x\0\0" + packed, b"zTXt": b"x\0\0" + packed, b"iTXt": b"x\0\1\0\0\0" + packed}[name]
        told = reply(child, with_chunks(png(), chunk(name, body)))
        assert isinstance(told, str) or len(told.png) < 100_000
        told = reply(child, with_chunks(png(), *[chunk(name, body)] * 40))
        assert isinstance(told, str) or len(told.png) < 100_000

    def test_more_pixels_than_the_header_says(self, child: Children) -> None:
        head = png()[:33]
        told = reply(child, head + chunk(b"IDAT", packed_zeros(ZEROS * 4)) + chunk(b"IEND", b""))
        assert isinstance(told, str) or told.size == (48, 48)

    @pytest.mark.parametrize(("kind", "frames"), [("PNG", 400), ("WEBP", 400), ("TIFF", 400)])
    def test_many_frames_are_one(self, child: Children, kind: str, frames: int) -> None:
        told = child.ask(moving(kind, frames), LIMITS)
        assert told.size == (16, 16)
        assert getattr(shown(told.png), "n_frames", 1) == 1

    def test_frames_that_are_only_claimed(self, child: Children) -> None:
        control = chunk(b"acTL", b"\x7f\xff\xff\xff\0\0\0\0")
        told = reply(child, with_chunks(png(), control))
        assert isinstance(told, str) or told.size == (48, 48)

    def test_pages_in_a_circle(self, child: Children) -> None:
        data = bytearray(encoded("TIFF"))
        at = int.from_bytes(data[4:8], "little")
        end = at + 2 + 12 * int.from_bytes(data[at : at + 2], "little")
        data[end : end + 4] = data[4:8]  # the next page is this one
        assert child.ask(bytes(data), LIMITS).size == (48, 48)

    def test_memory_that_is_not_there(self) -> None:
        family = Children(decode, count=1, bounds=Bounds(60.0, 400 << 20, processor=30.0))
        try:
            with pytest.raises(LimitError):
                family.ask(blank_png(6000, 6000), LIMITS)
            assert family.ask(png(), LIMITS).size == (48, 48)
        finally:
            family.close()

    def test_time_that_is_not_there(self) -> None:
        family = Children(decode, count=1, bounds=Bounds(0.05, 1 << 30))
        try:
            with pytest.raises(LimitError, match="longer"):
                family.ask(blank_png(6000, 6000), LIMITS)
        finally:
            family.close()


class TestWhatSurvives:
    def hidden(self) -> dict[str, bytes]:
        """Pictures that carry something else."""
        mark = MARK.encode()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("mark.html", MARK)
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + mark
        jpeg, exif = encoded("JPEG"), telling_exif(MARK, orientation=1)
        return {
            "page after PNG": png() + b"<html>" + mark,
            "zip after PNG": png() + archive.getvalue(),
            "pixels and more": with_chunks(png(), chunk(b"prVt", mark), chunk(b"tEXt", b"Title\0" + mark)),
            "texts in PNG": encoded("PNG", pnginfo=titled(MARK)),
            "PHP in JPEG": encoded("JPEG", comment=b"<?php system('id'); ?>" + mark) + b"<?php " + mark,
            "PDF in JPEG": jpeg[:2] + b"\xff\xfe\x00\x40%PDF-1.7 " + mark.ljust(53)[:53] + jpeg[2:] + mark,
            "EXIF in JPEG": encoded("JPEG", exif=exif), "EXIF in PNG": encoded("PNG", exif=exif),
            "EXIF in WebP": encoded("WEBP", exif=exif), "EXIF in AVIF": encoded("AVIF", exif=exif),
            "XMP in WebP": encoded("WEBP", xmp=mark), "XMP in JPEG": encoded("JPEG", xmp=mark),
            "ICC in JPEG": encoded("JPEG", icc_profile=profile), "ICC in PNG": encoded("PNG", icc_profile=profile),
            "TIFF": encoded("TIFF", description=MARK, artist=MARK, exif=exif) + mark,
        }  # fmt: skip

    def test_nothing_but_pixels(self) -> None:
        for what, data in self.hidden().items():
            told = decode(data, LIMITS)
            for kept in (told.png, told.thumbnail):
                for word in (b"script", "script".encode("utf-16-le"), b"<?php", b"PK\3\4", b"%PDF", b"GPS", b"prVt"):
                    assert word not in kept, (what, word)
            assert told.png.endswith(chunk(b"IEND", b"")), what
            assert told.thumbnail.endswith(b"\xff\xd9"), what

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
    def test_date_and_camera_stay_and_the_picture_stands_upright(self, kind: str) -> None:
        image = Image.new("RGB", (60, 40), (220, 30, 30))
        image.paste((30, 30, 220), (0, 0, 60, 10))  # blue where the sky is, once it is turned
        more = {"exif": telling_exif(MARK, orientation=6)} if kind != "TIFF" else {}
        if kind == "TIFF":
            found = Image.Exif()
            found.load(telling_exif(MARK, orientation=6))
            more = {"exif": found}  # type: ignore[dict-item]
        told = decode(encoded(kind, image, **more), LIMITS)
        assert told.size == (40, 60)
        pixels = np.asarray(shown(told.png).convert("RGB"), int)
        assert pixels[30, 38, 2] > 150 > pixels[30, 3, 2]  # turned by a quarter, clockwise
        exif = shown(told.png).getexif()
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == ("Olympus", "E-M10")
        assert ExifTags.Base.Orientation not in exif or exif[ExifTags.Base.Orientation] == 1
        shot = exif.get_ifd(ExifTags.IFD.Exif)
        assert shot[0x9003] == "2024:05:06 07:08:09"
        assert shot[0xA434] == "ZUIKO 25mm"
        assert not exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert shown(told.thumbnail).getexif() == {}

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_every_way_to_hold_a_camera(self, orientation: int) -> None:
        turned = decode(
            encoded("JPEG", Image.new("RGB", (60, 40)), exif=telling_exif("x", orientation=orientation)), LIMITS
        )
        assert turned.size == ((60, 40) if orientation < 5 else (40, 60))

    @pytest.mark.parametrize(
        "exif",
        [None, b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"\0" * 99],
    )
    def test_notes_that_are_broken_are_left_behind(self, exif: bytes | None) -> None:
        assert harmless(exif) is None

    def test_notes_in_a_circle_are_left_behind(self) -> None:
        block = bytearray(telling_exif("x"))
        for at in range(6, len(block) - 4):
            looped = bytes(block[:at]) + b"\x08\0\0\0" + bytes(block[at + 4 :])
            harmless(looped)  # ends, and raises nothing

    def test_profiles_become_ours(self) -> None:
        wide = encoded("PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
        told = reply_here(wide)
        assert isinstance(told, str) or shown(told.png).info["icc_profile"]


class TestAnswers:
    """What a child answers that somebody has taken over."""

    GOOD = decode(png(size=(60, 40)), LIMITS)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_honest_ones_are_kept(self, mode: str) -> None:
        image = Image.open(io.BytesIO(png())).convert("RGBA")
        image = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
        vouch(decode(encoded("PNG", image), LIMITS), b"", LIMITS)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"png": b""}, {"png": b"<html>"}, {"png": encoded("JPEG")}, {"png": GOOD.png[:-1]},
            {"png": GOOD.png[:28] + b"\1" + GOOD.png[29:]}, {"png": blank_png(60, 40)}, {"png": GOOD.png + b"PK"},
            {"png": claiming("PNG", 60, 41)},
            {"png": GOOD.png[:20]}, {"size": (40, 60)}, {"size": (0, 0)}, {"thumbnail": b"<svg>"},
            {"thumbnail": b"\xff\xd8\xff" + bytes(500_000)}, {"settings": {"a": {"b": {"c": {"d": {}}}}}},
            {"settings": {"a": "\0"}}, {"png": claiming("PNG", 17_000, 1), "size": (17_000, 1)},
            {"png": claiming("PNG", 9000, 9000), "size": (9000, 9000)},
            {"png": claiming("PNG", 0, 40), "size": (0, 40)},
        ],
    )  # fmt: skip
    def test_others_are_not(self, wrong: dict[str, Any]) -> None:
        vouch(self.GOOD, b"", LIMITS)
        with pytest.raises(ValueError, match=r"\A(no|of|not) "):
            vouch(replace(self.GOOD, **wrong), b"", LIMITS)


class TestSettings:
    def painted(self, settings: dict[str, Any]) -> bytes:
        file = io.BytesIO()
        write(Picture(np.zeros((8, 8, 3), np.float32), settings=settings), file, format="png")
        return file.getvalue()

    def told(self, text: str) -> bytes:
        """A picture whose settings are this text."""
        data = self.painted({"mark": 1})
        at = data.index(b"iTXt") - 4
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 8 : at + 8 + size].replace(b"{&quot;mark&quot;:1}", text.replace('"', "&quot;").encode())
        return data[:at] + chunk(b"iTXt", body) + data[at + 12 + size :]

    def test_ours_are_believed(self) -> None:
        ours = {
            "impasto": "1",
            "job": "stylize",
            "styles": ["starry-hills"],
            "options": {"blend": [2.0, 1.0], "size": None},
        }
        assert decode(self.painted(ours), LIMITS).settings == ours

    @pytest.mark.parametrize(
        "text",
        [
            '{"a":"\\ud800"}', '{"\\udfff":1}', '{"a":"\\u0000"}', '{"a":["b\\u0000"]}', '{"a":1e999}', '{"a":-1e999}',
            '{"a":NaN}', '{"a":' + "[" * 300 + "]" * 300 + "}", '{"a":' * 200 + "1" + "}" * 200,
            '{"a":' + "9" * 4000 + "}", '{"a":' + "9" * 5000 + "}", "[" * 9000, "[]", "1", '"x"', "{", "null",
        ],
    )  # fmt: skip
    def test_those_that_could_not_be_told_again_are_not(self, text: str) -> None:
        told = decode(self.told(text), LIMITS)
        assert told.settings == {}
        assert read(io.BytesIO(told.png)).settings == {}

    def test_the_test_itself_reaches_them(self) -> None:
        assert decode(self.told('{"a":[1,"b",true,null]}'), LIMITS).settings == {"a": [1, "b", True, None]}
        assert believed(json.loads('{"a": "\\u0001 <b>"}')) == {"a": "\x01 <b>"}


def reply(child: Children, data: bytes) -> Any:
    """What came of it, or the words in which it was refused."""
    try:
        return child.ask(data, LIMITS)
    except ImpastoError as error:
        assert "fault" not in str(error)
        return str(error)


def reply_here(data: bytes) -> Any:
    try:
        return decode(data, LIMITS)
    except ImpastoError as error:
        return str(error)
