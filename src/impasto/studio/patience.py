"""Connections on which nothing comes: each takes a place, and a few hundred would take them all."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

FIRST_SECONDS = 10.0
"""That a new connection may wait before its first byte, and a request's head until it is whole."""


class Patience(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, but for connections that say nothing: those are closed after a while."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As before, with the clock started that is otherwise started after an answer."""
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """As before."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As before; whoever has begun another request is to come to the end of its head."""
        super().data_received(data)
        self._look(begun=True)

    def on_response_complete(self) -> None:
        """As before; part of the next request may be here already."""
        super().on_response_complete()
        self._look(begun=bool(self.conn.trailing_data[0]))

    def _look(self, *, begun: bool) -> None:
        """The clock runs from a head's first byte to its last; what comes in between does not set it back."""
        if not self._waits:
            self._end()
        elif begun and self._late is None:
            self._start()

    @property
    def _waits(self) -> bool:
        """Whether no request is whole that is yet to be answered."""
        return self.cycle is None or self.cycle.response_complete

    def _start(self) -> None:
        self._late = self.loop.call_later(FIRST_SECONDS, self._close_if_silent)

    def _end(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close_if_silent(self) -> None:
        self._late = None
        if self._waits and not self.transport.is_closing():
            self.transport.close()
