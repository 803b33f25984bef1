"""Live events: in order, none lost, none twice, whatever breaks in between; and nobody holds a line for nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, update

from impasto.studio import metrics, streams
from impasto.studio.jobs.rows import Claim
from impasto.studio.jobs.tables import events as table
from impasto.studio.jobs.tables import jobs

from .server import Served, events, ordered, refused, served, uploaded


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("streams")) as running:
        yield running


@pytest.fixture
def client(studio: Served) -> Iterator[httpx.Client]:
    with studio.client() as one:
        yield one


@pytest.fixture(scope="module")
def photo(studio: Served) -> str:
    with studio.client() as client:
        return str(uploaded(client)["id"])


def begun(studio: Served, client: httpx.Client, photo: str) -> Claim:
    """A job that somebody works on: this test."""
    made = ordered(client, photo)["id"]
    while claim := studio.room.queue.claim("test"):
        if claim.id == made:
            return claim
    raise AssertionError("the job is not there")


def told(studio: Served, claim: Claim, count: int) -> None:
    """So many steps."""
    for step in range(1, count + 1):
        stand = {"step": step, "steps": count, "loss": 1 / step, "seconds": step, "seconds_left": 0}
        studio.room.queue.tell(claim, "progress", stand, stand)


def steps(heard: list[tuple[int, str, Any]]) -> list[int]:
    return [data["step"] for _, kind, data in heard if kind == "progress"]


def test_a_job_that_is_over_is_told_from_its_beginning(studio: Served, client: httpx.Client, photo: str) -> None:
    claim = begun(studio, client, photo)
    told(studio, claim, 20)
    studio.room.queue.finish(claim, "failed", error="it was too hard")
    answer = client.get(f"/api/jobs/{claim.id}/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text.startswith("retry: ")
    heard = events(answer.text)
    assert [number for number, _, _ in heard] == list(range(1, 24))
    assert [kind for _, kind, _ in heard] == ["state", "state", *["progress"] * 20, "end"]
    assert heard[-1][2] == client.get(f"/api/jobs/{claim.id}").json()
    assert heard[-1][2]["error"] == "it was too hard"


def test_a_job_is_told_while_it_happens(studio: Served, client: httpx.Client, photo: str) -> None:
    claim = begun(studio, client, photo)
    painting = threading.Thread(target=lambda: (told(studio, claim, 30), studio.room.queue.finish(claim, "done")))
    text, times = "", []
    with client.stream("GET", f"/api/jobs/{claim.id}/events") as answer:
        for part in answer.iter_text():
            text += part
            times.append(time.monotonic())
            if "running" in text and not painting.ident:
                painting.start()
    painting.join()
    heard = events(text)
    assert steps(heard) == list(range(1, 31))
    assert heard[-1][1] == "end"
    assert len(times) > 2


def test_lines_that_break_lose_nothing_and_repeat_nothing(studio: Served, client: httpx.Client, photo: str) -> None:
    claim = begun(studio, client, photo)
    painting = threading.Thread(target=lambda: (told(studio, claim, 60), studio.room.queue.finish(claim, "done")))
    painting.start()
    heard: list[tuple[int, str, Any]] = []
    for _ in range(200):
        last = {"last-event-id": str(heard[-1][0])} if heard else {}
        text = ""
        with client.stream("GET", f"/api/jobs/{claim.id}/events", headers=last) as answer:
            if answer.status_code == 204:
                break
            for part in answer.iter_text():
                text += part
                if text.count("id: ") > 7:  # and away, in the middle of whatever comes
                    break
        heard += events(text[: text.rfind("\n\n") + 2])
    painting.join()
    assert [number for number, _, _ in heard] == list(range(1, 64))
    assert steps(heard) == list(range(1, 61))
    assert heard[-1][1] == "end"


def test_who_has_heard_all_need_not_come_again(studio: Served, client: httpx.Client, photo: str) -> None:
    claim = begun(studio, client, photo)
    studio.room.queue.finish(claim, "done")
    path = f"/api/jobs/{claim.id}/events"
    last = events(client.get(path).text)[-1][0]
    for answer in (
        client.get(path, headers={"last-event-id": str(last)}), client.get(path, params={"after": last}),
        client.get(path, headers={"last-event-id": "999999999"}), client.get(path, params={"after": 2**31}),
    ):  # fmt: skip
        assert (answer.status_code, answer.content) == (204, b"")
    assert [n for n, _, _ in events(client.get(path, params={"after": last - 1}).text)] == [last]
    both = client.get(path, headers={"last-event-id": str(last - 2)}, params={"after": 0})
    assert [n for n, _, _ in events(both.text)] == [last - 1, last]  # what the browser says is newer


@pytest.mark.parametrize("said", ["x", "-1", "1.5", "", "9" * 10, "\u0661", "0x1"])
def test_numbers_that_are_none(client: httpx.Client, studio: Served, photo: str, said: str) -> None:
    made = ordered(client, photo)["id"]
    refused(client.get(f"/api/jobs/{made}/events", params={"after": said or "x"}), 422)
    if said.strip() == said:
        header = {"last-event-id": said.encode("utf-8")}
        refused(client.get(f"/api/jobs/{made}/events", headers=header), 422)  # type: ignore[arg-type]


def test_silence_is_broken_now_and_then(
    studio: Served, client: httpx.Client, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.3)
    made = ordered(client, photo)["id"]
    text = ""
    with client.stream("GET", f"/api/jobs/{made}/events") as answer:
        for part in answer.iter_text():
            text += part
            if text.count(": beat\n\n") >= 3:
                break
    assert [kind for _, kind, _ in events(text)] == ["state"]


def test_a_job_that_is_deleted_ends_its_stream(studio: Served, client: httpx.Client, photo: str) -> None:
    claim = begun(studio, client, photo)
    with studio.client() as other, other.stream("GET", f"/api/jobs/{claim.id}/events") as answer:
        parts = answer.iter_text()
        next(parts)
        with studio.room.database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == claim.id).values(state="failed", told=99, finished=1.0))
        client.delete(f"/api/jobs/{claim.id}")
        list(parts)
    refused(client.get(f"/api/jobs/{claim.id}/events"), 404)


def test_whoever_heard_more_than_was_told_hears_the_end(studio: Served, client: httpx.Client, photo: str) -> None:
    made = ordered(client, photo)["id"]
    with client.stream("GET", f"/api/jobs/{made}/events", params={"after": 1000}) as answer:
        parts = answer.iter_text()
        next(parts)
        studio.room.queue.cancel(made, "local")
        assert [kind for _, kind, _ in events("".join(parts))][-1] == "end"
    assert client.get(f"/api/jobs/{made}/events", headers={"last-event-id": "1000"}).status_code == 204


def test_streams_that_are_too_many_are_sent_away(tmp_path: Path) -> None:
    with served(tmp_path, streams=2) as studio, studio.client() as client:
        photo = uploaded(client)["id"]
        path = f"/api/jobs/{ordered(client, photo)['id']}/events"
        with client.stream("GET", path) as one, client.stream("GET", path) as two:
            parts = [one.iter_text(), two.iter_text()]
            assert all(next(part).startswith("retry") for part in parts)
            assert _open() == 2
            answer = client.get(path)
            refused(answer, 429, "streams")
            assert int(answer.headers["retry-after"]) > 0
            assert client.get("/api/jobs").status_code == 200
        until = time.monotonic() + 20
        while _open() and time.monotonic() < until:
            time.sleep(0.05)
        for _ in range(5):  # places come back
            with client.stream("GET", path) as again:
                assert again.status_code == 200
            while _open() and time.monotonic() < until:
                time.sleep(0.05)


def test_who_does_not_read_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SLOW_SECONDS", 0.5)
    with served(tmp_path, streams=1) as studio, studio.client() as client:
        claim = begun(studio, client, uploaded(client)["id"])
        with studio.room.database.write() as connection:  # more than any buffer holds
            rows = [
                {"job": claim.id, "number": n, "kind": "notice", "data": {"text": "x" * 500_000}} for n in range(3, 60)
            ]
            connection.execute(insert(table), rows)
            connection.execute(update(jobs).where(jobs.c.id == claim.id).values(told=59))
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", studio.port))
            line.sendall(f"GET /api/jobs/{claim.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            until = time.monotonic() + 30
            while not _open() and time.monotonic() < until:
                time.sleep(0.01)
            assert _open() == 1
            while _open() and time.monotonic() < until:
                time.sleep(0.05)
            assert _open() == 0  # though the line is still there
            with client.stream("GET", f"/api/jobs/{claim.id}/events") as other:
                assert other.status_code == 200


def test_a_server_that_ends_keeps_no_reader(tmp_path: Path) -> None:
    with served(tmp_path) as studio, studio.client() as client:
        path = f"/api/jobs/{ordered(client, uploaded(client)['id'])['id']}/events"
        answer = client.send(client.build_request("GET", path), stream=True)
        began = time.monotonic()
    assert time.monotonic() - began < 15
    answer.close()


def test_a_database_that_goes_away_ends_the_stream(tmp_path: Path) -> None:
    with served(tmp_path) as studio, studio.client() as client:
        made = ordered(client, uploaded(client)["id"])["id"]
        with client.stream("GET", f"/api/jobs/{made}/events") as answer:
            parts = answer.iter_text()
            next(parts)
            with studio.room.database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE job RENAME TO hidden")
            list(parts)
        assert client.get("/healthz").status_code == 200


def _open() -> float:
    value = metrics.registry.get_sample_value("impasto_streams")
    assert value is not None
    return value
