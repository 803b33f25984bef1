"""Files as nobody should send them, built byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from .conftest import png

PNG_START = b"\x89PNG\r\n\x1a\n"
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
ZEROS = 64 << 20
"""Bytes that a bomb unpacks to, out of 64 KB."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_zeros(count: int) -> bytes:
    """So many zeros as zlib packs them, made without ever holding them all."""
    packer, piece = zlib.compressobj(6), bytes(1 << 20)
    parts = [packer.compress(piece) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(bytes(count & 0xFFFFF)), packer.flush()])


def blank_png(width: int, height: int, *, bits: int = 1, colour: int = 0, between: bytes = b"") -> bytes:
    """A whole PNG, black, however large it claims to be."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = 1 + (width * bits * channels + 7) // 8
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IDAT", packed_zeros(row * height))
    return PNG_START + chunk(b"IHDR", header) + between + body + chunk(b"IEND", b"")


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def claiming(kind: str, width: int, height: int) -> bytes:
    """A small real file whose header claims another size."""
    data = bytearray(encoded(kind))
    if kind == "PNG":
        struct.pack_into(">II", data, 16, width, height)
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    elif kind == "JPEG":
        at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
        struct.pack_into(">HH", data, at + 5, min(height, 65535), min(width, 65535))
    elif kind == "WEBP":
        at = data.index(b"VP8 ") + 14
        struct.pack_into("<HH", data, at, min(width, 16383), min(height, 16383))
    elif kind == "AVIF":
        at = data.index(b"ispe") + 8
        struct.pack_into(">II", data, at, width, height)
    else:
        at = struct.unpack_from("<I", data, 4)[0]
        for entry in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], 12):
            if (tag := struct.unpack_from("<H", data, entry)[0]) in (256, 257):
                struct.pack_into("<HHII", data, entry, tag, 4, 1, width if tag == 256 else height)
    return bytes(data)


def encoded(kind: str, image: Image.Image | None = None, **more: Any) -> bytes:
    """A picture in a format."""
    file = io.BytesIO()
    (image or Image.open(io.BytesIO(png()))).save(file, kind, **more)
    return file.getvalue()


def moving(kind: str, frames: int, side: int = 16) -> bytes:
    """A picture of many pages or frames."""
    pages = [Image.new("RGB", (side, side), (n % 256, n // 256, 90)) for n in range(frames)]
    return encoded(kind, pages[0], save_all=True, append_images=pages[1:])


def titled(text: str) -> PngInfo:
    """A PNG's texts of all kinds."""
    info = PngInfo()
    info.add_text("Comment", text)
    info.add_text("Packed", text, zip=True)
    info.add_itxt("Title", text)
    info.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{text}</x:xmpmeta>")
    return info


def telling_exif(mark: str, *, orientation: int = 6) -> bytes:
    """An EXIF block as cameras and programs write it, with a mark wherever somebody could be given away."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Olympus", "E-M10"
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.DateTime] = orientation, "2024:05:06 07:08:09"
    for tag in (
        ExifTags.Base.Artist,
        ExifTags.Base.ImageDescription,
        ExifTags.Base.HostComputer,
        ExifTags.Base.Copyright,
    ):
        exif[tag] = mark
    for tag in (0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F):  # XPTitle, XPComment, XPAuthor, ...
        exif[tag] = mark.encode("utf-16-le")
    exif[700] = f"<x:xmpmeta>{mark} exif:GPSLatitude</x:xmpmeta>".encode()
    exif[33723] = exif[34377] = exif[0xC4A5] = exif[0xFDE9] = mark.encode()  # IPTC, Photoshop, PrintIM, serial number
    exif[0xC62F] = exif[0xFDE8] = mark  # camera's serial number, its owner
    shot = exif.get_ifd(ExifTags.IFD.Exif)
    shot |= {
        0x9003: "2024:05:06 07:08:09", 0x829A: TiffImagePlugin.IFDRational(1, 250), 0xA434: "ZUIKO 25mm", 0x8827: 200,
        0x927C: b"OLYMP\0" + mark.encode() * 9, 0x9286: b"ASCII\0\0\0" + mark.encode(), 0xA430: mark, 0xA431: mark,
        0xA435: mark, 0xA420: mark, 0xA40B: mark.encode(), 0xA436: mark, 0xA437: mark, 0xA438: mark,
    }  # fmt: skip
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2), 27: mark.encode()}
    )
    return exif.tobytes()
