"""What every image transformation network is held to. A new one subclasses `NetworkFamily` and fills in two hooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from impasto.errors import LimitError
from impasto.offline.networks.blocks import held_statistics
from impasto.offline.weights import load_network, save_network


def stirred(network: nn.Module) -> nn.Module:
    """As after some training: nothing is at the zero that it started from."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return network


def blocks(height: int, width: int) -> Tensor:
    """(1, 3, height, width), a photo of sorts: patches of 8x8, so that a pixel's neighbours are like it."""
    small = torch.rand(1, 3, -(-height // 8), -(-width // 8))
    return nn.functional.interpolate(small, scale_factor=8.0, mode="bilinear")[..., :height, :width]


class NetworkFamily:
    """Base of every network's tests.

    Attributes:
        least: smallest side of a photo.
        reach: pixels beyond which the border of a tile is not felt.
    """

    least = 5
    reach = 60

    def network(self) -> nn.Module:
        """A small one."""
        raise NotImplementedError

    def style(self, n: int) -> tuple[Tensor, ...]:
        """What `forward` takes beside n photos."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _same_every_time(self) -> None:
        torch.manual_seed(0)

    @pytest.mark.parametrize("size", [(17, 31), (31, 17), (16, 24), (5, 40), (40, 5), (5, 5)])
    def test_picture_has_the_photos_size(self, size: tuple[int, int]) -> None:
        network, size = stirred(self.network()).eval(), (max(size[0], self.least), max(size[1], self.least))
        with torch.no_grad():
            picture = network(torch.rand(2, 3, *size), *self.style(2))
        assert picture.shape == (2, 3, *size)
        assert picture.min() >= 0 and picture.max() <= 1
        assert picture.std() > 0.01

    def test_smaller_is_refused(self) -> None:
        network = self.network().eval()
        with pytest.raises(LimitError, match=f"40x{self.least - 1} is too small.*at least {self.least}x{self.least}"):
            network(torch.rand(1, 3, self.least - 1, 40), *self.style(1))

    def test_sizes_one_pixel_apart_agree(self) -> None:
        network, style, photo = stirred(self.network()).eval(), self.style(1), blocks(64, 72)
        with torch.no_grad():
            whole = network(photo, *style)
            for less in range(1, 9):
                part = network(photo[..., :-less], *style)
                assert part.shape[-1] == 72 - less
                apart = (part - whole[..., :-less])[..., :40].abs().mean()
                shifted = (part[..., 1:] - whole[..., : -less - 1])[..., :40].abs().mean()
                assert apart < 0.5 * shifted

    def test_batch_equals_loop(self) -> None:
        network = stirred(self.network()).eval()
        photos, style = torch.rand(3, 3, 20, 24), self.style(3)
        with torch.no_grad():
            together = network(photos, *style)
            apart = [network(photos[i : i + 1], *(s[i : i + 1] for s in style)) for i in range(3)]
        torch.testing.assert_close(together, torch.cat(apart), atol=1e-5, rtol=0)

    def test_gradient_reaches_every_parameter(self) -> None:
        network = stirred(self.network()).train()
        network(torch.rand(2, 3, 24, 24), *self.style(2)).square().mean().backward()
        for name, parameter in network.named_parameters():
            if parameter.requires_grad and not self.is_beside(name):
                assert parameter.grad is not None, name
                assert torch.isfinite(parameter.grad).all(), name
                assert parameter.grad.abs().sum() > 0, name

    def is_beside(self, parameter: str) -> bool:
        """Whether `forward` has no use for this parameter, since it belongs to what reads the style."""
        return False

    def test_file_gives_the_same_network(self, tmp_path: Path) -> None:
        network, photo, style = stirred(self.network()).eval(), torch.rand(1, 3, 20, 24), self.style(1)
        save_network(network, tmp_path / "n.safetensors", about={"styles": ["a"]})
        loaded = load_network(tmp_path / "n.safetensors")
        assert type(loaded.network) is type(network)
        assert loaded.network.arguments == network.arguments
        assert loaded.about == {"styles": ["a"]}
        assert not loaded.network.training
        with torch.no_grad():
            assert torch.equal(loaded.network(photo, *style), network(photo, *style))

    def test_half_precision_paints_the_same_picture(self) -> None:
        network, photo, style = stirred(self.network()).eval(), blocks(32, 40), self.style(1)
        with torch.no_grad():
            exact = network(photo, *style)
            with torch.autocast("cpu", torch.bfloat16):
                rough = network(photo, *style)
        assert rough.dtype == torch.float32
        assert (rough - exact).abs().mean() < 0.02

    def test_tiles_of_one_picture_agree(self) -> None:
        """Where no tile's border is felt, tiles painted with the whole picture's statistics are its crops."""
        tile = 2 * self.reach + 120
        network, style, photo = stirred(self.network()).eval(), self.style(1), blocks(32, tile + 80)
        with torch.no_grad():
            with held_statistics(network):
                whole = network(photo, *style)
                left, right = network(photo[..., :tile], *style), network(photo[..., 80:], *style)
            after = network(photo[..., :tile], *style)
        a, b = tile - self.reach, 80 + self.reach
        assert b < a  # the two tiles overlap where both are right
        torch.testing.assert_close(left[..., :a], whole[..., :a], atol=1e-5, rtol=0)
        torch.testing.assert_close(right[..., b - 80 :], whole[..., b:], atol=1e-5, rtol=0)
        assert (after - left).abs().max() > 1e-4  # let go: each picture has its own statistics again
