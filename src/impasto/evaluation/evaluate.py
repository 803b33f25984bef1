"""Evaluation from end to end: pictures are chosen, every network paints every pair, the judge measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import util
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from impasto.errors import MissingExtraError
from impasto.evaluation.painters import Painter, open_painters
from impasto.evaluation.pairs import Pair, choose_pairs
from impasto.evaluation.report import PHOTO, Report, Row
from impasto.evaluation.sheet import make_sheet
from impasto.evaluation.timing import milliseconds

if TYPE_CHECKING:
    from impasto.evaluation.judge import Judge
    from impasto.evaluation.options import EvaluateOptions
    from impasto.picture import Picture

SHEET_ROWS = 24

Tell = Callable[[int, int], None]
"""Called after each pair with how many are done, and how many there are."""


class Paints(Protocol):
    """What can be measured: a `Painter`, or whatever else makes a picture of a photo and a painting."""

    @property
    def label(self) -> str:
        """What to call it."""

    def paint(self, photo: Picture, painting: Picture, /) -> Picture:
        """The photo in the painting's style, at the photo's size."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A report, and the sheet to look at beside it."""

    report: Report
    sheet: Picture


def evaluate(options: EvaluateOptions, *, tell: Tell = lambda done, whole: None) -> Evaluation:
    """Compares networks on the same pairs of photos and paintings.

    Args:
        options: what to compare, on which pictures.
        tell: hears how far it has come.

    Raises:
        MissingExtraError: when torch is not installed.
        OptionError: when photos or paintings are not named.
        PictureError: when none can be found or read.
        ModelError: when a network cannot be opened. Encoders that cannot be had are told in `Report.missing` instead.
    """
    if util.find_spec("torch") is None:
        raise MissingExtraError("impasto evaluate", "torch")
    from impasto.evaluation.judge import call_judge

    with open_painters(options.model, options.network, device=options.device) as painters:
        pairs, skipped = choose_pairs(options)
        judge = call_judge()
        rows, shown = measure(painters, pairs, judge, tell=tell)
        times = {p.label: _times(p, pairs[0].style) for p in painters} if options.times else {}
        about = {
            "impasto": version("impasto"),
            "pairs": sum(not pair.seen for pair in pairs),
            "seen_pairs": sum(pair.seen for pair in pairs),
            "options": options.to_dict(),
        }
        report = Report(rows, about=about, times=times, missing=judge.missing, skipped=skipped)
        return Evaluation(report, make_sheet(["photo", "painting", *(p.label for p in painters)], shown))


def measure(
    painters: Sequence[Paints], pairs: Sequence[Pair], judge: Judge, *, tell: Tell = lambda done, whole: None
) -> tuple[list[Row], list[list[Picture]]]:
    """Every painter on every pair, and the photos themselves as if they had been painted.

    Args:
        painters: networks, or anything else with a label that paints.
        pairs: of photos and paintings.
        judge: measures.
        tell: hears how far it has come.

    Returns:
        The report's rows, and for the sheet the pictures of the first pairs: photo, painting, each result.
    """
    from impasto.evaluation.judge import compare

    rows: list[Row] = []
    shown: list[list[Picture]] = []
    for number, pair in enumerate(pairs):
        results = [pair.content, pair.style]
        content, style = judge.look(pair.content), judge.look(pair.style)
        rows.append(_row(PHOTO, pair, compare(content, content, style), 0.0))
        for painter, result, seconds in _paint(painters, pair):
            rows.append(_row(painter.label, pair, compare(judge.look(result), content, style), seconds))
            results.append(result)
        if len(shown) < SHEET_ROWS:
            shown.append(results)
        tell(number + 1, len(pairs))
    return rows, shown


def _paint(painters: Sequence[Paints], pair: Pair) -> Iterator[tuple[Paints, Picture, float]]:
    for painter in painters:
        start = time.perf_counter()
        result = painter.paint(pair.content, pair.style)
        yield painter, result, time.perf_counter() - start


def _row(network: str, pair: Pair, values: dict[str, float], seconds: float) -> Row:
    return Row(network, pair.content.name, pair.style.name, values, round(seconds, 4), pair.seen)


def _times(painter: Painter, painting: Picture) -> dict[int, float]:
    return milliseconds(painter.prepare(painting))
