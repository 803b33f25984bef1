"""Li, Xu, Nie and Chua 2017: Laplacian-steered neural style transfer (arXiv 1707.01253).

Deep features hold what a photo shows, but not its fine lines. The paper holds the Laplacian of the pixels too, averaged
over small squares: edges, fences and faces stay drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Event
from impasto.online.options import OnePreset, OnlineOptions
from impasto.options import option

if TYPE_CHECKING:
    from impasto.losses import Loss
    from impasto.online.look import Look
    from impasto.picture import Picture

POOLS = (4, 16)  # sides of the squares in pixels, the pair that the paper found best
LAPLACIAN = 1.0  # against a content weight of 1, both relative
STYLE = 10.0
SMOOTH = 0.2


@dataclass(frozen=True, kw_only=True)
class LaplacianOptions(OnlineOptions):
    """What `laplacian` understands: what every online method does."""

    preset: OnePreset = option("best", "our settings for the best picture; the paper's are not here")


def paint(
    content: Picture, styles: Sequence[Picture], options: LaplacianOptions, *, stop: StopSignal
) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, options.style_layers, options.content_layers)
    yield from easel.paint(
        "laplacian", content, styles, options, sight, lambda look: objective(look, options), stop=stop
    )


def objective(look: Look, options: LaplacianOptions) -> Loss:
    """The paper's equation 7: Gatys' loss, and the photo's Laplacians."""
    from impasto.losses import LaplacianLoss
    from impasto.online import gatys
    from impasto.online.balance import balanced, content_loss

    lines = LaplacianLoss(look.sight.tensor(look.photo), pools=POOLS, relative=True)
    plain = gatys.GatysOptions()
    return balanced(
        look, lambda a, b, _: gatys.texture(a, b, plain), options, style=STYLE, smooth=SMOOTH,
        content=content_loss(look) + LAPLACIAN * lines,
    )  # fmt: skip
