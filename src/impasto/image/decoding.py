"""From a Pillow image of any mode to upright sRGB pixels, alpha and what else the file knows."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from impasto.errors import LimitError, MissingExtraError
from impasto.image import deep, icc, metadata, pillow
from impasto.image.formats import SAVE_AS, sniff, webp_size
from impasto.image.limits import check_size
from impasto.image.transparency import fill_hidden
from impasto.image.wording import cause, trouble
from impasto.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from PIL.ImageFile import ImageFile

    Pixels = npt.NDArray[np.float32]

# What Pillow's decoders are known to raise on damaged files.
_DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError, AssertionError,
    struct.error, zlib.error, RuntimeError,
)  # fmt: skip
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


def decode_stream(stream: BinaryIO, name: str, limit: int) -> Picture:
    """Decodes a file.

    Args:
        stream: seekable.
        name: what to call it in a message.
        limit: the most pixels that its header may claim.

    Raises:
        PictureError: when it is damaged or of a format that is not taken.
        LimitError: when it claims too many pixels, or memory does not suffice.
        MissingExtraError: when it is HEIC and the extra is not installed.
    """
    with _pillow_in_words(name):
        head = stream.read(256)
        kind = sniff(head, name)
        if kind == "HEIF":
            _learn_heif()
        if kind == "WEBP" and (size := webp_size(head)):
            check_size(name, size, limit)  # its decoder asks for memory as soon as it is opened
        im = _open(stream, kind)
        check_size(name, im.size, limit)
        if kind == "TIFF" and metadata.is_camera_raw(im):
            raise trouble(name, "is a camera's raw file", "develop it and save it as PNG, TIFF or JPEG")
        return _decode(im, name, partial(_open, stream, kind))


def decode_image(im: Image.Image, limit: int) -> Picture:
    """Decodes a Pillow image, loaded or not, and leaves it as it is."""
    name = str(getattr(im, "filename", "") or "the Pillow image")
    with _pillow_in_words(name):
        check_size(name, im.size, limit)
        return _decode(im, name, None)


def _open(stream: BinaryIO, kind: str) -> ImageFile:
    stream.seek(0)
    return Image.open(stream, formats=[kind])


def _learn_heif() -> None:
    try:
        import pi_heif
    except ImportError:
        raise MissingExtraError("reading HEIC", "heif") from None
    pi_heif.register_heif_opener()


@contextmanager
def _pillow_in_words(name: str) -> Iterator[None]:
    """Lets Pillow decode, and puts its failures into words."""
    with pillow.at_work():
        try:
            yield
        except MemoryError:
            raise LimitError(f"{name} does not fit into memory; mend: make it smaller") from None
        except UnidentifiedImageError:
            raise trouble(name, "is damaged, or of a rare kind that is not taken", SAVE_AS) from None
        except _DAMAGE as error:
            raise trouble(name, f"is damaged or cut short ({cause(error)})", "get the whole file again") from None


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Pixels on their way: sRGB (H, W, 3), alpha (H, W) or None, bits a channel."""

    pixels: Pixels
    alpha: Pixels | None
    bits: int


def _decode(im: Image.Image, name: str, reopen: Callable[[], ImageFile] | None) -> Picture:
    sheet = _sheet(im, name, reopen)
    exif = metadata.exif_of(im)
    orientation = metadata.UPRIGHT
    if exif is not None:
        exif, orientation = metadata.make_upright(exif)
    pixels = _turn(sheet.pixels, orientation)
    alpha = sheet.alpha
    if alpha is not None:
        alpha = _turn(alpha, orientation) if (alpha < 1).any() else None
    if alpha is not None:
        pixels = fill_hidden(pixels, alpha)
    settings = metadata.unpack_settings(im.info.get("xmp"))
    return Picture(pixels, alpha=alpha, exif=exif, bit_depth=sheet.bits, settings=settings)


def _sheet(im: Image.Image, name: str, reopen: Callable[[], ImageFile] | None) -> _Sheet:
    grey_bits = _grey_bits(im)
    if reopen is not None:
        file = cast("ImageFile", im)
        if raw := deep.layout(file):
            colour, alpha = deep.load(file, raw, reopen)
            clear = _key_alpha(colour, im.info.get("transparency"), 65535) if alpha is None else _share(alpha, 65535)
            return _from_deep(_share(colour, 65535), clear, im.info)
        deep.mend_planes_apart(file)
    im.load()
    if im.mode.startswith("I;16") or im.mode in ("I", "F"):
        return _from_deep(*_deep_grey(im, name, grey_bits), im.info)
    flat, alpha8 = _flatten(im, grey_bits)
    return _Sheet(_share(np.asarray(icc.convert_image(flat, im.info.get("icc_profile"))), 255), alpha8, 8)


def _from_deep(colour: Pixels, alpha: Pixels | None, info: Mapping[Any, Any]) -> _Sheet:
    """Colour (H, W, 3) or grey (H, W) of more than 8 bits, through the file's profile."""
    profile = info.get("icc_profile")
    converted = icc.convert_deep(colour, profile)
    bits = 16
    if converted is None:  # a profile of tables: only LittleCMS can, at 8 bits
        eight = Image.fromarray(np.floor(colour * 255 + 0.5).astype(np.uint8))
        converted, bits = _share(np.asarray(icc.convert_image(eight, profile)), 255), 8
    if converted.ndim == 2:
        converted = np.repeat(converted[..., None], 3, axis=2)
    return _Sheet(converted, alpha, bits)


def _deep_grey(im: Image.Image, name: str, bits: int) -> tuple[Pixels, Pixels | None]:
    """Modes I;16, I and F, shape (H, W), and the alpha that a key colour makes."""
    tags = getattr(im, "tag_v2", {})
    if im.mode == "I" and im.format == "TIFF":
        raise trouble(name, "holds signed or 32-bit whole numbers", "save it with 8 or 16 bits a channel")
    values = np.asarray(im)
    if im.mode == "F" and not np.isfinite(values).all():
        raise trouble(name, "holds values that are not numbers (NaN or infinity)", "replace them and save it again")
    full = 1 if im.mode == "F" else 2**bits - 1
    grey = np.clip(_share(values, full), 0, 1)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and im.mode != "I":
        grey = 1 - grey
    return grey, None if im.mode == "F" else _key_alpha(values, im.info.get("transparency"), full)


def _grey_bits(im: Image.Image) -> int:
    """How many bits a grey file's samples have; known only before it is loaded."""
    if im.format == "TIFF":
        return int(max(getattr(im, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))))
    if im.format == "PNG" and im.mode == "L":
        tile = getattr(im, "tile", None)
        args = tile[0].args if tile else None
        return int(args[-1]) if isinstance(args, str) and args in ("L;2", "L;4") else 8
    return 16 if im.mode.startswith("I") else 8


def _flatten(im: Image.Image, grey_bits: int) -> tuple[Image.Image, Pixels | None]:
    """An image of mode L, RGB or CMYK, and alpha as shares of 1."""
    key = im.info.get("transparency")
    mode = im.mode
    if mode in ("P", "PA"):
        im = im.convert("RGBA" if key is not None or mode == "PA" else "RGB")
    elif mode in ("1", "La", "RGBa"):
        im = im.convert({"1": "L", "La": "LA", "RGBa": "RGBA"}[mode])
    elif mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        im = im.convert("RGB")
    if im.mode in ("LA", "RGBA"):
        alpha = _share(np.asarray(im.getchannel("A")), 255)
        return im.convert(im.mode[:-1]), alpha
    if mode == "L" and isinstance(key, int):
        key = key * 255 // (2**grey_bits - 1)
    elif mode == "RGB" and isinstance(key, tuple):
        key = tuple(k & 255 for k in key)  # only the low byte counts at 8 bits, says the PNG standard
    return im, _key_alpha(np.asarray(im), key, 255) if mode in ("1", "L", "RGB") else None


def _key_alpha(values: npt.NDArray[Any], key: object, full: int) -> Pixels | None:
    """Alpha of a file in which one colour, or one grey, means see-through."""
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != (3 if values.ndim == 3 else 1) or not all(isinstance(p, int) and 0 <= p <= full for p in parts):
        return None
    same = values == np.array(parts)
    return np.where(same.all(-1) if values.ndim == 3 else same, np.float32(0), np.float32(1))


def _share(values: npt.NDArray[Any], full: int) -> Pixels:
    """Whole numbers as shares of `full`, so that `full` is 1 exactly."""
    shares: Pixels = np.divide(values, np.float32(full), dtype=np.float32)
    return shares


def _turn(values: Pixels, orientation: int) -> Pixels:
    """Upright, for each of the eight ways EXIF knows to hold a camera; shape (H, W) or (H, W, C)."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def stream_of(data: bytes) -> BinaryIO:
    """A seekable stream over bytes."""
    return io.BytesIO(data)
