"""Connections on which nothing comes: each takes a place, and a few hundred would take them all."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

FIRST_SECONDS = 10.0
"""That a new connection may wait before its first byte, and a request's head until it is whole."""


class Patience(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, but for connections that say nothing: those are closed after a while."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As before, with the clock started that is otherwise started after an answer."""
        super().connection_made(transport)
        self._late = self.loop.call_later(FIRST_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """As before."""
        self._late.cancel()
        super().connection_lost(exc)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():  # no request is whole yet
            self.transport.close()
