"""Files that Pillow cannot make, built byte by byte: 16-bit PNG and TIFF of every layout, and colour profiles."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from impasto.errors import ImpastoError

# Display P3's primaries under D50, from its ICC profile, and a gamma of 2.2 to keep the expectation short.
P3_PRIMARIES = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def saved(im: Image.Image, fmt: str, **options: Any) -> bytes:
    out = io.BytesIO()
    im.save(out, format=fmt, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    values: npt.NDArray[Any], *, extra: bytes = b"", interlaced: bool = False, claims: tuple[int, int] | None = None
) -> bytes:
    """A PNG of uint8 or uint16, shape (H, W, 1 to 4), without filters."""
    height, width, channels = values.shape
    big = values.astype(values.dtype.newbyteorder(">"))
    passes = [big[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [big]
    raw = b"".join(b"\0" + row.tobytes() for one in passes if one.size for row in one)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(
        ">IIBBBBB", *(claims or (width, height)), values.dtype.itemsize * 8, kind, 0, 0, int(interlaced)
    )
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def lzw(data: bytes) -> bytes:
    """TIFF's LZW without any compression: a reset before codes grow past nine bits."""
    codes = []
    for i, byte in enumerate(data):
        codes += ([256] if i % 200 == 0 else []) + [byte]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def tiff(
    values: npt.NDArray[Any],
    *,
    order: str = "<",
    compression: int = 1,
    predictor: int = 1,
    photometric: int = 2,
    planar: int = 1,
    tile: int = 0,
    extra_samples: int | None = None,
    rows_per_strip: int = 3,
    tags: dict[int, int] | None = None,
) -> bytes:
    """A TIFF of uint8, uint16 or float32, shape (H, W, C)."""
    height, width, channels = values.shape
    planes = [values[..., i : i + 1] for i in range(channels)] if planar == 2 else [values]
    blocks = []
    for plane in planes:
        if tile:
            padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)))
            blocks += [
                padded[y : y + tile, x : x + tile]
                for y in range(0, len(padded), tile)
                for x in range(0, padded.shape[1], tile)
            ]
        else:
            blocks += [plane[y : y + rows_per_strip] for y in range(0, height, rows_per_strip)]
    if predictor == 2:
        blocks = [np.concatenate([b[:, :1], b[:, 1:] - b[:, :-1]], axis=1) for b in blocks]
    pack = {1: bytes, 5: lzw, 8: zlib.compress}[compression]
    packed = [pack(b.astype(b.dtype.newbyteorder(order)).tobytes()) for b in blocks]
    offsets = [8 + sum(map(len, packed[:i])) for i in range(len(packed))]
    entries: dict[int, tuple[str, list[int]]] = {
        256: ("I", [width]), 257: ("I", [height]), 258: ("H", [values.dtype.itemsize * 8] * channels),
        259: ("H", [compression]), 262: ("H", [photometric]), 277: ("H", [channels]), 284: ("H", [planar]),
        317: ("H", [predictor]), 339: ("H", [3 if values.dtype.kind == "f" else 1] * channels),
    }  # fmt: skip
    where, sizes = (324, 325) if tile else (273, 279)
    entries |= {where: ("I", offsets), sizes: ("I", [len(p) for p in packed])}
    entries |= {322: ("I", [tile]), 323: ("I", [tile])} if tile else {278: ("I", [rows_per_strip])}
    if extra_samples is not None:
        entries[338] = ("H", [extra_samples])
    entries |= {tag: ("H", [value]) for tag, value in (tags or {}).items()}
    return _with_directory(b"".join(packed), entries, order)


def _with_directory(body: bytes, entries: dict[int, tuple[str, list[int]]], order: str) -> bytes:
    at = 8 + len(body) + len(body) % 2
    after = at + 2 + 12 * len(entries) + 4
    directory, tail = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, numbers) in sorted(entries.items()):
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(data) > 4:
            data, tail = struct.pack(order + "I", after + len(tail)), tail + data + b"\0" * (len(data) % 2)
        directory += struct.pack(order + "HHI", tag, {"H": 3, "I": 4}[kind], len(numbers)) + data.ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return start + body + b"\0" * (len(body) % 2) + directory + struct.pack(order + "I", 0) + tail


def rgb_profile(primaries: tuple[tuple[float, float, float], ...] = P3_PRIMARIES, curve: bytes | None = None) -> bytes:
    """A matrix profile: three primaries and one curve for all; a gamma of 2.2 if none is given."""
    curve = curve or gamma_curve(2.2)
    tags = {b"wtpt": _xyz((0.9642, 1, 0.8249)), b"cprt": _text("none"), b"desc": _description("test")}
    tags |= {key: _xyz(p) for key, p in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(gamma: float) -> bytes:
    tags = {b"wtpt": _xyz((0.9642, 1, 0.8249)), b"cprt": _text("none"), b"desc": _description("test")}
    return _profile(b"GRAY", tags | {b"kTRC": gamma_curve(gamma)})


def cmyk_profile() -> bytes:
    """A small table, with 2 points a side: ink darkens Lab lightness, and pure cyan is a colour of its own."""
    corners = []
    for c in (0, 1):
        for m in (0, 1):
            for y in (0, 1):
                for k in (0, 1):
                    lightness = 100 * (1 - k) * (1 - 0.3 * c) * (1 - 0.3 * m) * (1 - 0.1 * y)
                    corners.append((lightness, 60 * (m - c) * (1 - k), 60 * (y - c) * (1 - k)))
    grid = b"".join(
        struct.pack(">3H", round(li * 652.8), round((a + 128) * 256), round((b + 128) * 256)) for li, a, b in corners
    )
    ramp = struct.pack(">2H", 0, 65535)
    table = b"mft2\0\0\0\0" + bytes((4, 3, 2, 0)) + struct.pack(">9i", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    table += struct.pack(">2H", 2, 2) + ramp * 4 + grid + ramp * 3
    tags = {b"wtpt": _xyz((0.9642, 1, 0.8249)), b"cprt": _text("none"), b"desc": _description("test"), b"A2B0": table}
    return _profile(b"CMYK", tags, pcs=b"Lab ", kind=b"prtr")


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def parametric_curve(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(f">HH{len(numbers)}i", kind, 0, *(round(n * 65536) for n in numbers))


def _profile(space: bytes, tags: dict[bytes, bytes], *, pcs: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for key, tag in tags.items():
        padded = tag + b"\0" * (-len(tag) % 4)
        table += struct.pack(">4sII", key, start + len(body), len(tag))
        body += padded
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, kind, space, pcs)
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(24)
    header += struct.pack(">I3i", 0, 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + table + body


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


def _text(text: str) -> bytes:
    return b"text\0\0\0\0" + text.encode() + b"\0"


def _description(text: str) -> bytes:
    data = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(data)) + data + bytes(78)


def exif_block(orientation: int, *, order: str = "<", make: str = "Camera") -> bytes:
    """An EXIF block with a maker, an orientation, and the offset of a thumbnail."""
    name = make.encode() + b"\0"
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    at = 8 + 2 + 24 + 4
    entries = struct.pack(order + "HHHII", 2, 0x010F, 2, len(name), at)
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + head + entries + struct.pack(order + "I", at + len(name)) + name


def one_line_error(error: BaseException, *words: str) -> None:
    """What every message to a user keeps: one line, no traceback words, and what the test asks for."""
    text = str(error)
    assert isinstance(error, ImpastoError), repr(error)
    assert "\n" not in text and len(text) < 700
    assert "Traceback" not in text and "<_io." not in text and " at 0x" not in text
    for word in words:
        assert word in text, text
