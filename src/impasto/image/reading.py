"""Reading: anything that holds a picture becomes a Picture."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from impasto.errors import LimitError, PictureError
from impasto.image.arrays import from_array
from impasto.image.decoding import decode_image, decode_stream, stream_of
from impasto.image.formats import sniff
from impasto.image.limits import MAX_STREAM_BYTES, pixel_limit
from impasto.image.wording import cause, trouble
from impasto.picture import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

    Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | npt.NDArray[Any] | Picture

_CHUNK = 1 << 20
_TAKEN = "a path, bytes, a binary file, a Pillow image, a numpy array or a Picture"


def read(source: Source, *, max_pixels: int | None = None) -> Picture:
    """Reads a picture, upright and in sRGB.

    The format is told from the bytes, never from the name: JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF (first frame), and
    HEIC with the "heif" extra. Fully see-through pixels hold their neighbours' colours.

    Args:
        source: a path, the bytes of a file, a binary file object (read to its end), a Pillow image, a numpy array
            (uint8, uint16 or floats in [0, 1]; shape (H, W) or (H, W, 1 to 4)), or a Picture, which comes back itself.
        max_pixels: the most that a header may claim; `IMPASTO_MAX_PIXELS`, else 100 million, if not given.

    Returns:
        Pixels float32 in [0, 1], shape (H, W, 3); alpha is None when nothing is see-through.

    Raises:
        PictureError: when it is missing, empty, damaged, cut short, or of a format that is not taken.
        LimitError: when its header claims too many pixels; nothing has been decoded then.
        MissingExtraError: when it is HEIC and the extra is not installed.
        OptionError: when the limit itself is no whole number.

    Example:
        >>> import numpy as np
        >>> read(np.full((2, 3), 255, np.uint8)).pixels.shape
        (2, 3, 3)
    """
    limit = pixel_limit(max_pixels)
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        return decode_image(source, limit)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_stream(stream_of(bytes(source)), "the picture given as bytes", limit)
    if isinstance(source, str | os.PathLike):
        return _read_path(source, limit)
    if hasattr(source, "read"):
        return _read_file(source, limit)
    raise PictureError(f"cannot read a picture from {type(source).__name__}; mend: give {_TAKEN}")


def _read_path(source: str | os.PathLike[str], limit: int) -> Picture:
    if not os.fspath(source):
        raise PictureError("the picture's name is empty; mend: name a file")
    path = Path(source)
    name = str(path)
    with _open(path, name) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # a pipe, as the shell's <(...) gives
            stream = stream_of(_drain(stream, name))
        picture = decode_stream(stream, name, limit)
    return replace(picture, path=path)


@contextmanager
def _open(path: Path, name: str) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise trouble(name, "does not exist", "check the name") from None
    except IsADirectoryError:
        raise trouble(name, "is a folder", "name a picture inside it") from None
    except PermissionError:
        if path.is_dir():  # Windows says so
            raise trouble(name, "is a folder", "name a picture inside it") from None
        raise trouble(name, "may not be read (permission denied)", "change its permissions") from None
    except (OSError, ValueError) as error:
        raise trouble(name, f"cannot be opened ({cause(error)})", "check the name") from None
    with stream:
        yield stream


def _read_file(file: BinaryIO, limit: int) -> Picture:
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) and name else "the file object"
    return decode_stream(stream_of(_drain(file, name)), name, limit)


def _drain(file: BinaryIO, name: str) -> bytes:
    """All bytes of a stream that may never end: it must begin like a picture, and stop in time."""
    data = bytearray()
    seen = False
    try:
        while chunk := file.read(_CHUNK):
            if not isinstance(chunk, bytes):
                raise PictureError(f"{name} gives text; mend: open it in binary mode")
            data += chunk
            if not seen and len(data) >= 64:
                sniff(bytes(data[:256]), name)
                seen = True
            if len(data) > MAX_STREAM_BYTES:
                raise LimitError(f"{name} is longer than {MAX_STREAM_BYTES >> 20} MiB; mend: make it smaller")
    except (OSError, ValueError) as error:
        raise trouble(name, f"cannot be read ({cause(error)})", "give it as a file") from None
    return bytes(data)
