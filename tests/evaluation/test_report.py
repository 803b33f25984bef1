"""What a report says of its rows."""

from __future__ import annotations

import json

import pytest

from impasto.evaluation.report import METRICS, PHOTO, RESIDUALS, STYLE, Report, Row


def row(network: str, style: float, *, seen: bool = False) -> Row:
    return Row(network, "a.jpg", "b.jpg", {STYLE: style, **dict.fromkeys(RESIDUALS, style / 10)}, 0.5, seen)


def test_mean_and_median_of_each_network() -> None:
    report = Report([row("ours", v) for v in (1, 2, 9)] + [row("theirs", 5)])
    assert report.networks == ["ours", "theirs"]
    assert report.summary("ours")[STYLE] == {"mean": 4, "median": 2}
    assert report.summary("theirs")["conv4"] == {"mean": 0.5, "median": 0.5}
    assert "ssim" not in report.summary("ours")  # nobody measured it
    assert list(report.summary("ours")) == [m for m in METRICS if m == STYLE or m in RESIDUALS]


def test_unseen_by_seen_is_a_ratio_of_means() -> None:
    report = Report([row("ours", v) for v in (2, 4)] + [row("ours", v, seen=True) for v in (1, 3)])
    assert report.summary("ours")[STYLE]["mean"] == 3  # seen paintings are told apart
    assert report.unseen_to_seen("ours") == pytest.approx({"style": 1.5, "residual": 1.5})
    assert Report([row("ours", 1)]).unseen_to_seen("ours") == {}


def test_goes_through_json() -> None:
    report = Report(
        [row("ours", 1), row("ours", 0, seen=True)],
        about={"pairs": 1},
        times={"ours": {256: 12.5}},
        missing=["left out: this"],
        skipped=["c.jpg: damaged"],
    )
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert told["networks"]["ours"]["milliseconds"] == {"256": 12.5}
    assert told["networks"]["ours"]["unseen_to_seen"] == {"style": None, "residual": None}  # seen ones have none at all
    assert told["rows"][0] == {
        "network": "ours", "content": "a.jpg", "style": "b.jpg", "seconds": 0.5, "seen": False,
        "values": {"style": 1, "conv1": 0.1, "conv2": 0.1, "conv3": 0.1, "conv4": 0.1},
    }  # fmt: skip
    assert (told["missing"], told["skipped"], told["about"]) == (["left out: this"], ["c.jpg: damaged"], {"pairs": 1})
    assert PHOTO not in told["networks"]
