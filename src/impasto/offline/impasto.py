"""Our own network for any style, in the idea of Ghiasi et al. 2017; see `networks/impasto.py` for how it differs.

The loss, and why: relative Gram differences give every layer one voice, the deep ones that know the strokes included.
Content is compared after normalisation, so that colour and contrast may move; its weight is steered until Ghiasi's raw
content loss meets a target, so that networks differ in style alone. One sample in eight has its own photo for a
painting and has to stay as it is. Every fourth step, noise on the photo must not show in the picture. Strokes of
small crops are small: the last updates are made at a larger size, at which pictures are painted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from impasto.errors import OptionError
from impasto.offline.recipe import Batch, Reading, TrainOptions
from impasto.offline.steering import SteeredRecipe, Steering
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from impasto.offline.networks.impasto import ImpastoNetwork
    from impasto.offline.perception import Perception

EVERY = 8  # one sample in so many is its own painting, and one is shown with noise
NOISE_EVERY = 4  # steps
NOISE = 0.03  # deviation, on pixels in [0, 1]
DEEP_CONTENT = 0.5  # relu4_3 beside relu3_3


@dataclass(frozen=True, kw_only=True)
class ImpastoTrainOptions(TrainOptions):
    """What `impasto train impasto` understands. On two processor cores: --size small --batch 8 --crop 128."""

    steps: int = option(25_000, "updates in all; the schedule ends there", low=1, high=100_000_000)
    batch: int = option(24, "crops an update, over all processes together", low=1, high=4096)
    late: float = option(0.15, "share of the updates, the last ones, with larger crops; 0 for none", low=0, high=1)
    warmup: int = option(300, "updates over which the step size rises", low=0, high=1_000_000)
    size: Literal["tiny", "small", "base"] = option("base", "of the network: for speed, or for quality")
    style_weight: float = option(10.0, "weight of the Gram matrices", low=0, high=1e9)
    moment_weight: float = option(2.0, "weight of the features' means and deviations", low=0, high=1e9)
    content_weight: float = option(6.0, "weight of the photo's normalised features, to begin with", low=0, high=1e9)
    content_target: float = option(
        75e3, "raw content loss (relu3_3 of VGG-16) to steer the content's weight to; 0 leaves it", low=0, high=1e12
    )
    identity_weight: float = option(5.0, "weight of a photo in its own style staying as it is", low=0, high=1e9)
    noise_weight: float = option(0.5, "weight of the picture not changing when the photo has noise", low=0, high=1e9)


class ImpastoRecipe(SteeredRecipe):
    """Trains an `ImpastoNetwork`.

    Args:
        options: see `ImpastoTrainOptions`.
        device: where batches will be.
        dtype: of the loss network.
        perception: eyes of one's own instead of `options.encoder`, with style taps of 64, 128, 256 and 512 channels.

    Attributes:
        steering: the content's weight.

    Raises:
        OptionError: when the encoder is not one that styles can be read from.
        ModelError: when its weights cannot be had.
    """

    name: ClassVar[str] = "impasto"
    options: ImpastoTrainOptions
    network: ImpastoNetwork

    def __init__(
        self,
        options: ImpastoTrainOptions,
        *,
        device: torch.device,
        dtype: torch.dtype,
        perception: Perception | None = None,
    ) -> None:
        super().__init__(options, device=device, dtype=dtype)
        from impasto.offline.networks.impasto import STATISTICS, TAPS, ImpastoNetwork
        from impasto.offline.perception import open_perception

        if perception is None:
            if options.encoder not in ("vgg16", "vgg19"):
                raise OptionError(f"--encoder {options.encoder} is not what this network reads styles with; give vgg16")
            perception = open_perception(options, device=device, dtype=dtype, style=TAPS, content=TAPS[2:])
        channels = [perception.encoder.channels(tap) for tap in perception.style]
        if 2 * sum(channels) != STATISTICS or len(perception.content) != 2:
            raise OptionError(f"the encoder's style taps have {channels} channels; give taps of 64, 128, 256, 512")
        self.perception, self.steering = perception, Steering(options.content_weight, options.content_target)
        self.network = ImpastoNetwork(size=options.size).to(device)

    def read(self, batch: Batch) -> Reading:
        """The loss of a batch."""
        import torch

        from impasto.offline.networks.impasto import statistics_of
        from impasto.offline.perception import half, raw_content
        from impasto.offline.terms import StyleTarget

        eyes, same = self.perception, self._same(batch)
        paintings = torch.where(same[:, None, None, None], batch.content, batch.style)
        photo = eyes.remember(batch.content, eyes.content)
        style = eyes.remember(paintings, eyes.style)
        target = StyleTarget.of(style)
        with half(self.device, self.dtype):
            code = self.network.encode(statistics_of(list(target.moments.values())))
            painted = self.network(batch.content, code).float()
        seen = eyes.look(painted, eyes.all)
        residuals = target.gram_residuals(seen)
        terms = {
            "style": self.options.style_weight * sum(residuals.values(), painted.new_zeros(())),
            "moments": self.options.moment_weight * target.moment_residual(seen),
            "content": self.steering.weight * self._content(seen, photo),
            "identity": self.options.identity_weight * self._apart(painted, batch.content, same, of=batch.whole),
        }
        if self.options.noise_weight and batch.step % NOISE_EVERY == 0:
            terms["noise"] = self.options.noise_weight * self._unrest(batch, code, painted)
        observed = {f"gram_{tap}": residual.detach() for tap, residual in residuals.items()}
        observed["raw_content"] = raw_content(seen, photo, eyes.content[0])
        observed["content_weight"] = painted.new_tensor(self.steering.weight)
        return Reading(terms, observed)

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """The photo in the painting's style."""
        from impasto.offline.networks.impasto import style_statistics
        from impasto.offline.perception import half

        style = self.perception.remember(painting, self.perception.style)
        statistics = style_statistics(list(style.values()))
        with half(self.device, self.dtype):
            painted: Tensor = network(photo, cast("ImpastoNetwork", network).encode(statistics))
        return painted.float()

    def about(self) -> dict[str, object]:
        """What styles are read with."""
        return {"encoder": self.perception.encoder.name, "taps": list(self.perception.style), "pooling": "average"}

    def _content(self, seen: Mapping[str, Tensor], photo: Mapping[str, Tensor]) -> Tensor:
        from impasto.losses import normalised_distance

        near, deep = (normalised_distance(seen[tap], photo[tap]).mean() for tap in self.perception.content)
        return near + DEEP_CONTENT * deep

    def _same(self, batch: Batch) -> Tensor:
        """Which samples have their photo for a painting, (n,) bool; of batches of 1, one in eight has."""
        turn = batch.step if batch.whole == 1 else 0
        return ((batch.index + turn) % EVERY == 0).to(self.device)

    def _apart(self, one: Tensor, other: Tensor, chosen: Tensor, *, of: int, first: int = 0) -> Tensor:
        """Mean absolute difference of the chosen samples' pixels, of `of` samples every eighth from the `first`.

        Written as a mean over all samples, of which a known share is chosen, so that it is the same number however
        the batch is divided among processes.
        """
        share = of / len(range(first, of, EVERY))
        return ((one - other).abs().flatten(1).mean(1) * chosen).mean() * share

    def _unrest(self, batch: Batch, code: Tensor, painted: Tensor) -> Tensor:
        """How much noise on one photo in eight, of those after the ones that stay as they are, shows in its picture."""
        import torch

        from impasto.offline.perception import half

        first = min(1, batch.whole - 1)
        chosen = batch.index % EVERY == first
        rows = chosen.nonzero().flatten()
        if not len(rows):  # another process has them
            return painted.new_zeros(())
        noise = [self._noise(batch, int(batch.index[row])) for row in rows]
        rows = rows.to(self.device)
        with half(self.device, self.dtype):
            again = self.network(batch.content[rows] + NOISE * torch.stack(noise), code[rows]).float()
        other = painted.detach().clone().index_copy(0, rows, again)
        return self._apart(painted, other, chosen.to(self.device), of=batch.whole, first=first)

    def _noise(self, batch: Batch, index: int) -> Tensor:
        """(3, crop, crop), of deviation 1: the sample's own, on whichever device and process it is made."""
        import torch

        generator = torch.Generator().manual_seed((batch.seed + index) % 2**63)
        return torch.randn(batch.content.shape[1:], generator=generator).to(self.device)
