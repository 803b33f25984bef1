"""The limits: in one place, each with a default, a variable and bounds; those that were promised are the defaults."""

from __future__ import annotations

import pytest

from impasto.errors import OptionError
from impasto.options import Spec
from impasto.studio.limits import PREFIX, Limits

PROMISED = {
    "upload_bytes": 25_000_000, "body_bytes": 64_000, "pixels": 40_000_000, "side": 16_384, "decode_seconds": 10.0,
    "decode_bytes": 2 << 30, "child_tasks": 100, "queue": 64, "jobs_per_client": 4, "lease_seconds": 30.0,
    "beat_seconds": 10.0, "attempts": 2, "keep_bytes": 10_000_000_000, "streams": 100, "stop_seconds": 20.0,
    "disk_bytes": 1_000_000_000,
}  # fmt: skip


def test_the_defaults_are_what_was_promised() -> None:
    told = Limits().to_dict()
    assert {name: told[name] for name in PROMISED} == PROMISED


@pytest.mark.parametrize("spec", Limits.specs(), ids=lambda spec: spec.name)
class TestEach:
    def test_is_set_by_a_variable(self, spec: Spec) -> None:
        assert spec.low is not None
        value = spec.kind(spec.low)
        found = Limits.from_environment({PREFIX + spec.name.upper(): str(value), "IMPASTO_STUDIO_OTHER": "x"})
        assert getattr(found, spec.name) == value
        assert found.to_dict() | {spec.name: None} == Limits().to_dict() | {spec.name: None}

    def test_has_bounds_and_words(self, spec: Spec) -> None:
        assert spec.low is not None
        assert spec.high is not None
        assert spec.help
        assert spec.default is None or spec.low <= spec.default <= spec.high

    @pytest.mark.parametrize("word", ["", "x", "nan", "inf", "-1e9", "1e99", "1,2", "0x10", "true", "1 2", "9" * 400])
    def test_refuses_what_is_no_limit(self, spec: Spec, word: str) -> None:
        with pytest.raises(OptionError, match=spec.name.replace("_", "-")):
            Limits.from_environment({PREFIX + spec.name.upper(): word})

    def test_cannot_be_changed(self, spec: Spec) -> None:
        with pytest.raises(AttributeError):
            setattr(Limits(), spec.name, 1)


def test_the_environment_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_STUDIO_QUEUE", "7")
    assert Limits.from_environment().queue == 7
