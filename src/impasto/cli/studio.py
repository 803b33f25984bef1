"""`impasto studio`: the web page and the HTTP API, with workers of their own, in one command."""

from __future__ import annotations

import ipaddress
import re
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import platformdirs
import typer

from impasto.cli.worker import COUNT, DATABASE, STORE, need_extra, places
from impasto.errors import ImpastoError, OptionError

if TYPE_CHECKING:
    import uvicorn

    from impasto.studio.jobs.crew import Crew
    from impasto.studio.room import Room

PORT = 7400
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
READ_SECONDS = 60.0

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="where to listen; others than this machine need a --token")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free")]
Token = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME:SECRET",
        envvar="IMPASTO_STUDIO_TOKEN",
        help="who may come in; may be given more than once, each sees only his own; as a variable nobody else reads it",
    ),
]
Allow = Annotated[
    list[str] | None, typer.Option("--allow-host", metavar="NAME", help="a name under which browsers reach it")
]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="open the page")]


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command."""

    @app.command(name, help=text)
    def studio(
        host: Host = "127.0.0.1", port: Port = PORT, database: DATABASE = None, store: STORE = None,
        workers: COUNT = 1, token: Token = None, allow_host: Allow = None, browser: Browser = True,
    ) -> None:  # fmt: skip
        need_extra()
        _serve(host, port, *places(database, store, Path(platformdirs.user_data_dir("impasto")) / "studio"),
               workers=workers, tokens=_tokens(token or []), names=allow_host or [], browser=browser)  # fmt: skip


def _serve(
    host: str, port: int, database: str, store: str, *, workers: int, tokens: dict[str, str], names: Sequence[str],
    browser: bool,
) -> None:  # fmt: skip
    """Until Ctrl-C."""
    import uvicorn

    from impasto.studio import logs
    from impasto.studio.app import make_app
    from impasto.studio.jobs.crew import Crew
    from impasto.studio.jobs.database import Database
    from impasto.studio.limits import Limits
    from impasto.studio.memory import few_arenas
    from impasto.studio.patience import Patience
    from impasto.studio.room import Room
    from impasto.studio.store import Store

    hosts = _hosts(host, names)
    if not _is_local(host) and not tokens:
        raise OptionError(
            f"--host {host} lets others in; mend: --token NAME:SECRET, with a secret of 16 letters or more"
        )
    limits = Limits.from_environment()
    Store(store)
    room = Room(Database(database), store, limits, tokens)
    logs.begin()
    few_arenas()
    config = uvicorn.Config(
        make_app(room, hosts=hosts), http=Patience, log_config=None, access_log=False, server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections, timeout_keep_alive=15, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    line = _listen(host, port)
    secret = next(iter(tokens.values()), "")
    name = (names[0] if names else "127.0.0.1") if host in ANYWHERE else _shown(host)
    address = f"http://{name}:{line.getsockname()[1]}/"
    typer.echo(f"impasto studio: {address}{'?token=' + secret if secret else ''}  (Ctrl-C ends it)")
    if not _is_local(host):
        typer.echo("impasto studio: others can reach it, over plain HTTP; put a proxy with TLS before it", err=True)
    if browser:
        _open_when_up(server, address + (f"?token={secret}" if secret else ""))
    crew = Crew(database, store, count=workers, stop_seconds=limits.stop_seconds)
    with crew, line, _ended_by_signals(server, room, crew):
        server.run(sockets=[line])


@contextmanager
def _ended_by_signals(server: uvicorn.Server, room: Room, crew: Crew) -> Iterator[None]:
    """SIGTERM and Ctrl-C end it in good order, workers included; its own way would end this process at once."""

    def end(number: int, _: FrameType | None) -> None:
        server.force_exit = server.should_exit and number == signal.SIGINT
        server.should_exit = True
        room.ending.set()
        crew.leave()  # while the last callers are answered

    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    """The socket, bound before anything is begun, so that a port that is taken is told in one line."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        line = socket.socket(family, kind, protocol)  # asyncio answers TCP without delay where it is called by its name
    except OSError as error:
        raise ImpastoError(f"--host {host} is no address of this machine ({_why(error)})") from None
    try:
        if sys.platform != "win32":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # who does not read what he asked for keeps no connection
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000))
        line.bind(address)
        line.listen(128)  # from here on browsers wait instead of being refused
    except OSError as error:
        line.close()
        raise ImpastoError(f"{host}:{port} cannot be listened on ({_why(error)}); mend: --port {port + 1}") from None
    line.set_inheritable(False)
    return line


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _open_when_up(server: uvicorn.Server, address: str) -> None:
    def wait() -> None:
        while not server.started and not server.should_exit:
            threading.Event().wait(0.05)
        webbrowser.open(address)

    threading.Thread(target=wait, daemon=True).start()


def _tokens(words: Sequence[str]) -> dict[str, str]:
    """NAME:SECRET words; a secret alone is everybody's.

    Raises:
        OptionError: when a secret is short enough to be guessed, or does not fit into a cookie; when two have one name.
    """
    found: dict[str, str] = {}
    for word in words:
        name, colon, secret = word.rpartition(":")
        if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", secret):
            raise OptionError("--token needs a secret of 16 to 128 letters, digits, - or _; mend: openssl rand -hex 16")
        if colon and not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name):
            raise OptionError(f"--token {name!r} is no name; give letters, digits, . - or _")
        name = name or "guest"
        if name in found:  # one of the two would be locked out without a word
            raise OptionError(f"--token is given twice for {name}; mend: NAME:SECRET, with another name for each")
        found[name] = secret
    return found


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hosts(host: str, names: Sequence[str]) -> tuple[str, ...]:
    own = () if host in ANYWHERE else (_shown(host).lower(),)
    return ("localhost", "127.0.0.1", "[::1]", *own, *(name.lower() for name in names))


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
