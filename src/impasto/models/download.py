"""Downloads one file: resumed where it broke off, checked before it gets its name, one process at a time."""

from __future__ import annotations

import errno
import hashlib
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from impasto.errors import ModelError
from impasto.models.check import check
from impasto.models.find import Progress
from impasto.models.index import Entry
from impasto.models.lock import locked

TIMEOUT = 30.0  # seconds without a byte
PAUSES = (0.5, 1.5, 4.0)  # seconds before each further attempt; an attempt that got some bytes starts them anew
RESTARTS = 2  # how often to begin anew when what was fetched so far turns out to be of another file
BLOCK = 1 << 18
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _TryAgain(Exception):  # noqa: N818 - not an error yet
    """This attempt failed in a way that the next may not."""


class _Changed(Exception):  # noqa: N818
    """What lies in the .part file is not the beginning of what the server has."""


@dataclass
class _Job:
    """One file under way.

    Attributes:
        model: what it is.
        part: where it grows.
        beat: sign of life to the lock.
        progress: bytes done, bytes in all.
        pauses: seconds before each further attempt.
        etag: what the server called the version that `part` is from, "" when it did not say.
        total: bytes in all, 0 while nobody has said.
    """

    model: Entry
    part: Path
    beat: Callable[[], None]
    progress: Progress
    pauses: Sequence[float]
    etag: str = ""
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = self.model.bytes

    def done(self) -> int:
        """Bytes in the .part file."""
        return self.part.stat().st_size if self.part.exists() else 0


def download(model: Entry, folder: Path, *, progress: Progress | None = None, pauses: Sequence[float] = PAUSES) -> Path:
    """Downloads `model` into `folder`, from the first of its addresses that works.

    Another process that downloads the same file is waited for. A .part file that an earlier run left is continued.

    Args:
        model: what to download.
        folder: created when it is missing.
        progress: called with bytes done and bytes in all (0 while the server has not said).
        pauses: seconds before each further attempt.

    Returns:
        The file, its sha256 checked.

    Raises:
        ModelError: when no address works, the file there is another one, or `folder` cannot take it.
    """
    target = folder / model.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(target) as beat:
            if not _ready(target, model):
                job = _Job(model, folder / f"{model.file}.part", beat, progress or (lambda _done, _total: None), pauses)
                _from_any(job)
                job.part.replace(target)
                check(target, model)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else (error.strerror or str(error))
        raise ModelError(
            f"cannot write {model.file} into {folder}: {why}; "
            "free some space, or set IMPASTO_MODELS to a folder that can be written"
        ) from error
    return target


def _ready(target: Path, model: Entry) -> bool:
    try:
        check(target, model)
    except ModelError:
        return False
    return True


def _from_any(job: _Job) -> None:
    """Tries one address after the other; the last one's error is the one to tell."""
    for number, url in enumerate(job.model.urls, 1):
        try:
            return _from_one(job, url)
        except ModelError:
            if number == len(job.model.urls):
                raise
    raise ModelError(f"{job.model.name} cannot be downloaded: it has no address")


def _from_one(job: _Job, url: str) -> None:
    """Leaves a complete and checked .part file."""
    job.etag, job.total = "", job.model.bytes
    resumed = job.done() > 0
    attempt = restarts = 0
    while True:
        before = job.done()
        try:
            if not (job.total and before == job.total):
                _attempt(job, url)
            return _check_hash(job, url, resumed=resumed)
        except _Changed:
            job.part.unlink(missing_ok=True)
            job.etag, resumed, restarts = "", False, restarts + 1
            if restarts > RESTARTS:
                raise ModelError(f"{url} sends something else than {job.model.name}; {_by_hand(job)}") from None
        except _TryAgain as why:
            attempt = 0 if job.done() > before else attempt + 1
            if attempt > len(job.pauses):
                raise ModelError(f"cannot download {job.model.name} from {url}: {why}; {_by_hand(job)}") from why
            if attempt:
                time.sleep(job.pauses[attempt - 1])
        job.beat()


def _check_hash(job: _Job, url: str, *, resumed: bool) -> None:
    with job.part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest.startswith(job.model.sha256):
        return
    if resumed:  # the beginning may be from another day and another file
        raise _Changed
    job.part.unlink()
    raise ModelError(
        f"the file at {url} is not {job.model.name}: its sha256 is {digest[:16]}... instead of "
        f"{job.model.sha256[:16]}...; it was removed. Try again later, or {_by_hand(job)}"
    )


def _by_hand(job: _Job) -> str:
    return f"put {job.model.file} into {job.part.parent} by hand"


def _attempt(job: _Job, url: str) -> None:
    """One request; appends to the .part file until the server stops sending."""
    start = job.done()
    if job.total and start > job.total:
        raise _Changed
    with _open(job, url, start) as response:
        start = _agree(job, response, start)
        _room(job, start)
        with job.part.open("ab" if start else "wb") as file:
            _copy(job, response, file, start)


def _open(job: _Job, url: str, start: int) -> HTTPResponse:
    headers = {"User-Agent": "impasto", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if job.etag:
            headers["If-Range"] = job.etag
    _check_url(url)
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        response: HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(job, url, error.code) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise ModelError(f"{url} has no valid certificate ({reason.verify_message}); {_by_hand(job)}") from error
        raise _TryAgain(str(reason) or type(reason).__name__) from error
    return response


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK)
    except (OSError, HTTPException) as error:
        raise _TryAgain(str(error) or type(error).__name__) from error


def _agree(job: _Job, response: HTTPResponse, start: int) -> int:
    """Where in the file the response's body begins; notes what the server says about the whole."""
    length = response.headers.get("Content-Length", "")
    etag = response.headers.get("ETag", "")
    job.etag = "" if etag.startswith("W/") else etag
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        if unit != "bytes" or rest.partition("-")[0] != str(start):
            raise _Changed
        whole = rest.partition("/")[2]
    else:
        start, whole = 0, length
    if whole.isdigit():
        if job.model.bytes and int(whole) != job.model.bytes:
            raise ModelError(
                f"the file at {response.url} is not {job.model.name}: it has {whole} bytes instead of "
                f"{job.model.bytes}; {_by_hand(job)}"
            )
        job.total = int(whole)
    return start


def _room(job: _Job, start: int) -> None:
    free = shutil.disk_usage(job.part.parent).free
    if job.total - start > free:
        raise OSError(errno.ENOSPC, "no space left")


def _copy(job: _Job, response: HTTPResponse, file: IO[bytes], done: int) -> None:
    """Body to file; a body that ends early is a broken connection."""
    job.progress(done, job.total)
    while block := _read(response):
        file.write(block)
        done += len(block)
        if job.total and done > job.total:
            raise _Changed
        job.progress(done, job.total)
        job.beat()
    if job.total and done < job.total:
        raise _TryAgain(f"the connection broke off after {done} of {job.total} bytes")


def _refusal(job: _Job, url: str, code: int) -> Exception:
    if code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return _Changed()
    if code in (408, 429) or code >= 500:
        return _TryAgain(f"the server answers {code}")
    return ModelError(f"cannot download {job.model.name}: {url} answers {code}; {_by_hand(job)}")


def _check_url(url: str) -> None:
    """https, or this very machine (tests, a local mirror)."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ModelError(f"{url} is not https; nothing is downloaded from there")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """As the base class, once the address has been checked."""
        _check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
