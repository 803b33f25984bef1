"""Gatys et al. 2017: Controlling perceptual factors in neural style transfer (arXiv 1611.07865), section 6.

Large shapes of one painting, fine texture of another: the first is given the second's shallow Gram matrices, starting
from itself, and the outcome is the style. Its large shapes stay because nothing shallow asks them to move.
"""

from __future__ import annotations

import dataclasses
from threading import Event as StopSignal

from impasto.encoders import ENCODERS
from impasto.errors import OptionError
from impasto.image import resize
from impasto.losses import GramLoss, Loss, Sum
from impasto.losses.parametric.gram import gram_sums
from impasto.online.evaluation import Evaluation, TiledEvaluation
from impasto.online.lbfgs import Lbfgs
from impasto.online.memory import Memory
from impasto.online.painter import to_pixels
from impasto.online.scene import Part, Scene, beside
from impasto.online.sight import Sight
from impasto.picture import Pixels

FINE_STRIDE = 2
"""Layers whose features are at most so many pixels apart hold fine texture: relu1_1 and relu2_1 of VGG, as in the
paper."""

STEPS = 40


def mix_scales(scene: Scene, sight: Sight, *, stop: StopSignal) -> Scene:
    """The scene with one painting in place of two: shapes of the first, texture of the second.

    Args:
        scene: with two paintings, nothing masked.
        sight: what looks; of its style layers the shallow ones are used, or of the encoder's usual ones where a method
            looks with deep ones only.
        stop: set to end with what there is.

    Raises:
        OptionError: when there are not two paintings, or something is masked, or no layer is shallow.
    """
    if len(scene.styles) != 2 or any(part.mask is not None or part.styles[0][2] is not None for part in scene.parts):
        raise OptionError("--mix-scales takes two paintings, the large shapes' first, and no masks")
    usual = ENCODERS[sight.encoder.name].style if sight.encoder.name in ENCODERS else ()
    shallow = _fine(sight, sight.style) or _fine(sight, usual)
    if not shallow:
        raise OptionError(f"--mix-scales needs a style layer of stride {FINE_STRIDE} or less; there is none")
    coarse, fine = (resize(style, beside(style, scene.content.size, scene.style_scale)) for style in scene.styles)
    mixed = retexture(coarse, fine, sight, shallow, stop=stop)
    return dataclasses.replace(scene, styles=(mixed,), parts=(Part(((0, 1.0, None),)),))


def _fine(sight: Sight, taps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(tap for tap in taps if sight.encoder.stride(tap) <= FINE_STRIDE)


def retexture(coarse: Pixels, fine: Pixels, sight: Sight, layers: tuple[str, ...], *, stop: StopSignal) -> Pixels:
    """`coarse` (H, W, 3) with the Gram matrices that `fine` has in `layers`.

    Raises:
        LimitError: when memory would not do, not even in tiles.
    """
    terms: list[Loss] = []
    for tap, (total, count) in sight.gather(fine, layers, gram_sums).items():
        terms.append(GramLoss(tap, total / count, relative=True))
    only = dataclasses.replace(sight, style=layers, content=())
    tile = Memory(only, "lbfgs").fitting_tile((coarse.shape[1], coarse.shape[0]))
    loss = Sum(terms)
    seen = Evaluation(sight.encoder, loss) if tile is None else TiledEvaluation(sight.encoder, loss, tile=tile)
    search = Lbfgs(sight.tensor(coarse), seen)
    for _ in range(STEPS):
        if stop.is_set() or search.stalled:
            break
        search.step()
    return to_pixels(search.x)
