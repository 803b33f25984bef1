"""A cache and a models folder of each test's own, made-up entries, and a web server on this machine."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from impasto.models import index, places
from impasto.models.index import Entry

BODY = bytes(range(256)) * 400  # 100 kB
ETAG = '"one"'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models folder: `IMPASTO_MODELS`, empty and not yet made. The cache is another."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("IMPASTO_OFFLINE", raising=False)
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(places, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    return tmp_path / "models"


def model_of(body: bytes = BODY, *sources: str, **changes: Any) -> Entry:
    """An entry for a file that holds `body`."""
    entry = Entry(
        name="toy", file="toy.bin", what="a toy", licence="MIT", paper="Nobody 2020, Nothing", sources=sources,
        sha256=hashlib.sha256(body).hexdigest(), bytes=len(body),
    )  # fmt: skip
    return replace(entry, **changes)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Entry], Entry]:
    """Makes the index hold one entry, and that only."""

    def only(entry: Entry) -> Entry:
        monkeypatch.setattr(index, "_table", lambda: {entry.name: entry})
        return entry

    return only


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """Answers with what `plan` says, one answer a request, and then with the whole body or the range asked for.

    Attributes:
        url: of the file.
        plan: what to do with the next requests.
        ranges: the Range header of every request so far, "" without one.
        if_ranges: likewise, the If-Range header.
    """

    url: str = ""
    plan: list[Answer] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    if_ranges: list[str] = field(default_factory=list)


class QuietServer(ThreadingHTTPServer):
    """Says nothing when a client hangs up."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.ranges.append(self.headers.get("Range", ""))
            state.if_ranges.append(self.headers.get("If-Range", ""))
            (state.plan.pop(0) if state.plan else send())(self)

        def log_message(self, *_args: object) -> None:
            pass

    httpd = QuietServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}/toy.bin"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def send(
    body: bytes = BODY, *, cut: int | None = None, ranges: bool = True, length: bool = True, etag: str = ETAG,
    wait: Callable[[], object] = lambda: None,
) -> Answer:  # fmt: skip
    """The body, or the range of it that was asked for.

    Args:
        body: what the server has.
        cut: break off after so many bytes.
        ranges: whether the server knows Range.
        length: whether it says how long the body is.
        etag: what it calls this version.
        wait: called between headers and body.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked, condition = handler.headers.get("Range", ""), handler.headers.get("If-Range", etag)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and ranges and condition == etag else 0
        if start >= len(body):
            return status(416)(handler)
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if length:
            handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("ETag", etag)
        handler.end_headers()
        wait()
        rest = body[start:][:cut]
        handler.wfile.write(rest)
        return None

    return answer


def status(code: int, **headers: str) -> Answer:
    """An answer without a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for `condition`; fails when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
