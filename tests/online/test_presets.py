"""What a paper's own settings change, method by method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from impasto.errors import OptionError
from impasto.events import Progress
from impasto.losses import gram_matrix, laplacian
from impasto.methods import METHODS
from impasto.online.laplacian import LaplacianOptions, objective
from impasto.online.look import Look, Region, Sample
from impasto.online.sight import open_eyes
from methods_base import BLUE, apart, events, noise, paint, painting, photo

BOTH = ["gatys", "w2", "laplacian", "cnnmrf", "nnst", "strotss", "swd"]


@pytest.mark.parametrize("name", BOTH)
def test_a_paper_has_settings_of_its_own(name: str) -> None:
    method = METHODS[name]
    best, paper = (
        paint(method, photo(), painting(), preset=preset, steps=6, scales=1).picture.pixels
        for preset in ("best", "paper")
    )
    assert np.isfinite(paper).all()
    assert apart(best, paper) > 1e-4


@pytest.mark.parametrize("preset", ["best", "paper"])
@pytest.mark.parametrize("name", BOTH)
def test_strength_0_is_the_photo_in_either_preset(name: str, preset: str) -> None:
    made = paint(METHODS[name], photo(), painting(), preset=preset, strength=0, steps=4).picture.pixels
    assert apart(made, photo().pixels) < 0.01


@pytest.mark.parametrize("name", BOTH)
def test_the_papers_loss_goes_down(name: str) -> None:
    told = events(METHODS[name], photo(), painting(), preset="paper", steps=5, scales=1)
    totals = [event.losses["total"] for event in told if isinstance(event, Progress)]
    assert totals[-1] < totals[0]


def test_what_has_no_paper_preset_says_so() -> None:
    with pytest.raises(OptionError, match="preset"):
        paint(METHODS["risser"], photo(), painting(), preset="paper")


def test_nnst_of_the_paper_has_the_paintings_colours_in_the_end() -> None:
    style = painting(BLUE)
    made = paint(METHODS["nnst"], photo(), style, preset="paper", steps=4).picture.pixels
    assert np.abs(made.mean((0, 1)) - style.pixels.mean((0, 1))).max() < 0.05
    kept = paint(METHODS["nnst"], photo(), style, preset="paper", steps=4, keep_color="linear").picture.pixels
    assert np.abs(kept.mean((0, 1)) - photo().pixels.mean((0, 1))).max() < 0.15


def test_nnst_of_the_paper_goes_further_with_every_strength() -> None:
    away = [
        apart(paint(METHODS["nnst"], photo(), painting(), preset="paper", steps=6, strength=s).picture.pixels,
              photo().pixels)
        for s in (0.1, 0.3, 0.5)
    ]  # fmt: skip
    assert away == sorted(away)
    assert away[0] < 0.5 * away[2]


def test_laplacian_of_the_paper_by_hand() -> None:
    options = LaplacianOptions(preset="paper", precision="fp32")
    sight = open_eyes(options, ("relu1_1", "relu2_1"), ("relu4_2",), faithful=True)
    content, style, picture = (noise(48, 48, seed=s).pixels for s in range(3))
    look = Look(sight, content, (Region((Sample(style),)),), content)
    of_photo, of_style, found = (sight.look(p, ("relu1_1", "relu2_1", "relu4_2")) for p in (content, style, picture))
    expected = 20 * functional.mse_loss(found["relu4_2"], of_photo["relu4_2"])
    for tap in ("relu1_1", "relu2_1"):
        apart = (gram_matrix(found[tap]) - gram_matrix(of_style[tap])).square().mean()
        expected = expected + 100 / found[tap].shape[1] ** 2 * apart
    lines = [laplacian(functional.avg_pool2d(255 * sight.tensor(p), 4)) for p in (picture, content)]
    expected = expected + 100 * functional.mse_loss(*lines)
    loss = objective(look, options)({**found, "image": sight.tensor(picture)})
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=0.0)
