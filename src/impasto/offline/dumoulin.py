"""Dumoulin et al. 2017, A learned representation for artistic style (arXiv 1610.07629): many styles in one network.

Every sample of a batch is painted in one of the styles. A trained network learns further styles by its norms' new rows
alone (section 3.3), in a fraction of the time; those that it knew stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from impasto.errors import ModelError
from impasto.offline.balanced import BalancedRecipe, BalancedTrainOptions, PaperWeights
from impasto.offline.recipe import Batch
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from impasto.offline.networks.dumoulin import DumoulinNetwork
    from impasto.offline.perception import Perception
    from impasto.offline.terms import StyleTarget


@dataclass(frozen=True, kw_only=True)
class DumoulinTrainOptions(BalancedTrainOptions):
    """What `impasto train dumoulin` understands. The paper: batch 16, 40 000 steps of 1e-3 at 256 pixels, width 1."""

    batch: int = option(16, "crops an update, over all processes together", low=1, high=4096)
    width: float = option(1.0, "multiple of the paper's 32, 64, 128 channels", low=0.03, high=8)
    style_size: int = option(384, "long side of the paintings in pixels: the size of the strokes", low=64, high=4096)
    finetune: Path | None = option(
        None, "a trained network, of any width, that learns these styles too, by its norms alone"
    )


class DumoulinRecipe(BalancedRecipe):
    """Trains a `DumoulinNetwork` for all paintings of `--style`.

    Args:
        options: see `DumoulinTrainOptions`.
        device: where batches will be.
        dtype: of the loss network.
        perception: eyes of one's own instead of `options.encoder`.

    Attributes:
        styles: names of the network's styles, those that it knew before first.

    Raises:
        OptionError: when `--style` holds too many paintings.
        PictureError: when it holds none, or one cannot be read.
        ModelError: when the loss network's weights, or the network to go on from, cannot be had.
    """

    name: ClassVar[str] = "dumoulin"
    # The authors' code (Magenta): content relu3_3, style relu1_2 2_2 3_3 4_3, Gram / (H W), no total variation
    paper = PaperWeights(content=1.0, style=1e-4)
    options: DumoulinTrainOptions
    network: DumoulinNetwork

    def __init__(
        self,
        options: DumoulinTrainOptions,
        *,
        device: torch.device,
        dtype: torch.dtype,
        perception: Perception | None = None,
    ) -> None:
        from impasto.offline.networks.dumoulin import DumoulinNetwork
        from impasto.offline.paintings import read_paintings, unique
        from impasto.offline.terms import StyleTarget

        paintings = read_paintings(options.style, size=options.style_size, device=device)
        super().__init__(options, device=device, dtype=dtype, perception=perception)
        names = [painting.name for painting in paintings]
        if options.finetune is None:
            known: list[str] = []
            self.network = DumoulinNetwork(styles=len(names), width=options.width).to(device)
        else:
            self.network, known = _grown(options.finetune, len(names))
            self.network.to(device)
        self.styles, self._known = unique([*known, *names]), len(known)
        eyes = self.perception
        self._targets = StyleTarget.join([StyleTarget.of(eyes.remember(p.pixels, eyes.style)) for p in paintings])

    def repaint(self, batch: Batch) -> Tensor:
        """Each photo in its own style."""
        import torch

        rows = self._known + self._choice(batch)
        weights = torch.nn.functional.one_hot(rows, len(self.styles)).to(batch.content)
        painted: Tensor = self.network(batch.content, weights)
        return painted

    def target(self, batch: Batch) -> StyleTarget:
        """Each sample's own painting; those of the batch are not looked at."""
        return self._targets.pick(self._choice(batch))

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """The photo in that style which the painting is nearest to."""
        import torch

        from impasto.offline.perception import half

        seen = self.perception.remember(painting, self.perception.style)
        row = self._known + self._targets.nearest(seen)
        weights = torch.zeros(1, len(self.styles), device=photo.device)
        weights[0, row] = 1
        with half(self.device, self.dtype):
            painted: Tensor = network(photo, weights)
        return painted.float()

    def about(self) -> dict[str, object]:
        """The names of its styles, in the order of its weights."""
        return {"styles": self.styles}

    def _choice(self, batch: Batch) -> Tensor:
        """Which of the paintings each sample gets: all in turn, so that none is learnt more than another."""
        count = len(self.styles) - self._known
        return ((batch.step * batch.whole + batch.index) % count).to(self.device)


def _grown(path: Path, more: int) -> tuple[DumoulinNetwork, list[str]]:
    """The network of a file with room for more styles, of which only the norms learn; and what its own are called."""
    from impasto.offline.networks.dumoulin import DumoulinNetwork
    from impasto.offline.weights import load_network

    loaded = load_network(path, expected=DumoulinRecipe.name)
    if not isinstance(loaded.network, DumoulinNetwork):  # the table of networks and this file disagree
        raise ModelError(f"{path} holds no network of many styles; mend: name another file")
    given = loaded.about.get("styles")
    names = [str(name) for name in given] if isinstance(given, list) else []
    names += [f"style-{i}" for i in range(len(names) + 1, loaded.network.styles + 1)]
    known = loaded.network.styles
    network = loaded.network.extended(known + more).train()
    network.requires_grad_(False)
    for parameter in network.norm_parameters():
        parameter.requires_grad_(True)
    return network, names[:known]
