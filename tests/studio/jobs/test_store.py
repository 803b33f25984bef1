"""Where pictures lie: whole or not at all, under names that we made, in a folder or elsewhere."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest

from impasto.errors import ImpastoError, OptionError
from impasto.studio.errors import AwayError, MissingError
from impasto.studio.store import STALE, Store, picture_file, preview_file, thumbnail_file

ID = "0123456789abcdef" * 2
NOBODY = 65534

posix = pytest.mark.skipif(os.name != "posix", reason="not everybody may make links there")

BAD = [
    "", ".", "..", "/", "../../etc/passwd", "/etc/passwd", f"../{ID}.png", f"{ID}", f"{ID}.", f"{ID}/../x.png",
    f"{ID}./../../x", f"{ID}.png/..", f"{ID}.png/../{ID}.png", f"{ID}.p\\..\\x", f"{ID}.png\0.jpg", f"{ID}.png\n",
    f"{ID}\n.png", f"{ID.upper()}.png", f"{ID[:-1]}.png", f"{ID}0.png", f"{ID}.PNG", f"{ID}.{'a' * 61}", ".impasto.tmp",
    "runs", f"runs/{ID}", f"%2e%2e/{ID}.png", f"{ID}.%2e%2e%2fx", f"{ID[:-1]}\u0660.png", f"file:///{ID}.png",
]  # fmt: skip


@pytest.fixture(params=["folder", "memory"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store in a folder, and one that only fsspec knows."""
    name = secrets.token_hex(4)
    yield Store(str(tmp_path / "pictures") if request.param == "folder" else f"memory://{name}/pictures")
    if request.param == "memory":
        fsspec.filesystem("memory").rm(f"/{name}", recursive=True)


def grown_old(path: Path, seconds: float = STALE + 60) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_put_is_got_until_it_is_deleted(anywhere: Store) -> None:
    for name in (picture_file(ID), thumbnail_file(ID), preview_file(ID)):
        anywhere.put(name, b"one")
        anywhere.put(name, b"another")
        assert anywhere.get(name) == b"another"
    assert {name for name, _ in anywhere.names()} == {picture_file(ID), thumbnail_file(ID), preview_file(ID)}
    assert all(0 <= age < 60 for _, age in anywhere.names())
    anywhere.delete(picture_file(ID), thumbnail_file(ID), preview_file(ID))
    anywhere.delete(picture_file(ID))
    assert list(anywhere.names()) == []
    with pytest.raises(MissingError, match="gone"):
        anywhere.get(picture_file(ID))


@pytest.mark.parametrize("name", BAD)
def test_names_that_are_not_ours_are_refused(anywhere: Store, name: str) -> None:
    for touch in (lambda: anywhere.get(name), lambda: anywhere.put(name, b"x"), lambda: anywhere.delete(name)):
        with pytest.raises(MissingError, match="no such file"):
            touch()
    assert list(anywhere.names()) == []


def test_a_file_that_many_write_is_always_one_of_theirs(store: Store) -> None:
    written = [bytes([n]) * 200_000 for n in range(4)]

    def write(n: int) -> None:
        for _ in range(15):
            store.put(picture_file(ID), written[n])

    store.put(picture_file(ID), written[0])
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, n) for n in range(4)]
        while not all(writer.done() for writer in writers):
            assert store.get(picture_file(ID)) in written
            store.sweep()
            assert picture_file(ID) in {name for name, _ in store.names()}
    for writer in writers:
        writer.result()
    assert [name for name, _ in store.names()] == [picture_file(ID)]


def test_what_nobody_finished_writing_is_swept_when_it_is_old(store: Store) -> None:
    assert store.folder
    young, old = (store.folder / f".impasto-{digit * 16}.tmp" for digit in "12")
    ours = store.folder / picture_file(ID)
    others = [store.folder / name for name in (".env", ".gitignore", "holiday.jpg", "notes.txt", ".impasto-mine.tmp")]
    for path in (young, old, ours, *others):
        path.write_bytes(b"half")
    grown_old(old)
    grown_old(ours)
    for path in others:
        grown_old(path)
    store.sweep()
    assert sorted(store.folder.iterdir()) == sorted([young, ours, *others])
    assert {name for name, _ in store.names()} == {young.name, ours.name}


def test_only_a_folder_keeps_the_state_of_runs(anywhere: Store) -> None:
    place = anywhere.checkpoint(ID)
    assert (place is None) == (anywhere.folder is None)
    assert anywhere.runs() == set()
    if place:
        place.write_bytes(b"state")
        place.with_name(f".{ID}-1.tmp").write_bytes(b"half a state")
        place.with_name(f"{ID}-beside").mkdir()
        place.with_name("f" * 32).write_bytes(b"another's")
        place.with_name("not ours").write_bytes(b"")
        assert anywhere.runs() == {ID, "f" * 32}
    anywhere.delete_run(ID)
    assert ID not in anywhere.runs()
    if place:
        assert {found.name for found in place.parent.iterdir()} == {"f" * 32, "not ours"}


@posix
@pytest.mark.parametrize("where", ["outside", "inside", "nowhere"])
def test_links_in_the_folder_are_not_followed(store: Store, tmp_path: Path, where: str) -> None:
    assert store.folder
    other = "f" * 32
    store.put(picture_file(other), b"another's")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    goals = {"outside": secret, "inside": store.folder / picture_file(other), "nowhere": tmp_path / "new"}
    planted = store.folder / picture_file(ID)
    planted.symlink_to(goals[where])
    for touch in (store.get, store.file, lambda name: store.put(name, b"x")):
        with pytest.raises(MissingError, match="no such file"):
            touch(picture_file(ID))
    assert {name for name, _ in store.names()} == {picture_file(other)}
    store.delete(picture_file(ID))
    assert not planted.is_symlink()
    assert (secret.read_bytes(), store.get(picture_file(other))) == (b"secret", b"another's")
    assert not (tmp_path / "new").exists()


@posix
def test_links_among_runs_are_not_followed(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / ID).write_bytes(b"another's")
    place = store.checkpoint(ID)
    assert place
    place.symlink_to(outside / ID)
    place.with_name(f"{ID}-beside").symlink_to(outside)
    assert store.checkpoint(ID) is None
    store.delete_run(ID)
    assert list(place.parent.iterdir()) == []
    place.parent.rmdir()
    place.parent.symlink_to(outside)
    assert (store.checkpoint(ID), store.runs()) == (None, set())
    store.delete_run(ID)
    assert (outside / ID).read_bytes() == b"another's"


@posix
def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = Store(str(tmp_path / "link"))
    store.put(picture_file(ID), b"x")
    assert store.get(picture_file(ID)) == (tmp_path / "real" / picture_file(ID)).read_bytes() == b"x"


def test_a_store_that_is_away_is_told_in_our_words(anywhere: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class EndpointError(Exception):
        """As the packages of object stores have them: of no common kind."""

    def away(*_: object, **__: object) -> None:
        raise EndpointError("https://key:secret@bucket")

    anywhere.put(picture_file(ID), b"x")
    assert anywhere.answers()
    assert [name for name, _ in anywhere.names()] == [picture_file(ID)]
    with monkeypatch.context() as patch:
        for word in ("pipe_file", "cat_file", "rm_file"):
            patch.setattr(anywhere._files, word, away)
        patch.setattr("impasto.image.targets.put", away)
        patch.setattr(Path, "read_bytes", away)
        assert not anywhere.answers()
        for touch in (anywhere.get, anywhere.delete, lambda name: anywhere.put(name, b"y")):
            with pytest.raises(AwayError, match="the store of pictures does not answer; mend: try again"):
                touch(picture_file(ID))
    assert anywhere.get(picture_file(ID)) == b"x"


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "let the store's folder be written to"),  # as systems make a disk that has begun to fail
        (errno.EACCES, "let the store's folder be written to"),
        (errno.EIO, "try again"),
    ],
)
def test_a_disk_that_takes_nothing_is_told_in_our_words(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    store.put(picture_file(ID), b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AwayError) as told:
        store.put(picture_file(ID), b"new")
    assert str(told.value) == f"the picture cannot be kept ({os.strerror(number)}); mend: {mend}"
    assert store.get(picture_file(ID)) == b"old"
    assert len(list(store.names())) == 1


@contextmanager
def anybody() -> Iterator[None]:
    """Without the superuser's rights, who may write everywhere."""
    if os.geteuid():
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@posix
def test_a_read_only_folder_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lie where nobody else may look
        Path(folder).chmod(0o555)
        with anybody(), pytest.raises(ImpastoError, match="may not be written to; mend: change its permissions"):
            Store(folder)


def test_places_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImpastoError, match="cannot be made"):
        Store(str(tmp_path / "file" / "pictures"))
    with pytest.raises(OptionError, match="cannot be used"):
        Store("nonsense://bucket/pictures")


def test_runs_are_counted_while_they_are_written(tmp_path: Path) -> None:
    """A run's state is written in a folder of its own, which comes and goes."""
    store, over = Store(str(tmp_path)), threading.Event()
    kept = store.checkpoint(ID)
    assert kept
    kept.write_bytes(b"12345")

    def write() -> None:
        while not over.is_set():
            folder = kept.with_name(f".{ID}-1a.tmp")
            folder.mkdir()
            (folder / "state").write_bytes(b"123")
            shutil.rmtree(folder)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert {store.run_bytes() for _ in range(3000)} <= {5, 8}
    finally:
        over.set()
        thread.join()
