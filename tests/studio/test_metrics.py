"""Figures and logs: complete, readable for machines, and without a word of a user's."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from unittest.mock import Mock

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from impasto.errors import OptionError
from impasto.studio import logs
from impasto.studio.errors import AwayError, BusyError
from impasto.studio.jobs import worker
from impasto.studio.jobs.watch import Patience
from impasto.studio.jobs.worker import Worker
from impasto.studio.metrics import METHODS, STATES

from .conftest import png, silence
from .server import ANNA, TOKENS, Served, ordered, refused, served, uploaded

SECRET = "grandmother-in-paris"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("metrics")) as running:
        yield running


@pytest.fixture
def client(studio: Served) -> Iterator[httpx.Client]:
    with studio.client() as one:
        yield one


def figures(client: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every figure, by its name and its labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def one(client: httpx.Client, name: str, **labels: str) -> float:
    return figures(client).get((name, frozenset(labels.items())), 0.0)


def test_all_that_was_promised_is_there(client: httpx.Client) -> None:
    ordered(client, uploaded(client)["id"])
    names = {name for name, _ in figures(client)}
    assert names >= {
        "impasto_jobs", "impasto_workers", "impasto_wait_seconds_mean", "impasto_run_seconds_mean", "impasto_streams",
        "impasto_oldest_wait_seconds", "impasto_steps_per_second", "impasto_disk_free_bytes",
        "impasto_requests_total", "impasto_request_seconds_bucket", "impasto_decode_seconds_count",
        "process_resident_memory_bytes", "process_open_fds",
    }  # fmt: skip
    assert {dict(labels)["state"] for name, labels in figures(client) if name == "impasto_jobs"} == set(STATES)


def test_jobs_are_counted(client: httpx.Client) -> None:
    before = one(client, "impasto_jobs", state="queued")
    ordered(client, uploaded(client)["id"])
    assert one(client, "impasto_jobs", state="queued") == before + 1
    assert one(client, "impasto_oldest_wait_seconds") > 0
    assert one(client, "impasto_disk_free_bytes") > 0


def test_steps_of_running_jobs_are_counted(studio: Served, client: httpx.Client) -> None:
    ordered(client, uploaded(client)["id"])
    claim = studio.room.queue.claim("test")
    assert claim
    studio.room.queue.tell(claim, "progress", {}, {"step": 30, "seconds": 10.0})
    assert one(client, "impasto_steps_per_second") == 3
    studio.room.queue.finish(claim, "done")
    assert one(client, "impasto_steps_per_second") == 0
    assert one(client, "impasto_workers") == 1


SAYS = {
    "memory": MemoryError(),
    "fault": ZeroDivisionError("division by zero"),
    "store": AwayError("the store of pictures does not answer; mend: try again"),
    "order": OptionError("steps is too much; mend: fewer"),
}
"""What painting may end with, by what that is called."""


def test_failed_jobs_are_counted_by_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons are told apart by the words of those who give them, so each is given by whoever really does."""
    with served(tmp_path, attempts=1) as studio, studio.client() as client:
        photo, room = uploaded(client)["id"], studio.room
        reasons = {"worker", "hung", *SAYS}

        def counted() -> dict[str, float]:
            return {reason: one(client, "impasto_jobs_failed", reason=reason) for reason in reasons}

        def fails(reason: str) -> str:
            job = ordered(client, photo)["id"]
            claim = room.queue.claim("test")
            assert claim
            assert claim.id == job
            if reason == "worker":
                silence(room.database, job)
                room.queue.claim("another")
                return str(job)
            painter = Worker(room.database, room.store, room.limits, Event(), end=lambda _: None)
            if reason == "hung":
                patience = Patience(room.limits)
                why = patience.over(time.monotonic() + room.limits.silent_seconds + 1, stopping=False)
                painter._hung(claim, str(why))
            else:
                monkeypatch.setattr(worker, "perform", Mock(side_effect=SAYS[reason]))
                painter._work(claim)
            return str(job)

        before = dict.fromkeys(reasons, 0.0)
        assert counted() == before
        for reason in sorted(reasons):
            job = fails(reason)
            before[reason] += 1
            assert counted() == before, client.get(f"/api/jobs/{job}").json()["error"]
        labels = {dict(told)["reason"] for name, told in figures(client) if name == "impasto_jobs_failed"}
        assert labels == reasons


def test_refused_pictures_are_counted_by_reason(studio: Served, client: httpx.Client) -> None:
    def counts(data: bytes, reason: str) -> None:
        before = one(client, "impasto_decode_refused_total", reason=reason)
        client.post("/api/pictures", files={"file": data})
        assert one(client, "impasto_decode_refused_total", reason=reason) == before + 1

    for data, reason in ((b"x", "kind"), (b"", "kind"), (png()[:200], "damaged")):
        counts(data, reason)
    with ExitStack() as others:
        with suppress(BusyError):
            while True:
                others.enter_context(studio.room.decoders.place())
        counts(png(), "busy")


@pytest.mark.parametrize(
    ("status", "method", "headers"),
    [
        (421, "GET", {"host": f"{SECRET}.example"}),
        (403, "POST", {"origin": f"http://{SECRET}.example"}),
        (403, "DELETE", {"sec-fetch-site": "cross-site"}),
        (413, "POST", {"content-length": "99999999"}),
        (401, "GET", {"authorization": f"Bearer {SECRET}"}),
        (401, "GET", {"cookie": f"impasto_token={SECRET}"}),
    ],
)
def test_who_is_not_let_in_is_counted(tmp_path: Path, status: int, method: str, headers: dict[str, str]) -> None:
    with served(tmp_path, tokens=TOKENS) as studio, studio.client(ANNA) as anna, studio.client() as stranger:
        before = one(anna, "impasto_requests_total", route="none", method=method, status=str(status))
        allowed = {"authorization": f"Bearer {ANNA}"} if status != 401 else {}
        told = {"host": "localhost", "connection": "close"} | allowed | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        assert studio.raw(f"{method} /api/jobs HTTP/1.1\r\n{lines}\r\n".encode()).startswith(b"HTTP/1.1 %d" % status)
        after = one(anna, "impasto_requests_total", route="none", method=method, status=str(status))
        assert after == before + 1
        assert SECRET not in anna.get("/metrics").text
        assert stranger.get("/metrics").status_code == 401


def test_what_clients_make_up_is_no_label(client: httpx.Client) -> None:
    before = {(name, labels) for name, labels in figures(client)}
    for n in range(20):
        client.get(f"/{SECRET}/{n}")
        client.get(f"/api/pictures/{SECRET}-{n}")
        client.get(f"/page/{SECRET}-{n}.js")
        client.get(f"/api/jobs?{SECRET}={n}")
        client.request(f"{SECRET.upper()}{n}", "/api/jobs")
    after = {(name, labels) for name, labels in figures(client)}
    new = {labels for name, labels in after - before if name == "impasto_requests_total"}
    assert len(new) <= 5
    for _, labels in after:
        for name, value in labels:
            assert SECRET not in value.lower()
            if name == "method":
                assert value in (*METHODS, "other")
            if name == "route":
                assert value == "none" or re.fullmatch(r"(/[a-z{}.]*)+", value), value


def test_names_of_pictures_are_nowhere(client: httpx.Client) -> None:
    uploaded(client, name=f"{SECRET}.png")
    assert SECRET not in client.get("/metrics").text


def test_lines_are_json_without_words_of_users() -> None:
    told = record("app", "begins", {"job": "1", "label": SECRET, "seconds": 2})
    assert told == {"time": told["time"], "level": "info", "part": "app", "message": "begins", "job": "1", "seconds": 2}
    try:
        raise ValueError(f"{SECRET}\nwas here")
    except ValueError:
        told = record("app", "fault", {}, error=True)
    assert told["error"] == "ValueError"
    assert any("test_metrics" in place for place in told["at"])  # type: ignore[attr-defined]
    assert SECRET not in json.dumps(told)


def test_lines_of_others_are_cut_to_their_first() -> None:
    lines, line = logs.Lines(), logging.LogRecord("asyncio", 40, "x", 1, f"Task failed\n{SECRET} %s", (SECRET,), None)
    assert json.loads(lines.format(line))["message"] == "Task failed"


def test_what_becomes_of_each_job_is_told_with_its_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of those too that never reach a worker, or whose worker does not live to tell it."""
    caplog.set_level(logging.INFO, "impasto.studio")
    with served(tmp_path) as studio, studio.client() as client:
        photo, queue = uploaded(client)["id"], studio.room.queue
        cancelled = ordered(client, photo)["id"]
        client.post(f"/api/jobs/{cancelled}/cancel")
        lost = ordered(client, photo)["id"]
        for _ in range(2):
            assert queue.claim("mortal")
            silence(studio.room.database, lost)
        assert queue.claim("another") is None
        client.post(f"/api/jobs/{'0' * 32}/cancel")
    told = [(record.message, getattr(record, "job", None)) for record in caplog.records]
    assert told == [
        ("ordered", cancelled), ("to be cancelled", cancelled), ("ordered", lost), ("taken back", lost),
        ("given up", lost),
    ]  # fmt: skip


def test_warnings_are_lines_too_without_their_words() -> None:
    told = "import warnings; from impasto.studio import logs; logs.begin(); "
    told += f"warnings.warn('{SECRET}.jpg is odd', RuntimeWarning); warnings.warn_explicit('{SECRET}', UserWarning, "
    told += f"'/home/{SECRET}/lib/site-packages/pack/part.py', 7)"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [(line["level"], line["error"], line["at"]) for line in lines] == [
        ("warning", "RuntimeWarning", ["<string>:1"]), ("warning", "UserWarning", ["pack/part.py:7"])
    ]  # fmt: skip
    assert SECRET not in ran.stderr


def record(part: str, message: str, more: dict[str, object], *, error: bool = False) -> dict[str, object]:
    logger = logs.get(part)
    made = logger.makeRecord(logger.name, 20, "x", 1, message, (), sys.exc_info() if error else None, extra=more)
    line = logs.Lines().format(made)
    assert "\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_all_that_a_server_says_is_json(tmp_path: Path) -> None:
    script = f"""
import logging, socket, sys, warnings
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from studio.server import served, uploaded, ordered
from studio.conftest import png
from impasto.studio import logs

if __name__ == "__main__":
    logs.begin()
    with served(Path({str(tmp_path)!r})) as studio, studio.client() as client:
        photo = uploaded(client, name="{SECRET}.png")["id"]
        ordered(client, photo)
        client.post("/api/pictures", files={{"file": ("{SECRET}.tif", b"II*\\0" + bytes(90))}})
        client.post("/api/pictures", content=b"--y", headers={{"content-type": "multipart/form-data; boundary=x"}})
        client.post("/api/jobs", json={{"content": photo, "options": {{"{SECRET}": 1}}}})
        studio.raw(b"nonsense {SECRET}\\r\\n\\r\\n", seconds=2)
        studio.room.__class__.pictures = lambda *a: 1 / 0
        assert client.get("/api/pictures").status_code == 500
        with studio.room.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE job RENAME TO hidden")
        assert client.get("/api/jobs").status_code == 503
"""
    (tmp_path / "script.py").write_text(script)
    ran = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert {"fault", "database"} <= {line["message"] for line in lines}
    assert SECRET not in ran.stderr
    assert ran.stdout == ""


def test_a_fault_of_ours_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as studio, studio.client() as client:
        monkeypatch.setattr(type(studio.room), "pictures", lambda *_: 1 / 0)
        answer = client.get("/api/pictures")
        assert "ZeroDivision" not in refused(answer, 500, "report it")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert one(client, "impasto_requests_total", route="/api/pictures", method="GET", status="500") >= 1
