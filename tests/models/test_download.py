"""Downloads against a server on this machine that breaks off, lies, refuses and changes its mind."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impasto.errors import ModelError
from impasto.models import download as module
from impasto.models.download import download

from .conftest import BODY, ETAG, Answer, Server, model_of, send, status, until

FAST = (0.0, 0.0, 0.0)
Usage = namedtuple("Usage", "total used free")


def clean(folder: Path) -> bool:
    """Nothing in the folder but the file: no .part, no lock."""
    return [p.name for p in folder.iterdir()] == ["toy.bin"]


def test_whole_file_in_one_go(server: Server, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = download(model_of(BODY, server.url), folder, progress=lambda done, total: seen.append((done, total)))
    assert path == folder / "toy.bin"
    assert path.read_bytes() == BODY
    assert clean(folder)
    assert server.ranges == [""]
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)


def test_cut_connection_is_resumed_where_it_broke_off(server: Server, folder: Path) -> None:
    server.plan = [send(cut=30_000), send(cut=20_000)]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert server.ranges == ["", "bytes=30000-", "bytes=50000-"]
    assert server.if_ranges == ["", ETAG, ETAG]
    assert clean(folder)


def test_cut_connection_without_a_known_size(server: Server, folder: Path) -> None:
    server.plan = [send(cut=30_000)]
    model = model_of(BODY, server.url, bytes=0)
    assert download(model, folder, pauses=FAST).read_bytes() == BODY
    assert server.ranges == ["", "bytes=30000-"]


def test_nobody_knows_the_size(server: Server, folder: Path) -> None:
    server.plan = [send(length=False)]
    assert download(model_of(BODY, server.url, bytes=0), folder, pauses=FAST).read_bytes() == BODY


def test_part_of_an_earlier_run_is_continued(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "toy.bin.part").write_bytes(BODY[:777])
    assert download(model_of(BODY, server.url), folder).read_bytes() == BODY
    assert server.ranges == ["bytes=777-"]


def test_complete_part_of_an_earlier_run_needs_no_request(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "toy.bin.part").write_bytes(BODY)
    assert download(model_of(BODY, server.url), folder).read_bytes() == BODY
    assert server.ranges == []


@pytest.mark.parametrize("left", [b"x" * 777, b"x" * len(BODY), b"x" * (len(BODY) + 1)], ids=["short", "full", "long"])
@pytest.mark.parametrize("size", [len(BODY), 0], ids=["size known", "size unknown"])
def test_part_of_another_file_is_thrown_away(server: Server, folder: Path, left: bytes, size: int) -> None:
    folder.mkdir()
    (folder / "toy.bin.part").write_bytes(left)
    assert download(model_of(BODY, server.url, bytes=size), folder, pauses=FAST).read_bytes() == BODY
    assert server.ranges[-1] == ""
    assert clean(folder)


def test_server_without_range_starts_again(server: Server, folder: Path) -> None:
    server.plan = [send(cut=30_000, ranges=False), send(ranges=False)]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert server.ranges == ["", "bytes=30000-"]


def test_file_that_changes_between_two_attempts_starts_again(server: Server, folder: Path) -> None:
    server.plan = [send(b"old" * (len(BODY) // 3) + b"!", cut=30_000, etag='"old"')]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert server.if_ranges == ["", '"old"']


def test_range_that_was_not_asked_for_starts_again(server: Server, folder: Path) -> None:
    def wrong(handler: object) -> None:
        handler.send_response(206)  # type: ignore[attr-defined]
        handler.send_header("Content-Range", f"bytes 5-{len(BODY) - 1}/{len(BODY)}")  # type: ignore[attr-defined]
        handler.send_header("Content-Length", str(len(BODY) - 5))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]

    server.plan = [send(cut=30_000), wrong]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert server.ranges == ["", "bytes=30000-", ""]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=3), ranges=st.booleans())
def test_any_sequence_of_cuts_ends_in_the_right_file(
    server: Server, tmp_path: Path, cuts: list[int], ranges: bool
) -> None:
    shutil.rmtree(tmp_path / "any", ignore_errors=True)
    server.plan = [send(cut=cut, ranges=ranges) for cut in cuts]
    assert download(model_of(BODY, server.url), tmp_path / "any", pauses=FAST).read_bytes() == BODY
    assert clean(tmp_path / "any")


def test_wrong_content_is_refused_and_removed(server: Server, folder: Path) -> None:
    server.plan = [send(b"x" * len(BODY))]
    with pytest.raises(ModelError, match=r"sha256 is .* instead of") as caught:
        download(model_of(BODY, server.url), folder, pauses=FAST)
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []
    assert len(server.ranges) == 1


def test_wrong_length_is_refused_before_the_body(server: Server, folder: Path) -> None:
    server.plan = [send(BODY[:5000])]
    with pytest.raises(ModelError, match=f"5000 bytes instead of {len(BODY)}"):
        download(model_of(BODY, server.url), folder, pauses=FAST)
    assert not (folder / "toy.bin").exists()


def test_more_bytes_than_there_should_be_are_not_taken(server: Server, folder: Path) -> None:
    server.plan = [send(BODY + b"more", length=False)]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert len(server.ranges) == 2


@pytest.mark.parametrize("answer", [send(BODY + b"more", length=False), status(416)], ids=["too long", "416"])
def test_server_that_never_sends_the_right_thing_is_given_up(server: Server, folder: Path, answer: Answer) -> None:
    server.plan = [answer] * 20
    with pytest.raises(ModelError, match="sends something else than toy"):
        download(model_of(BODY, server.url), folder, pauses=FAST)
    assert len(server.ranges) == 1 + module.RESTARTS
    assert not (folder / "toy.bin").exists()


def test_second_address_may_say_another_length(server: Server, folder: Path) -> None:
    server.plan = [send(b"x" * 5000)]
    model = model_of(BODY, server.url, server.url + "?2", bytes=0)
    assert download(model, folder, pauses=FAST).read_bytes() == BODY


def test_not_found_is_told_at_once(server: Server, folder: Path) -> None:
    server.plan = [status(404)]
    with pytest.raises(ModelError, match=r"answers 404; put toy.bin into"):
        download(model_of(BODY, server.url), folder, pauses=FAST)
    assert len(server.ranges) == 1


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_server_in_trouble_is_asked_again(server: Server, folder: Path, code: int) -> None:
    server.plan = [status(code), status(code)]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert len(server.ranges) == 3


def test_server_that_stays_in_trouble_is_given_up(server: Server, folder: Path) -> None:
    server.plan = [status(500)] * 9
    with pytest.raises(ModelError, match="the server answers 500"):
        download(model_of(BODY, server.url), folder, pauses=FAST)
    assert len(server.ranges) == 1 + len(FAST)


def test_connection_that_gives_nothing_is_given_up_and_keeps_its_part(server: Server, folder: Path) -> None:
    server.plan = [send(cut=1000), *[send(cut=0)] * 9]
    with pytest.raises(ModelError, match=f"broke off after 1000 of {len(BODY)} bytes"):
        download(model_of(BODY, server.url), folder, pauses=FAST)
    assert [p.name for p in folder.iterdir()] == ["toy.bin.part"]
    server.plan = []
    assert download(model_of(BODY, server.url), folder).read_bytes() == BODY
    assert server.ranges[-1] == "bytes=1000-"


def test_pauses_are_kept(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    server.plan = [status(500), status(500), send(cut=10), status(500)]
    download(model_of(BODY, server.url), folder)
    assert slept == [module.PAUSES[0], module.PAUSES[1], module.PAUSES[0]]


def test_no_network(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot download toy from .*; put toy.bin into"):
        download(model_of(BODY, "http://127.0.0.1:1/toy.bin"), folder, pauses=(0.0,))


def test_server_that_says_nothing_is_a_time_out(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    server.plan = [send(wait=lambda: done.wait(20))]
    try:
        assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    finally:
        done.set()
    assert len(server.ranges) == 2


def test_second_address_when_the_first_does_not_have_it(server: Server, folder: Path) -> None:
    server.plan = [status(404)]
    assert download(model_of(BODY, server.url, server.url + "?2"), folder, pauses=FAST).read_bytes() == BODY


def test_redirect_is_followed(server: Server, folder: Path) -> None:
    server.plan = [status(302, Location="/elsewhere"), send(cut=10), status(302, Location="/elsewhere")]
    assert download(model_of(BODY, server.url), folder, pauses=FAST).read_bytes() == BODY
    assert server.ranges == ["", "", "bytes=10-", "bytes=10-"]


@pytest.mark.parametrize("elsewhere", ["http://example.invalid/toy.bin", "ftp://127.0.0.1/toy.bin"])
def test_redirect_to_anything_but_https_is_not(server: Server, folder: Path, elsewhere: str) -> None:
    server.plan = [status(302, Location=elsewhere)]
    with pytest.raises(ModelError, match="is not https"):
        download(model_of(BODY, server.url), folder, pauses=FAST)


def test_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot write toy.bin into .*IMPASTO_MODELS"):
        download(model_of(BODY, server.url), tmp_path / "file" / "folder")
    assert server.ranges == []


def test_full_disk_is_seen_before_the_body(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10**6, 10**6 - 100, 100))
    with pytest.raises(ModelError, match="the disk is full"):
        download(model_of(BODY, server.url), folder)
    assert list(folder.iterdir()) == []


def test_disk_that_fills_up_meanwhile(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_copy", full)
    with pytest.raises(ModelError, match="the disk is full"):
        download(model_of(BODY, server.url), folder)
    assert not (folder / "toy.bin.lock").exists()


def test_interrupt_leaves_a_part_and_no_lock(server: Server, folder: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(model_of(BODY * 9, server.url, bytes=0), folder, progress=interrupt)
    assert [p.name for p in folder.iterdir()] == ["toy.bin.part"]


def test_file_that_is_already_there_is_not_fetched(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "toy.bin").write_bytes(BODY)
    download(model_of(BODY, server.url), folder)
    assert server.ranges == []


def test_damaged_file_is_replaced(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "toy.bin").write_bytes(BODY[:-1] + b"x")
    assert download(model_of(BODY, server.url), folder).read_bytes() == BODY


SCRIPT = """
import pathlib, sys
from impasto.models.download import download
from impasto.models.index import Entry
url, folder, sha256, size, ready = sys.argv[1:]
pathlib.Path(ready).touch()
model = Entry(name="toy", file="toy.bin", what="", licence="", paper="", sources=(url,), sha256=sha256, bytes=int(size))
download(model, pathlib.Path(folder))
"""


def test_two_processes_download_once(server: Server, folder: Path, tmp_path: Path) -> None:
    ready = [tmp_path / "ready1", tmp_path / "ready2"]

    def both_at_it() -> None:
        until(lambda: all(r.exists() for r in ready))
        time.sleep(0.5)  # in which the second would ask as well, if it did not wait

    server.plan = [send(wait=both_at_it)]
    model = model_of(BODY, server.url)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, server.url, str(folder), model.sha256, str(model.bytes), str(r)],
            env=environment,
        )
        for r in ready
    ]
    assert [process.wait(60) for process in started] == [0, 0]
    assert (folder / "toy.bin").read_bytes() == BODY
    assert clean(folder)
    assert len(server.ranges) == 1
