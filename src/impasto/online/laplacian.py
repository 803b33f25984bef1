"""Li, Xu, Nie and Chua 2017: Laplacian-steered neural style transfer (arXiv 1707.01253).

Deep features hold what a photo shows, but not its fine lines. The paper holds the Laplacian of the pixels too, averaged
over small squares: edges, fences and faces stay drawn.

The preset "paper" has the weights of the authors' published example; "best" has those of our `gatys`, and lines as
large as the photo's own.
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

POOLS = (4, 16)  # sides of the squares in pixels, the pair that the paper found best
PAPER_POOLS = (4,)
PAPER_CONTENT, PAPER_STYLE, PAPER_LAPLACIAN = 20.0, 100.0, 100.0
"""The example's, with squares of one size; all are of means, the Laplacian's on pixels from 0 to 255."""

LAPLACIAN = 1.0  # against a content weight of 1, both relative
STYLE = 10.0
SMOOTH = 0.2
TILES = True  # all of it is sums over positions, or reads the picture itself


@dataclass(frozen=True, kw_only=True)
class LaplacianOptions(OnlineOptions):
    """What `laplacian` understands: what every online method does."""


def paint(
    content: Picture, styles: Sequence[Picture], options: LaplacianOptions, *, stop: StopSignal
) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, options.style_layers, options.content_layers, faithful=options.preset == "paper")
    yield from easel.paint(
        "laplacian", content, styles, options, sight, lambda look: objective(look, options), stop=stop, tiles=TILES
    )


def objective(look: Look, options: LaplacianOptions) -> Loss:
    """The paper's equation 7: Gatys' loss, and the photo's Laplacians."""
    from impasto.losses import LaplacianLoss
    from impasto.online.balance import balanced, content_loss

    photo = look.sight.tensor(look.photo)
    if options.preset == "paper":
        lines = PAPER_LAPLACIAN * 255**2 * LaplacianLoss(photo, pools=PAPER_POOLS)
        features = PAPER_CONTENT * content_loss(look, relative=False)
        return balanced(look, texture, options, style=1, smooth=0, content=features + lines)
    lines = LAPLACIAN * LaplacianLoss(photo, pools=POOLS, relative=True)
    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH, content=content_loss(look) + lines)


def texture(look: Look, region: Region, options: LaplacianOptions) -> Loss:
    """Gatys', of either preset."""
    from impasto.online import gatys

    found = gatys.texture(look, region, gatys.GatysOptions(preset=options.preset))
    return PAPER_STYLE / gatys.PAPER_STYLE * found if options.preset == "paper" else found
