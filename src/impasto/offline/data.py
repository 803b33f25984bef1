"""Where training pictures are: folders, single files, lists and webdataset shards, indexed without decoding anything.

A shard is read where it lies: the index remembers at which byte each picture begins, so that any picture can be drawn
at any time and nothing is unpacked.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from impasto.errors import ImpastoError, OptionError, PictureError
from impasto.image import icc, read, resize
from impasto.image.limits import check_size, pixel_limit
from impasto.image.wording import cause, one_line

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]

IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif"}
)
LIST_ENDINGS = frozenset({".txt", ".lst", ".list"})
HELD_OUT_OF = 20  # one name in so many is never trained on
LONGEST = 2  # long side over short side; what a picture has beyond is cut off equally at both ends
_HASH = re.compile(r"-([0-9a-f]{6})[0-9a-f]*$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture in a file of its own, or in a shard.

    Attributes:
        name: what messages and the hold-out call it: the file's name, without folders.
        path: the file, or the shard.
        offset: the picture's first byte in it.
        size: how many bytes, None for all of them.
    """

    name: str
    path: Path
    offset: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """The picture's file.

        Raises:
            OSError: when it cannot be read to its end.
        """
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read() if self.size is None else file.read(self.size)
        if self.size is not None and len(data) < self.size:
            raise OSError("the shard ends within it")
        return data


@dataclass(frozen=True)
class Index:
    """What the sources hold.

    Attributes:
        entries: every picture, in an order that depends on names only.
        troubles: what could not be read while looking: "NAME: why".
    """

    entries: tuple[Entry, ...]
    troubles: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Tells whether two indexes hold the same pictures in the same order, wherever they lie."""
        names = "\n".join(entry.name for entry in self.entries)
        return f"{len(self.entries)}-{zlib.crc32(names.encode('utf-8', 'surrogateescape')):08x}"


def index(sources: Sequence[Path], flag: str) -> Index:
    """Finds the pictures of some sources.

    Args:
        sources: folders (searched through, shards in them included), images, text files with a path a line, tar shards.
        flag: the option that named them, for messages.

    Raises:
        OptionError: when there is no source, or one does not exist or is of no use.
        PictureError: when there is no picture in any of them.

    Example:
        >>> index([Path("examples/styles/starry-hills.jpg")], "--style").entries[0].name
        'starry-hills.jpg'
    """
    if not sources:
        raise OptionError(f"{flag} is not given; name folders, images, lists or .tar shards")
    troubles: list[str] = []
    entries = tuple(entry for source in sources for entry in _find(source, flag, troubles))
    if not entries:
        kinds = " ".join(sorted(IMAGE_ENDINGS))
        named = ", ".join(map(str, sources))
        raise PictureError(one_line(f"{flag} {named}: no picture in it; mend: name a folder with {kinds} or .tar"))
    return Index(entries, tuple(troubles))


def held_out(name: str) -> bool:
    """Whether the picture of this name is kept from training, for sheets and evaluation: one in twenty is.

    Names that end in a hash (`coco__000042-9f3a11.jpg`) are told by that, others by a checksum of the name: the same
    picture is held out wherever it lies and whatever lies beside it.
    """
    stem = PurePath(name).stem
    found = _HASH.search(stem)
    number = int(found[1], 16) if found else zlib.crc32(stem.encode("utf-8", "surrogateescape"))
    return number % HELD_OUT_OF == 0


def split(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """What to train on, and what to look at: held-out pictures, or the same where there are too few to hold any out."""
    kept = [entry for entry in entries if not held_out(entry.name)]
    seen = [entry for entry in entries if held_out(entry.name)]
    if len(entries) < HELD_OUT_OF or not kept:
        return list(entries), list(entries)
    return kept, seen or kept


def decode(data: bytes, side: int) -> Bytes:
    """A picture's file as upright sRGB bytes (H, W, 3), small.

    Args:
        data: the file.
        side: the short side is at most this; a smaller picture stays as it is.

    Raises:
        ImpastoError: when it is damaged, too large, or of a kind that is not taken.
        OSError: likewise; Pillow also raises others.
    """
    im = _open(data)
    if im is None:  # rarer kinds: transparency, 16 bits, palettes, TIFF, HEIC
        return _shrink_exactly(data, side)
    profile = im.info.get("icc_profile")
    if im.format == "JPEG":
        im.draft(None, (side, side))  # decoded at 1/2, 1/4 or 1/8 where that is still large enough
    im.load()
    upright = ImageOps.exif_transpose(im)
    small = upright.resize(_target(upright.size, side), Image.Resampling.LANCZOS, _strip(upright.size), reducing_gap=3)
    return np.asarray(icc.convert_image(small, profile).convert("RGB"))


def _open(data: bytes) -> Image.Image | None:
    """Ready to decode, when it is of the plain kinds that most pictures are."""
    if not data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM")):
        return None
    im = Image.open(BytesIO(data), formats=["JPEG", "PNG", "WEBP", "BMP"])
    check_size("it", im.size, pixel_limit())
    plain = im.mode in ("RGB", "L", "CMYK") and "transparency" not in im.info
    return im if plain else None


def _shrink_exactly(data: bytes, side: int) -> Bytes:
    pixels = read(data).pixels
    size = (pixels.shape[1], pixels.shape[0])
    left, top, right, bottom = (round(v) for v in _strip(size))
    small = resize(np.ascontiguousarray(pixels[top:bottom, left:right]), _target(size, side))
    return (small * 255 + 0.5).astype(np.uint8)


def _strip(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The middle of a picture, at most `LONGEST` times as long as it is wide: left, top, right, bottom."""
    width, height = (min(s, LONGEST * min(size)) for s in size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def _target(size: tuple[int, int], side: int) -> tuple[int, int]:
    """What the strip of a picture of this size is shrunk to."""
    short = min(size)
    width, height = (min(s, LONGEST * short) for s in size)
    shrink = min(1.0, side / short)
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _find(source: Path, flag: str, troubles: list[str]) -> Iterator[Entry]:
    try:
        if source.is_dir():
            yield from _in_folder(source, troubles)
        elif not source.exists():
            raise OptionError(one_line(f"{flag} {source} does not exist; mend: check the name"))
        elif source.name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")):
            yield from _in_shard(source, troubles)
        elif source.suffix.lower() in LIST_ENDINGS:
            yield from _in_list(source, flag, troubles)
        else:
            yield Entry(source.name, source)
    except OSError as error:
        raise OptionError(one_line(f"{flag} {source} cannot be read ({cause(error)}); mend: name another")) from None


def _in_folder(folder: Path, troubles: list[str]) -> Iterator[Entry]:
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix.lower() == ".tar" and path.is_file():
            yield from _in_shard(path, troubles)
        elif path.suffix.lower() in IMAGE_ENDINGS and path.is_file():
            yield Entry(path.name, path)


def _in_list(path: Path, flag: str, troubles: list[str]) -> Iterator[Entry]:
    """A path a line, relative to the list or to here; empty lines and those after a # are passed over."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise OptionError(one_line(f"{flag} {path} is no text; mend: name a list with a path a line")) from None
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        named = next((p for p in (path.parent / line, Path(line)) if p.exists()), None)
        if named is None:
            troubles.append(f"{line}: listed in {path.name}, does not exist")
        elif named.suffix.lower() in LIST_ENDINGS:
            troubles.append(f"{line}: listed in {path.name}, is a list itself")
        else:
            yield from _find(named, flag, troubles)


def _in_shard(path: Path, troubles: list[str]) -> Iterator[Entry]:
    """The images in a plain tar file, by where they begin. What lies before a damage is taken."""
    found, end = 0, path.stat().st_size
    try:
        with tarfile.open(path, "r:") as shard:
            for member in shard:
                picture = member.isreg() and PurePath(member.name).suffix.lower() in IMAGE_ENDINGS
                if picture and member.offset_data + member.size <= end:
                    found += 1
                    yield Entry(PurePath(member.name).name, path, member.offset_data, member.size)
    except tarfile.TarError as error:
        if not found:
            why = f"{path} is no plain tar file ({cause(error)})"
            raise OptionError(one_line(f"{why}; mend: unpack it, or write it without compression")) from None
        troubles.append(f"{path.name}: damaged after {found} pictures ({cause(error)})")


DECODING = (
    ImpastoError, OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError,
    AssertionError, RuntimeError, MemoryError, Warning,
)  # fmt: skip
"""What damaged files are known to make decoders raise; such a picture is left out."""
