"""Where a picture goes: checks before the work, and files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from impasto.errors import PictureError
from impasto.image.formats import of_target
from impasto.image.wording import cause, trouble

_IN_THE_WAY = "add --overwrite, or name another file with -o"
# What file systems without hard links (FAT, some network shares) answer.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL}


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False, size: tuple[int, int] | None = None) -> None:
    """Makes sure, before the work starts, that its result can be written to `path`.

    Args:
        path: the file to come.
        overwrite: whether a file that is there already may go.
        size: (width, height) of the result, where it is known; some formats hold only so much.

    Raises:
        PictureError: when the ending names no format that is written, the folder does not exist or may not be written
            to, or something is in the way.

    Example:
        >>> check_target("painting.xyz")
        Traceback (most recent call last):
        ...
        impasto.errors.PictureError: painting.xyz has the unknown ending '.xyz'; mend: end the name with one of: .png \
.jpg .jpeg .webp .avif .tif .tiff .bmp
    """
    target = Path(path)
    fmt = of_target(target)
    if size is not None and max(size) > fmt.longest:
        raise trouble(
            target,
            f"cannot hold {size[0]}x{size[1]}: {fmt.name} has at most {fmt.longest} pixels a side",
            "write PNG or TIFF",
        )
    with _in_words(target):
        _check_free(target, overwrite)
        folder = resolved(target).parent
        if not folder.exists():
            raise trouble(target, f"cannot be written: there is no folder {folder}", f"mkdir -p '{folder}'")
        if not folder.is_dir():
            raise trouble(target, f"cannot be written: {folder} is not a folder", "name another with -o")
        # Permissions alone do not tell: a disk may be read-only, and the superuser passes every check but the last.
        _new_file(temporary(folder)).unlink()


def publish(data: bytes, path: Path, *, overwrite: bool) -> None:
    """Writes a file that is, at every moment, the old one or the new one, and on the disk when this returns.

    Args:
        data: the whole file.
        path: where it goes; a symbolic link is followed.
        overwrite: whether a file that is there already may go, also one that came while we worked.

    Raises:
        PictureError: when something is in the way, or the system refuses.
    """
    with _in_words(path):
        _check_free(path, overwrite)
        put(data, path, overwrite=overwrite)


def put(data: bytes, path: Path, *, overwrite: bool) -> None:
    """What `publish` does once it has looked, for those who tell in words of their own what goes wrong.

    Raises:
        PictureError: when a file came in the way that may not go.
        OSError: when the system refuses; what was there is then untouched.
    """
    target = resolved(path)
    temp = temporary(target.parent)
    try:
        _write(temp, data)
        if overwrite:
            temp.replace(target)
        else:
            _place(temp, target)
    finally:
        with contextlib.suppress(OSError):
            temp.unlink(missing_ok=True)
    _flush_folder(target.parent)


def resolved(path: Path) -> Path:
    """The file that a symbolic link stands for: the link stays, what it points to is written."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def temporary(folder: Path) -> Path:
    """A hidden name in the same folder, so that renaming never crosses file systems."""
    return folder / f".impasto-{secrets.token_hex(8)}.tmp"


def _check_free(path: Path, overwrite: bool) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        raise trouble(path, "is a folder", "name a file with -o")
    if not stat.S_ISREG(mode):
        raise trouble(path, "is not a regular file", "name another with -o")
    if not overwrite:
        raise trouble(path, "exists already", _IN_THE_WAY)


def _new_file(path: Path) -> Path:
    """An empty file with the permissions that the umask gives, not those of a secret."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return path


def _write(temp: Path, data: bytes) -> None:
    with _new_file(temp).open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _place(temp: Path, target: Path) -> None:
    """Gives the file its name unless that name is taken, in one step."""
    try:
        os.link(temp, target)
    except FileExistsError:
        raise trouble(target, "exists already", _IN_THE_WAY) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here: take the name with an empty file, which fails if somebody has it, then replace that.
        try:
            _new_file(target)
        except FileExistsError:
            raise trouble(target, "exists already", _IN_THE_WAY) from None
        try:
            temp.replace(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _flush_folder(folder: Path) -> None:
    """Makes the new name survive a power cut, where folders can be flushed."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise trouble(path, f"cannot be written: there is no folder {path.parent}", "create it first") from None
    except PermissionError:
        raise trouble(path, "cannot be written (permission denied)", "name another folder with -o") from None
    except OSError as error:
        mend = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "name another file with -o"
        raise trouble(path, f"cannot be written ({cause(error)})", mend) from None
    except ValueError as error:  # a zero byte in the name
        raise PictureError(f"the name {str(path)!r} cannot be used ({cause(error)}); mend: name another file") from None
