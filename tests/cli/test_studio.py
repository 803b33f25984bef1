"""`impasto studio` and `impasto worker` from a shell: what is refused at once, and a start and an end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Run

SECRET = "0123456789abcdef"


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A studio of its own on a free port, and the line that it greets with."""
    command = [sys.executable, "-m", "impasto", "studio", "--no-browser", "--port", "0", *words]
    places = {"XDG_DATA_HOME": str(folder / "data"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **places}
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def answer(address: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as response:
        return str(response.read().decode())


def test_a_public_address_is_told_by_a_name_that_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_STUDIO_TOKEN", f"anna:{SECRET} ben:{SECRET}2")
    words = ("--host", "0.0.0.0", "--allow-host", "localhost", "--workers", "0")
    with running(folder, *words) as (process, greeting):
        address = greeting.split()[2]
        assert address.startswith("http://localhost:")
        assert "Impasto" in answer(address.partition("?")[0], Authorization=f"Bearer {SECRET}2")
        process.terminate()
        assert process.stderr
        assert "put a proxy with TLS before it" in process.stderr.read()


class TestRefused:
    def test_a_public_address_without_a_token(self, impasto: Run) -> None:
        ran = impasto("studio", "--host", "0.0.0.0", "--no-browser")
        assert ran.code == 2
        assert "--token" in ran.err
        assert ran.err.count("\n") == 1

    @pytest.mark.parametrize("token", ["short", "anna:short", "an na:" + SECRET, "anna:" + "ä" * 20])
    def test_a_token_that_is_none(self, impasto: Run, token: str) -> None:
        ran = impasto("studio", "--token", token, "--no-browser")
        assert ran.code == 2
        assert ran.err.count("\n") == 1

    @pytest.mark.parametrize("name", ["", "anna:"])
    def test_two_tokens_of_one_name(self, impasto: Run, name: str) -> None:
        two = ("--token", f"{name}{SECRET}", "--token", f"{name}{SECRET}2")
        ran = impasto("studio", *two, "--no-browser", "--store", "nowhere://bucket")  # so that it ends in any case
        assert ran.code == 2
        assert "--token is given twice for" in ran.err
        assert ran.err.count("\n") == 1

    def test_a_port_that_is_taken(self, impasto: Run, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            ran = impasto("studio", "--port", str(port), "--no-browser", "--store", str(folder / "pictures"))
        assert ran.code == 2
        assert f"--port {port + 1}" in ran.err

    @pytest.mark.parametrize(
        "words",
        [
            ["--database", "nothing"],
            ["--database", "mysql://here/there"],
            ["--database", "sqlite:////no/such/folder/jobs.db"],
            ["--store", "nowhere://bucket"],
            ["--store", "/proc/no"],
        ],
    )
    def test_places_that_are_none(self, impasto: Run, folder: Path, words: list[str]) -> None:
        given = {"--database": f"sqlite:///{folder / 'jobs.db'}", "--store": str(folder / "pictures")}
        given[words[0]] = words[1]
        ran = impasto("studio", "--no-browser", "--port", "0", *[part for pair in given.items() for part in pair])
        assert ran.code == 2, ran.err
        assert ran.err.count("\n") == 1

    def test_a_limit_that_is_none(self, impasto: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IMPASTO_STUDIO_QUEUE", "many")
        ran = impasto("studio", "--no-browser")
        assert ran.code == 2
        assert "queue" in ran.err

    def test_a_worker_without_places(self, impasto: Run) -> None:
        ran = impasto("worker")
        assert ran.code == 2
        assert "--database" in ran.err


class TestRuns:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_greets_answers_and_leaves(self, folder: Path, number: int) -> None:
        with running(folder) as (process, greeting):
            address = re.search(r"http://127\.0\.0\.1:\d+/", greeting)
            assert address
            assert "<html" in answer(address[0]).lower()
            assert len(json.loads(answer(address[0] + "api/styles"))) >= 10
            process.send_signal(number)
            assert process.wait(30) == 0
        assert (folder / "data" / "impasto" / "studio" / "jobs.db").exists()

    def test_a_token_opens_the_door(self, folder: Path) -> None:
        with running(folder, "--workers", "0", "--token", SECRET) as (_, greeting):
            address = re.search(r"http://127\.0\.0\.1:\d+/", greeting)
            assert address
            assert f"?token={SECRET}" in greeting
            assert json.loads(answer(address[0] + "api/jobs", Authorization=f"Bearer {SECRET}")) == []
            with pytest.raises(urllib.error.HTTPError, match="401"):
                answer(address[0] + "api/jobs")
