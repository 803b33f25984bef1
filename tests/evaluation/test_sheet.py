"""The sheet."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.errors import OptionError
from impasto.evaluation.sheet import GAP, HEAD, make_sheet
from impasto.picture import Picture

from .conftest import picture


def flat(value: float) -> Picture:
    return Picture(np.full((20, 33, 3), value, np.float32))


def test_pictures_stand_in_their_rows_and_columns() -> None:
    sheet = make_sheet(["a", "b"], [[flat(0), flat(0.2)], [flat(0.4), flat(0.6)], [flat(0.8), flat(0.1)]], cell=50)
    step = 50 + GAP
    assert sheet.size == (GAP + 2 * step, HEAD + 3 * step)
    found = [[float(sheet.pixels[HEAD + 25 + y * step, GAP + 25 + x * step, 0]) for x in (0, 1)] for y in (0, 1, 2)]
    np.testing.assert_allclose(found, [[0, 0.2], [0.4, 0.6], [0.8, 0.1]], atol=1 / 255)


def test_labels_are_written_and_stay_within_their_columns() -> None:
    short, long = (make_sheet([label], [[flat(1)]], cell=60).pixels for label in ("ours", "a label without end" * 9))
    assert short[:HEAD].min() < 0.5
    assert long[:HEAD].min() < 0.5
    assert long[:, GAP + 60 :].min() == 1


@pytest.mark.parametrize("rows", [[], [[picture(8, 8)]], [[picture(8, 8)] * 2, [picture(8, 8)] * 3]])
def test_uneven_rows_are_refused(rows: list[list[Picture]]) -> None:
    with pytest.raises(OptionError, match="a picture in each row for each label"):
        make_sheet(["a", "b"], rows)
