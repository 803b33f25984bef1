"""Connections that only take places."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from .server import served


def test_a_connection_that_says_nothing_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.studio.patience.FIRST_SECONDS", 0.3)
    with served(tmp_path) as studio:
        for said in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
            with socket.create_connection(("127.0.0.1", studio.port), timeout=30) as line:
                line.sendall(said)
                assert line.recv(100) == b""
        assert httpx.get(f"{studio.address}/healthz").text == "ok"


def test_so_is_one_that_stops_in_its_second_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.studio.patience.FIRST_SECONDS", 0.5)
    whole, half = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: loc"
    with served(tmp_path) as studio:
        for said in ((whole, half), (whole + half,)):
            with socket.create_connection(("127.0.0.1", studio.port), timeout=10) as line:
                for part in said:
                    line.sendall(part)
                    if whole in part:
                        assert b"200 OK" in line.recv(1000)
                while line.recv(1000):
                    pass


def test_between_requests_one_may_be_silent_for_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.studio.patience.FIRST_SECONDS", 0.5)
    with served(tmp_path) as studio, socket.create_connection(("127.0.0.1", studio.port), timeout=10) as line:
        for _ in range(3):
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            time.sleep(0.1)
            line.sendall(b"\r\n")
            answer = b""
            while not answer.endswith(b"ok"):
                answer += line.recv(1000)
                assert answer
            time.sleep(1.0)


def test_places_come_back_from_the_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.studio.patience.FIRST_SECONDS", 1.0)
    with served(tmp_path, connections=8) as studio, ExitStack() as opened:
        for _ in range(8):
            opened.enter_context(socket.create_connection(("127.0.0.1", studio.port)))
        until = time.monotonic() + 60
        while httpx.get(f"{studio.address}/healthz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_who_is_one_too_many_is_told_so(tmp_path: Path) -> None:
    with served(tmp_path, connections=8) as studio, ExitStack() as opened:
        for _ in range(7):
            opened.enter_context(socket.create_connection(("127.0.0.1", studio.port)))
        answer = httpx.get(f"{studio.address}/healthz")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (503, "text/plain")
        assert answer.headers["connection"] == "close"


def test_a_request_that_stops_in_its_middle_is_ended(tmp_path: Path) -> None:
    head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with served(tmp_path, body_seconds=1.0) as studio:
        assert studio.raw(head + b"Content-Length: 100\r\n\r\n{").startswith(b"HTTP/1.1 408 ")
