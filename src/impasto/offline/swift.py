"""A quicker painter, taught by a finished network of Ghiasi et al. 2017 instead of by a loss network.

Distillation (Hinton et al. 2015, arXiv 1503.02531): the painter learns to paint what its teacher paints, of the same
photo and the same style code. No loss network looks, which is what other trainings spend their time on; and since the
two share the predictor, every style that was saved for the teacher is one for its pupil. Let `impasto train ghiasi
--start` have the last word, if there is time for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from impasto.errors import ModelError, OptionError
from impasto.offline.ghiasi import as_read
from impasto.offline.recipe import Batch, Reading, Recipe, TrainOptions
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from impasto.offline.networks.ghiasi import GhiasiNetwork

FILTERS, SIDE, SCALES = 48, 7, 3  # how many random filters, of how many pixels, on how many halvings
MIXED = 4  # one sample in so many has a style between its painting's and its photo's own


@dataclass(frozen=True, kw_only=True)
class SwiftTrainOptions(TrainOptions):
    """What `impasto train swift` understands. Weights make the terms about equal after some hundred updates."""

    steps: int = option(20_000, "updates in all; the schedule ends there", low=1, high=100_000_000)
    batch: int = option(8, "crops an update, over all processes together", low=1, high=4096)
    rate: float = option(3e-3, "largest step size of Adam", low=1e-8, high=1)
    width: float = option(0.25, "multiple of 64 and 128 channels", low=0.03, high=8)
    teacher: Path | None = option(None, "the finished ghiasi network to learn from")
    start: Path | None = option(None, "begin with this network of swift, of the same width")
    edge_weight: float = option(2.0, "weight of differences between neighbouring pixels", low=0, high=1e6)
    broad_weight: float = option(1.0, "weight of the picture at an eighth of its size", low=0, high=1e6)
    texture_weight: float = option(1.0, "weight of the Gram matrices of random filters", low=0, high=1e6)


class SwiftRecipe(Recipe):
    """Trains the painter of a `GhiasiNetwork` whose predictor is its teacher's.

    Args:
        options: see `SwiftTrainOptions`.
        device: where batches will be.
        dtype: of the arithmetic of both.

    Raises:
        OptionError: when no teacher is named.
        ModelError: when the teacher or the beginner cannot be read, or is no such network.
    """

    name: ClassVar[str] = "swift"
    options: SwiftTrainOptions
    network: GhiasiNetwork

    def __init__(self, options: SwiftTrainOptions, *, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(options, device=device, dtype=dtype)
        from impasto.offline.networks.ghiasi import GhiasiNetwork
        from impasto.offline.weights import load_network

        if options.teacher is None:
            raise OptionError("swift learns from a finished network; mend: --teacher FILE of impasto train ghiasi")
        teacher = cast("GhiasiNetwork", load_network(options.teacher, expected="ghiasi").network)
        told = {name: teacher.arguments[name] for name in ("trunk", "code")}
        self.network = GhiasiNetwork(**told, width=options.width, painter="swift")  # type: ignore[arg-type]
        if options.start:
            self._begin(options.start)
        self.network.prediction.load_state_dict(teacher.prediction.state_dict())
        self.network.learn_on()
        self.network.to(device)
        self.teacher = teacher.to(device).requires_grad_(False).eval()
        self._filters = random_filters(options.seed).to(device)

    def read(self, batch: Batch) -> Reading:
        """How far the pupil's pictures are from the teacher's."""
        import torch
        from torch.nn import functional

        from impasto.offline.perception import half

        with half(self.device, self.dtype):
            with torch.no_grad():
                code = self._codes(batch)
                taught = self.teacher(batch.content, code).float()
            painted = self.network(batch.content, code).float()
        apart = painted - taught
        broad = functional.avg_pool2d(apart, 8)
        edges = (apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean()) / 2
        terms = {
            "pixels": apart.abs().mean(),
            "edges": self.options.edge_weight * edges,
            "broad": self.options.broad_weight * broad.abs().mean(),
            "texture": self.options.texture_weight * self._texture(painted, taught),
        }
        return Reading(terms, {"squared": apart.detach().square().mean()})

    def files(self) -> dict[str, Path]:
        """The teacher, and the network that it began with."""
        named = {"teacher": self.options.teacher, "start": self.options.start}
        return {name: path for name, path in named.items() if path}

    def about(self) -> dict[str, object]:
        """Whom it learnt from, and what it began with."""
        return {name: path.name for name, path in self.files().items()}

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """The photo in the painting's style."""
        from impasto.offline.perception import half

        with half(self.device, self.dtype):
            painted: Tensor = network(photo, self.teacher.encode(as_read(painting)))
        return painted.float()

    def _begin(self, start: Path) -> None:
        """Gives the painter what it learnt before, maybe from another teacher."""
        from impasto.offline.weights import load_network

        earlier = load_network(start, expected="ghiasi").network
        if earlier.arguments != self.network.arguments:
            raise ModelError(f"{start} is a network of another shape; mend: --width, or another --start")
        self.network.load_state_dict(earlier.state_dict())

    def _texture(self, painted: Tensor, taught: Tensor) -> Tensor:
        """How much the textures differ, wherever their strokes lie: on each halving, of the detail that it loses.

        What a small painter cannot place to the pixel it would rather blur, says the difference of pixels; this says
        that it should not. Filters need not be learnt to tell textures apart (Ustyuzhaninov et al. 2016, arXiv
        1606.00021), and these take a hundredth of a loss network's time.
        """
        import torch
        from torch.nn import functional

        from impasto.losses import gram_matrix, relative_distance

        pictures, found = [painted, taught], []
        for _ in range(SCALES):
            broader = [functional.avg_pool2d(picture, 2) for picture in pictures]
            finest = [a - functional.interpolate(b, a.shape[2:]) for a, b in zip(pictures, broader, strict=True)]
            one, other = (gram_matrix(functional.conv2d(detail, self._filters).relu()) for detail in finest)
            found.append(relative_distance(one, other).mean())
            pictures = broader
        return torch.stack(found).mean()

    def _codes(self, batch: Batch) -> Tensor:
        """Each painting's code, and for one sample in `MIXED` one on the way from there to its photo's own.

        What lies between is taught as well, because blends and strengths ask for it.
        """
        import torch

        code: Tensor = self.teacher.encode(as_read(batch.style))
        turn = batch.step if batch.whole < MIXED else 0
        rows = ((batch.index + turn) % MIXED == 0).nonzero().flatten()
        if not len(rows):  # another process has them
            return code
        shares = torch.stack([_share(batch.seed + int(batch.index[row])) for row in rows]).to(code)
        rows = rows.to(code.device)
        own = self.teacher.encode(as_read(batch.content[rows]))
        return code.index_copy(0, rows, code[rows].lerp(own, shares))


def _share(seed: int) -> Tensor:
    """(1,), in [0, 1): the sample's own, on whichever process it is drawn."""
    import torch

    return torch.rand(1, generator=torch.Generator().manual_seed(seed % 2**63))


def random_filters(seed: int) -> Tensor:
    """(FILTERS, 3, SIDE, SIDE), blind to a plain surface, each of length 1."""
    import torch

    filters = torch.randn((FILTERS, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(seed))
    filters -= filters.mean((2, 3), keepdim=True)
    scaled: Tensor = filters / filters.flatten(1).norm(dim=1)[:, None, None, None]
    return scaled
