"""Style as a Gaussian: the mean and the covariance of the features, compared by the Wasserstein-2 distance.

What K. Crowson's style-transfer-pytorch made known. Unlike a Gram matrix it cannot trade a wrong mean for a wrong
spread, which in Gram pictures shows as grey haze and as contrast that nobody painted. The distance between Gaussians:
Dowson and Landau 1982, The Frechet distance between multivariate normal distributions.

The preset "paper" has the layer weights of that project; "best" has layers of about equal voice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Event
from impasto.online.options import OnlineOptions

if TYPE_CHECKING:
    from impasto.losses import Loss
    from impasto.online.look import Look, Region
    from impasto.picture import Picture

PAPER_LAYERS = (256.0, 64.0, 16.0, 4.0, 1.0)
LAYERS = (0.5, 1.0, 1.0, 1.5, 0.75)
STYLE = 5.0
SMOOTH = 0.2
TILES = True  # all of it is sums over positions, or reads the picture itself


@dataclass(frozen=True, kw_only=True)
class W2Options(OnlineOptions):
    """What `w2` understands: what every online method does."""


def paint(content: Picture, styles: Sequence[Picture], options: W2Options, *, stop: StopSignal) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, options.style_layers, options.content_layers)
    yield from easel.paint(
        "w2", content, styles, options, sight, lambda look: objective(look, options), stop=stop, tiles=TILES
    )


def objective(look: Look, options: W2Options) -> Loss:
    """Photo against style."""
    from impasto.online.balance import balanced

    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH)


def texture(look: Look, region: Region, options: W2Options) -> Loss:
    """A weighted sum over layers; of several paintings the barycentre is what is nearest to all."""
    from impasto.losses import Sum, WassersteinLoss
    from impasto.losses.parametric.wasserstein import gaussian_of_sums, gaussian_sums

    usual = PAPER_LAYERS if options.preset == "paper" else LAYERS
    weights = {tap: usual[min(i, len(usual) - 1)] for i, tap in enumerate(look.sight.style)}
    guides = look.guides(region)
    return Sum([
        sample.share * weights[layer] / sum(weights.values())
        * WassersteinLoss(layer, gaussian_of_sums(*sums), guide=guides[layer], relative=True)
        for sample in region.samples
        for layer, sums in look.gather(sample, gaussian_sums).items()
    ])  # fmt: skip
