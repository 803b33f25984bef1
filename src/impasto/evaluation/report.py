"""What an evaluation found: every pair's numbers, their means and medians, and how to tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

CONTENT, STYLE, SSIM, SLICED = "content", "style", "ssim", "sliced"
RESIDUALS = ("conv1", "conv2", "conv3", "conv4")
METRICS = (CONTENT, STYLE, *RESIDUALS, SSIM, SLICED)
"""Every metric's name, in the order in which it is told."""

PHOTO = "photo"
"""The row of the photos themselves: what no restyling at all would score."""


@dataclass(frozen=True)
class Row:
    """One network on one pair.

    Attributes:
        network: its label.
        content: name of the photo.
        style: name of the painting.
        values: metric -> number.
        seconds: to read the painting and to paint.
        seen: whether training may have seen the painting.
    """

    network: str
    content: str
    style: str
    values: Mapping[str, float]
    seconds: float
    seen: bool = False


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that one evaluation says.

    Attributes:
        rows: of all networks and pairs.
        about: how it was made: size, files, machine.
        times: network -> side in pixels -> milliseconds a picture; empty when nobody asked.
        missing: what was left out, and why.
        skipped: "NAME: why" of each picture that could not be read.
    """

    rows: Sequence[Row]
    about: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    missing: Sequence[str] = ()
    skipped: Sequence[str] = ()

    @property
    def networks(self) -> list[str]:
        """The labels, in the order in which they came."""
        return list(dict.fromkeys(row.network for row in self.rows))

    def values(self, network: str, metric: str, *, seen: bool = False) -> list[float]:
        """One network's numbers, pair by pair."""
        return [r.values[metric] for r in self.rows if r.network == network and r.seen == seen and metric in r.values]

    def summary(self, network: str, *, seen: bool = False) -> dict[str, dict[str, float]]:
        """Metric -> its mean and median over the pairs.

        Example:
            >>> rows = [Row("ours", "a", "b", {"ssim": value}, 0.1) for value in (0.25, 0.5, 1.5)]
            >>> Report(rows).summary("ours")
            {'ssim': {'mean': 0.75, 'median': 0.5}}
        """
        found = {metric: self.values(network, metric, seen=seen) for metric in METRICS}
        return {m: {"mean": fmean(v), "median": median(v)} for m, v in found.items() if v}

    def unseen_to_seen(self, network: str) -> dict[str, float]:
        """Mean style loss, and mean residual of all layers, on unseen paintings by those on seen ones; 1 is no loss.

        Returns:
            Empty when no seen paintings were given, or the losses could not be computed.
        """
        told: dict[str, float] = {}
        unseen, seen = (self.summary(network, seen=each) for each in (False, True))
        for name, metrics in ((STYLE, (STYLE,)), ("residual", RESIDUALS)):
            if all(m in unseen and m in seen for m in metrics):
                below = math.fsum(seen[m]["mean"] for m in metrics)
                told[name] = math.fsum(unseen[m]["mean"] for m in metrics) / below if below else math.inf
        return told

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {
            "about": dict(self.about),
            "networks": {name: self._network(name) for name in self.networks},
            "rows": [{**vars(row), "values": dict(row.values)} for row in self.rows],
            "missing": list(self.missing),
            "skipped": list(self.skipped),
        }

    def _network(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = self.summary(name)
        if any(row.seen for row in self.rows):
            told["seen"] = self.summary(name, seen=True)
            told["unseen_to_seen"] = {k: v if math.isfinite(v) else None for k, v in self.unseen_to_seen(name).items()}
        if name in self.times:
            told["milliseconds"] = {str(side): ms for side, ms in self.times[name].items()}
        return told
