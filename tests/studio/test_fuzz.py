"""What nobody thought of: damaged pictures, odd requests, and whatever schemathesis makes of the description."""

from __future__ import annotations

import http.client
import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impasto.errors import ImpastoError
from impasto.studio.children import Bounds, Children
from impasto.studio.decoding import decode
from impasto.studio.limits import Limits
from impasto.studio.room import label

from .conftest import png
from .server import Served, ordered, served, uploaded

LIMITS = Limits()


def _loaded() -> ModuleType:
    """The benchmark that does the same a hundred times as often."""
    path = Path(__file__).parents[2] / "benchmarks" / "studio_fuzz.py"
    spec = importlib.util.spec_from_file_location("studio_fuzz", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["studio_fuzz"] = module
    spec.loader.exec_module(module)
    return module


fuzz: Any = _loaded()


def calm(cases: int) -> settings:
    """So many examples, however long each takes on a machine that does other things too."""
    return settings(max_examples=cases, suppress_health_check=list(HealthCheck), database=None)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("fuzz"), queue=100_000, jobs_per_client=100_000) as running:
        yield running


@pytest.fixture(scope="module")
def child() -> Iterator[Children]:
    family = Children(decode, count=1, bounds=Bounds(30.0, 1 << 30, 10**6, 15.0, network=False))
    family.ask(png(), LIMITS)
    yield family
    family.close()


class TestDecoder:
    @calm(700)
    @given(st.randoms(use_true_random=False))
    def test_damaged_pictures_are_taken_or_refused_in_words(self, child: Children, draw: random.Random) -> None:
        self.look(child, fuzz.damaged(draw))

    @calm(300)
    @given(st.sampled_from([b"", *(seed[:n] for seed in fuzz.seeds() for n in (4, 12, 33))]), st.binary(max_size=3000))
    def test_so_is_anything_else(self, child: Children, start: bytes, rest: bytes) -> None:
        self.look(child, start + rest)

    def look(self, child: Children, data: bytes) -> None:
        try:
            told = child.ask(data, LIMITS)
        except ImpastoError as error:
            assert "fault" not in str(error)
            assert "could not be worked on" not in str(error)  # nobody died of it
            assert "longer" not in str(error)
            return
        assert told.png.startswith(b"\x89PNG")
        assert told.thumbnail.startswith(b"\xff\xd8")

    def test_what_failed_once_is_kept(self, child: Children) -> None:
        for number in (1569, 47348):  # the slowest of a hundred thousand
            self.look(child, fuzz.damaged(random.Random(number)))


class TestRequests:
    @pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled")  # Starlette's, of forms without an end
    def test_odd_ones_are_refused_in_one_line(self, studio: Served) -> None:
        with studio.client() as client:
            photo = uploaded(client)["id"]
        line = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
        try:
            for number in range(1000):
                _, words = fuzz.wrong(random.Random(number), line, photo)
                assert words is None
        finally:
            line.close()

    @calm(200)
    @given(st.text())
    def test_any_name_becomes_a_label(self, name: str) -> None:
        told = label(name)
        assert 0 < len(told) <= 120
        assert told.isprintable()
        assert told == told.strip()
        assert not set(told) & {"/", "\\", "\0", "\n", "\u202e"}
        told.encode()

    def test_bytes_that_are_no_http(self, studio: Served) -> None:
        draw = random.Random(0)
        start = b"POST /api/pictures HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        for _ in range(60):
            data = bytearray(start + b"Content-Length: 5\r\n\r\nhello")
            for _ in range(draw.randrange(1, 6)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            answer = studio.raw(bytes(data), seconds=1)
            assert not answer or 200 <= int(answer.split(b" ", 2)[1]) < 500
        with studio.client() as client:
            assert client.get("/healthz").status_code == 200


def test_what_takes_too_long_or_too_much_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.beyond(10.0, 1 << 30) == 0
    assert capsys.readouterr().out == ""
    assert fuzz.beyond(10.1, 1 << 30) == fuzz.beyond(0.1, 1.1 * (1 << 30)) == 1
    assert fuzz.beyond(11, 1 << 31) == 2
    assert capsys.readouterr().out.count("TOO MUCH") == 4


def checked(studio: Served, cases: int) -> int:
    """Asks schemathesis for cases of every call, good and bad, and lets it judge the answers; how many there were."""
    schemathesis = pytest.importorskip("schemathesis", reason="mend: pip install schemathesis")
    with studio.client() as client:
        photo = uploaded(client)["id"]
        for _ in range(3):
            ordered(client, photo)
    schema = schemathesis.openapi.from_url(f"{studio.address}/api/openapi.json")
    beyond = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]  # no schema says what a picture is
    seen = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @calm(cases)
        @given(operation.as_strategy())
        def judge(case: Any) -> None:
            nonlocal seen
            seen += 1
            case.call_and_validate(base_url=studio.address, timeout=60, excluded_checks=beyond)

        judge()
    with httpx.Client(base_url=studio.address) as client:
        assert client.get("/healthz").status_code == 200
    return seen


def test_the_description_holds(studio: Served) -> None:
    assert checked(studio, 15) >= 150


@pytest.mark.long
def test_the_description_holds_for_long(studio: Served) -> None:
    assert checked(studio, 170) >= 2000
