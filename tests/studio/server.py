"""The studio's server as it runs: its own application on a port of this machine, spoken to over a socket."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from PIL import Image
from sqlalchemy import update

from impasto.cli.studio import _listen
from impasto.studio.app import make_app
from impasto.studio.guard import LOCAL
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.tables import jobs
from impasto.studio.limits import Limits
from impasto.studio.patience import Patience
from impasto.studio.room import Room

from .conftest import STYLE, png

ANNA, BORIS = "anna-0123456789abcdef", "boris-0123456789abcdef"
TOKENS = {"anna": ANNA, "boris": BORIS}
ID = "0123456789abcdef" * 2


@dataclass
class Served:
    """A server that runs.

    Attributes:
        room: what it works with.
        port: where it listens.
    """

    room: Room
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Somebody who calls; his mistakes come back as answers."""
        told = headers | ({"authorization": f"Bearer {token}"} if token else {})
        return httpx.Client(base_url=self.address, headers=told, timeout=60, trust_env=False, verify=False)

    def raw(self, data: bytes, *, read: bool = True, seconds: float = 20) -> bytes:
        """What comes back for bytes as they are, until the server closes or nothing more comes."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as line:
            with suppress(OSError):  # it may answer and close in the middle of it
                line.sendall(data)
            return drained(line) if read else b""


@contextmanager
def served(folder: Path, *, tokens: dict[str, str] | None = None, **limits: Any) -> Iterator[Served]:
    """A server in a thread, without workers."""
    folder.mkdir(exist_ok=True, parents=True)
    told = {"jobs_per_client": 1000, "queue": 1000} | limits
    room = Room(Database(f"sqlite:///{folder / 'jobs.db'}"), str(folder / "pictures"), Limits(**told), tokens or {})
    config = uvicorn.Config(
        make_app(room, hosts=LOCAL), http=Patience, log_config=None, access_log=False, server_header=False,
        proxy_headers=False,
        limit_concurrency=room.limits.connections, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with _listen("127.0.0.1", 0) as line:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [line]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield Served(room, line.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def drained(line: socket.socket) -> bytes:
    """All that comes until the other side closes, or is silent."""
    found = b""
    with suppress(OSError):
        while part := line.recv(65536):
            found += part
    return found


def uploaded(client: httpx.Client, data: bytes | None = None, name: str = "photo.png", kind: str = "photo") -> Any:
    """A picture that was taken, as the answer says."""
    answer = client.post("/api/pictures", files={"file": (name, png() if data is None else data)}, data={"kind": kind})
    assert answer.status_code == 201, answer.text
    return answer.json()


def order(content: str, **more: Any) -> dict[str, Any]:
    """A small job."""
    return {"content": content, "styles": [STYLE], "options": {"size": 32}} | more


def ordered(client: httpx.Client, content: str, **more: Any) -> Any:
    """A job that was taken, as the answer says."""
    answer = client.post("/api/jobs", json=order(content, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx.Response, code: int | tuple[int, ...], words: str = "") -> str:
    """The one line of an answer that says no."""
    assert answer.status_code in (code if isinstance(code, tuple) else (code,)), (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert set(told) == {"error"}
    assert told["error"].strip()
    assert "\n" not in told["error"]
    assert words in told["error"]
    return str(told["error"])


def ended(client: httpx.Client, job: str, seconds: float = 120) -> Any:
    """A job when it is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        told = client.get(f"/api/jobs/{job}").json()
        if told["state"] not in ("queued", "running"):
            return told
        time.sleep(0.1)
    raise AssertionError(f"job {job} does not end: {told}")


def forgotten(served: Served) -> None:
    """Ends every job, as if somebody had painted or cancelled it."""
    with served.room.database.write() as connection:
        connection.execute(update(jobs).values(state="cancelled", finished=0.0, lease=None))


def shown(data: bytes) -> Image.Image:
    """A picture's file, opened and read to its end."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def events(text: str) -> list[tuple[int, str, Any]]:
    """Numbers, kinds and data of server-sent events."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found
