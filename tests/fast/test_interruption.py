"""A network is ended in the middle of its run."""

from __future__ import annotations

from pathlib import Path
from threading import Event as StopSignal

import numpy as np
import pytest

from impasto.errors import ModelError
from impasto.events import Done
from impasto.fast import FastOptions, ghiasi, interruption, session
from impasto.fast.interruption import StoppedError, interruptible
from impasto.picture import Picture

PHOTO = Picture(np.random.default_rng(0).random((384, 512, 3), np.float32))
PAINTING = Picture(np.random.default_rng(1).random((300, 300, 3), np.float32))


class After(StopSignal):
    """Is set once it has been looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def painted(stop: StopSignal, **options: object) -> Done:
    *_, done = ghiasi.paint(PHOTO, [PAINTING], FastOptions(**options), stop=stop)  # type: ignore[arg-type]
    assert isinstance(done, Done)
    return done


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_before_each_run(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The painting is read, the photo too, and then it is painted: none of these begins any more."""
    monkeypatch.setattr(interruption, "LOOK_SECONDS", 60.0)
    done = painted(After(looks), strength=0.7)
    assert done.stopped
    np.testing.assert_array_equal(done.picture.pixels, PHOTO.pixels)


def test_in_the_middle_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set once the run has begun, seen by the watcher alone."""
    monkeypatch.setattr(interruption, "LOOK_SECONDS", 0.0005)
    pair = ghiasi.engine.open_pair(None)
    code = ghiasi.encode(PAINTING).values[None]
    photo = session.batch(np.random.default_rng(0).random((1024, 1024, 3), np.float32), 1)
    with interruptible(After(2)), pytest.raises(StoppedError):
        session.run(pair.transfer, "cpu", {"photo": photo, "code": code})


def test_what_is_left_alone_ends_well() -> None:
    done = painted(StopSignal())
    assert not done.stopped
    assert np.abs(done.picture.pixels - PHOTO.pixels).mean() > 0.01


def test_other_faults_stay_what_they_are(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with interruptible(StopSignal()), pytest.raises(ModelError):
        session.run(broken, "cpu", {"photo": np.zeros((1, 3, 8, 8), np.float32)})
