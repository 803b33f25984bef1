"""Tiles: what is seen through windows is what is seen at once, features and gradients."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from impasto.encoders import load_encoder
from impasto.encoders.adaptor import ModuleEncoder
from impasto.encoders.encoder import Encoder, Layer, StagedEncoder
from impasto.encoders.winograd import accelerate
from impasto.errors import LimitError
from impasto.losses import (
    IMAGE,
    ContentLoss,
    Gaussian,
    GramLoss,
    Loss,
    MomentLoss,
    Sum,
    TotalVariation,
    WassersteinLoss,
    channel_moments,
    gaussian,
    gram_matrix,
)
from impasto.online.evaluation import Evaluation, TiledEvaluation, leaves
from impasto.online.painter import evaluate
from impasto.online.plan import Plan, Scale
from impasto.online.tiles import GRID, reach, window_side, windows

Pool = Literal["max", "average"]
TAPS = ("first", "second", "third")


def small_encoder(pool: Pool = "max", *, padding: str = "replicate") -> StagedEncoder:
    """Three layers of stride 1, 2 and 4, with a kernel that is not symmetric about its features."""
    torch.manual_seed(0)
    stages = {
        "first": nn.Conv2d(3, 6, 3, padding=1, padding_mode=padding),
        "relu": nn.ReLU(),
        "pool": nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2),
        "second": nn.Conv2d(6, 8, 5, padding=2),
        "third": nn.Conv2d(8, 5, 4, stride=2, padding=1),
    }
    strides = {"first": (6, 1), "relu": (6, 1), "pool": (6, 2), "second": (8, 2), "third": (5, 4)}
    layers = [Layer(name, channels, stride, 4) for name, (channels, stride) in strides.items()]
    return StagedEncoder("small", layers, stages, preprocess=nn.Identity())


def picture(height: int, width: int, seed: int = 1) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def everything(encoder: Encoder, style: Tensor, photo: Tensor, taps: tuple[str, ...], guided: bool) -> Sum:
    """All additive losses, and one that reads the picture itself."""
    maps, seen = encoder(style, taps), encoder(photo, taps)
    terms: list[Loss] = [0.3 * TotalVariation(), 2 * ContentLoss(taps[-1], seen[taps[-1]], relative=True)]
    for number, tap in enumerate(taps):
        ramp = torch.linspace(0.1, 1, seen[tap].shape[3]).expand(1, 1, *seen[tap].shape[2:])
        guide = ramp if guided else None
        terms.append(GramLoss(tap, gram_matrix(maps[tap]), guide=guide, relative=True))
        terms.append((number + 1) * WassersteinLoss(tap, gaussian(maps[tap]), guide=guide, relative=True))
    return Sum(terms)


def check_equal(encoder: Encoder, loss: Loss, pixels: Tensor, tile: int, tolerance: float) -> None:
    whole, tiled = Evaluation(encoder, loss), TiledEvaluation(encoder, loss, tile=tile)
    (value, gradient), (other, found) = whole(pixels), tiled(pixels)
    assert other == pytest.approx(value, rel=1e-4)
    assert tiled.terms == pytest.approx(dict(whole.terms), rel=1e-4)
    assert set(tiled.terms) == set(whole.terms)
    assert float((found - gradient).norm() / gradient.norm()) < tolerance
    assert found.is_contiguous()
    assert not found.requires_grad


@pytest.mark.parametrize("size", [(97, 64), (130, 171), (65, 203)])
@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("guided", [False, True])
def test_the_gradient_of_tiles_is_that_of_the_whole(size: tuple[int, int], pool: Pool, guided: bool) -> None:
    encoder = small_encoder(pool)
    loss = everything(encoder, picture(50, 60), picture(*size, 2), TAPS, guided)
    assert len(windows(encoder, TAPS, size, 40) or ()) > 2
    check_equal(encoder, loss, picture(*size, 3), 40, 1e-5)


@pytest.mark.parametrize(("name", "taps"), [
    ("vgg19", ("relu1_1", "relu2_1", "relu3_1")),
    ("efficientnet-lite0", ("stem", "block2_2", "block3_2")),
])  # fmt: skip
def test_real_encoders(name: str, taps: tuple[str, ...]) -> None:
    """As they are used. What rounding puts on the other side of a ReLU's 0 is most of what is left."""
    values: dict[str, Any] = {"pooling": "average", "padding": "replicate"} if name == "vgg19" else {}
    encoder = load_encoder(name, **values)
    accelerate(encoder)
    loss = everything(encoder, picture(64, 64), picture(133, 219, 2), taps, False)
    assert len(windows(encoder, taps, (133, 219), 96) or ()) >= 4
    check_equal(encoder, loss, picture(133, 219, 3), 96, 1e-4)


def test_a_picture_no_larger_than_a_tile_is_seen_once() -> None:
    encoder = small_encoder()
    loss = GramLoss("third", gram_matrix(encoder(picture(50, 60), ["third"])["third"]))
    calls: list[int] = []
    encoder.stages["third"].register_forward_hook(lambda *_: calls.append(1))
    TiledEvaluation(encoder, loss, tile=64)  # probes
    calls.clear()
    TiledEvaluation(encoder, loss, tile=64)(picture(64, 60))
    assert len(calls) == 1


@pytest.mark.parametrize("size", [(40, 40), (97, 64), (130, 171), (300, 133)])
@pytest.mark.parametrize("tile", [24, 40, 100])
def test_every_feature_is_in_one_tile(size: tuple[int, int], tile: int) -> None:
    encoder = small_encoder()
    count = {tap: torch.zeros(found.shape[2:]) for tap, found in encoder(picture(*size), TAPS).items()}
    side = window_side(encoder, TAPS, tile)
    for window in windows(encoder, TAPS, size, tile) or ():
        assert side is not None
        assert max(window.rows.end - window.rows.start, window.columns.end - window.columns.start) <= side
        assert window.rows.start % (4 * GRID) == window.columns.start % (4 * GRID) == 0
        maps, places = window.inside(encoder, encoder(window.cut(picture(*size)), TAPS))
        for tap, (rows, columns) in places.items():
            assert maps[tap].shape[2:] == count[tap][rows, columns].shape
            count[tap][rows, columns] += 1
    assert all(bool((seen == 1).all()) for seen in count.values())


def test_reach_is_counted_from_kernels() -> None:
    """Before: 1 of the first, twice 2 of the second, twice 1 of the third. After: up to the last pixel of a feature."""
    encoder = small_encoder()
    assert reach(encoder, ["first"], axis=0, length=0) == (1, 1)
    assert reach(encoder, ["second"], axis=1, length=0) == (6, 6)
    assert reach(encoder, ["third"], axis=0, length=0) == (8, 8)
    vgg = load_encoder("vgg19")
    assert reach(vgg, ["relu3_1"], axis=1, length=0) == (12, 12)


def test_what_sees_everything_at_once_is_not_tiled() -> None:
    wrapped = small_encoder(padding="circular")
    assert reach(wrapped, TAPS, axis=0, length=0) is None
    assert windows(wrapped, TAPS, (100, 100), 40) is None
    own = ModuleEncoder(nn.Sequential(nn.Conv2d(3, 4, 3)), {"only": "0"}, mean=(0, 0, 0))
    assert reach(own, own.layers, axis=0, length=0) is None
    with pytest.raises(LimitError, match="small has to see the whole picture"):
        TiledEvaluation(wrapped, ContentLoss("first", torch.zeros(1, 6, 100, 100)), tile=40)


def test_a_loss_that_has_no_sums_is_refused_before_anything_is_painted() -> None:
    encoder = small_encoder()
    loss = TotalVariation() + 2 * MomentLoss("third", channel_moments(encoder(picture(50, 60), ["third"])["third"]))
    plan = Plan((Scale((10, 10), 1), Scale((100, 100), 1)), tile=40, whole=1000, at_once=48)
    with pytest.raises(LimitError, match=r"^this method has to see the whole picture.*mend: --size 48$"):
        evaluate(encoder, loss, plan, (10, 10))
    untiled = evaluate(encoder, loss, Plan(plan.scales), (100, 100))
    assert type(untiled) is Evaluation


def test_only_large_canvases_are_tiled() -> None:
    encoder = small_encoder()
    plan = Plan((Scale((10, 10), 1),), tile=40, whole=1000)
    kinds = [type(evaluate(encoder, TotalVariation(), plan, size)) for size in ((25, 40), (40, 26))]
    assert kinds == [Evaluation, TiledEvaluation]


def test_a_picture_without_layers() -> None:
    pixels = picture(64, 80)
    check_equal(small_encoder(), 3 * TotalVariation(), pixels, 40, 1e-6)


def test_leaves() -> None:
    one, two = TotalVariation(), TotalVariation()
    assert list(leaves(2 * Sum([one, 3 * two]))) == [(2, one), (6, two)]
    assert list(itertools.chain(leaves(one))) == [(1, one)]


def test_not_a_number_shows() -> None:
    """Recovery depends on it."""
    encoder = small_encoder()
    target = Gaussian(torch.full((1, 6), torch.nan), torch.eye(6)[None])
    value, gradient = TiledEvaluation(encoder, WassersteinLoss("first", target), tile=40)(picture(90, 50))
    assert value != value
    assert bool(gradient.isnan().any())
    assert IMAGE not in encoder.layers


def test_in_double_precision() -> None:
    """The sums' own numbers are not added to."""
    encoder = small_encoder().double()
    pixels = picture(97, 64).double()
    loss = everything(encoder, picture(50, 60).double(), pixels, TAPS, False)
    check_equal(encoder, loss, pixels * 0.9, 40, 1e-9)
