"""Who may come in: hosts, origins, tokens, sizes; and what every answer tells the browser. Plain ASGI.

A browser can be made to send requests to this machine by any page it shows. So the name in `Host` must be one of ours
(or a rebound name would read answers), and whatever changes something must come from our own page or from no page.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impasto.studio.errors import BusyError
from impasto.studio.limits import Limits

COOKIE = "impasto_token"
LOCAL = ("localhost", "127.0.0.1", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
LISTEN_SECONDS = 2.0
OPEN_PATHS = ("/healthz", "/readyz", "/page/style.css", "/page/icon.svg")
"""What needs no token: signs of life, and what the page at the door is drawn with."""

DOOR = Path(__file__).parent / "page" / "door.html"
_WRONG = b'<p class="trouble" role="alert">That token is not known here.</p>'

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Rules:
    """Who may come in.

    Attributes:
        hosts: names under which the studio answers, without ports.
        tokens: name -> secret of everybody who may; empty where only this machine reaches the port.
        limits: how large a request may be.
        arrival: entered with the most bytes that an upload may have, before any is read; raises BusyError where there
            is no room for them.
    """

    hosts: Sequence[str]
    tokens: dict[str, str]
    limits: Limits
    arrival: Callable[[int], AbstractContextManager[object]] = nullcontext

    def owner_of(self, secret: str) -> str | None:
        """Whose secret it is; takes as long for a wrong one as for a right one."""
        given, found = hashlib.sha256(secret.encode()).digest(), None
        for name, known in self.tokens.items():
            if hmac.compare_digest(given, hashlib.sha256(known.encode()).digest()):
                found = name
        return found


class Guard:
    """Stands before the application."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":  # there are none here
            await send({"type": "websocket.close"})
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if refused:
            await _answer(send, *refused, receive=receive)
            return
        if secret := self._handed_over(scope):
            await _let_in(send, secret)
            return
        owner = self._owner(scope, headers)
        if owner is None:
            why = "a token is needed; open the address that `impasto studio` printed"
            await _answer(send, 401, why, receive=receive, page=_door(scope, headers))
            return
        address = (scope.get("client") or ["local"])[0]
        client = owner if self._rules.tokens else address  # who has a token is one, from however many places he calls
        scope.setdefault("state", {})
        scope["state"] |= {"owner": owner, "client": client[:64]}
        # Parts of files are of no use here, and have been a way to make servers work hard (CVE-2025-62727).
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"range"]
        heard = _counted(receive, self._limit(scope), self._rules.limits.body_seconds)
        with ExitStack() as inside:
            if _is_upload(scope):
                try:
                    told = None if "transfer-encoding" in headers else headers.get("content-length")
                    inside.enter_context(self._rules.arrival(self._limit(scope) if told is None else int(told)))
                except BusyError as error:
                    await _answer(send, 429, str(error), receive=receive, retry_after=error.retry_after)
                    return
            await self._app(scope, heard, with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._rules.hosts:
            return 421, "this name is not one of the studio's; mend: impasto studio --allow-host NAME"
        if scope["method"] not in SAFE:
            origin, site, own = headers.get("origin"), headers.get("sec-fetch-site"), hosts[0].lower()
            if origin is not None and origin.lower() not in (f"http://{own}", f"https://{own}"):
                return 403, "requests from other pages are refused"
            if site is not None and site not in ("same-origin", "none"):
                return 403, "requests from other pages are refused"
        length = headers.get("content-length")
        if length is not None and not re.fullmatch(r"[0-9]{1,15}", length):
            return 400, "the length of the request is no number"
        if length is not None and int(length) > self._limit(scope):
            return 413, _too_many(self._limit(scope))
        return None

    def _limit(self, scope: Scope) -> int:
        limits = self._rules.limits
        return limits.upload_bytes + limits.body_bytes if _is_upload(scope) else limits.body_bytes

    def _handed_over(self, scope: Scope) -> str | None:
        """A right secret in the address of the page: it moves into a cookie, and out of the address."""
        if not self._rules.tokens or scope["path"] != "/" or scope["method"] != "GET":
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return given if given and self._rules.owner_of(given) else None

    def _owner(self, scope: Scope, headers: Headers) -> str | None:
        if not self._rules.tokens or scope["path"] in OPEN_PATHS:
            return "local"
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._rules.owner_of(secret.strip())
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)  # other programs of this machine set some too
        return self._rules.owner_of(cookie) if cookie else None


def _is_upload(scope: Scope) -> bool:
    return bool(scope["path"] == "/api/pictures" and scope["method"] == "POST")


def _name(host: str) -> str:
    """A host's name without its port."""
    return re.sub(r":[0-9]+\Z", "", host).lower()


def _counted(receive: Receive, limit: int, seconds: float) -> Receive:
    """A body of so many bytes at most, with no longer pauses than that; whoever listens on afterwards may wait."""
    seen, whole = 0, False

    async def count() -> Message:
        nonlocal seen, whole
        try:
            async with asyncio.timeout(None if whole else seconds):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the request did not come to its end", {"connection": "close"}) from None
        whole = not message.get("more_body")
        seen += len(message.get("body", b""))
        if seen > limit:  # more than was announced, or nothing was
            raise HTTPException(413, _too_many(limit), {"connection": "close"})
        return message

    return count


def with_headers(send: Send) -> Send:
    """Adds what every answer tells the browser."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return add


def _too_many(limit: int) -> str:
    return f"at most {limit} bytes are taken"


def _door(scope: Scope, headers: Headers) -> bytes | None:
    """A page that asks for the token, for somebody who looks at ours with a browser; None for programs."""
    if scope["path"] != "/" or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
        return None
    wrong = "token" in parse_qs(scope["query_string"].decode("latin-1"))
    return _door_page().replace(b"<!-- trouble -->", _WRONG if wrong else b"")


@cache
def _door_page() -> bytes:
    return DOOR.read_bytes()


async def _answer(
    send: Send, status: int, error: str, *, receive: Receive, page: bytes | None = None, retry_after: int | None = None
) -> None:
    """Refuses; the connection ends with it, as a body may be on its way that nobody will read."""
    body = page or json.dumps({"error": error}).encode()
    kind = b"text/html; charset=utf-8" if page else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    headers += [(b"retry-after", str(retry_after).encode())] if retry_after else []
    out = with_headers(send)
    await out({"type": "http.response.start", "status": status, "headers": headers})
    await out({"type": "http.response.body", "body": body, "more_body": True})
    await _listen_on(receive)
    await out({"type": "http.response.body", "body": b""})


async def _listen_on(receive: Receive) -> None:
    """Lets a client end, for a while: one whose line is cut while it sends may never see the answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_SECONDS):
            while (await receive()).get("more_body"):
                pass


async def _let_in(send: Send, secret: str) -> None:
    cookie: SimpleCookie = SimpleCookie()
    cookie[COOKIE] = secret
    cookie[COOKIE] |= {"httponly": True, "samesite": "Strict", "path": "/"}
    headers = [(b"location", b"/"), (b"set-cookie", cookie[COOKIE].OutputString().encode()), (b"content-length", b"0")]
    out = with_headers(send)
    await out({"type": "http.response.start", "status": 303, "headers": headers})
    await out({"type": "http.response.body", "body": b""})
