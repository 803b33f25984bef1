"""Any style, predicted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import ModelError, OptionError
from impasto.losses import gram_matrix
from impasto.offline.ghiasi import GhiasiRecipe, GhiasiTrainOptions, as_read
from impasto.offline.networks.ghiasi import GhiasiNetwork
from impasto.offline.recipe import Recipe
from impasto.offline.weights import save_network

from .base import CPU, CROP, RecipeTests, blots, eyes, make_batch, settle


def ghiasi(*, dtype: torch.dtype = torch.float32, **options: Any) -> GhiasiRecipe:
    torch.manual_seed(0)
    given = {"width": 0.1, "crop": CROP, "trunk": "efficientnet-lite0", "pretrained": False}
    return GhiasiRecipe(GhiasiTrainOptions(**given | options), device=CPU, dtype=dtype, perception=eyes(dtype))


class TestGhiasi(RecipeTests):
    terms = frozenset({"style", "moments", "content"})
    batch = 2

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return ghiasi(dtype=dtype, **options)


class TestGhiasisPaper(TestGhiasi):
    terms = frozenset({"style", "content", "tv"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return ghiasi(dtype=dtype, loss="paper", **options)


def test_paper_is_the_authors_loss_by_hand() -> None:
    recipe, batch = ghiasi(loss="paper"), make_batch(2)
    settle(recipe)
    with torch.no_grad():
        painted = recipe.network(batch.content, recipe.network.encode(batch.style))
    sight = recipe.perception
    seen, photo, style = (sight.look(p, sight.all) for p in (painted, batch.content, batch.style))
    grams = sum((gram_matrix(seen[tap]) - gram_matrix(style[tap])).square().mean() for tap in sight.style)
    steps = [(painted[..., 1:] - painted[..., :-1]), (painted[:, :, 1:] - painted[:, :, :-1])]
    terms = recipe.read(batch).terms
    content = (seen["relu3_3"] - photo["relu3_3"]).square().mean()
    assert terms["content"].item() == pytest.approx(content.item(), rel=1e-4)
    assert terms["style"].item() == pytest.approx(0.5e-3 * float(grams), rel=1e-4)
    halves = sum((step.square().sum() / 2 / (2 * 3 * CROP**2)).item() for step in steps)
    assert terms["tv"].item() == pytest.approx(1e4 * halves, rel=1e-4)


def test_observes_the_raw_content_loss() -> None:
    recipe, batch = ghiasi(loss="paper"), make_batch(2)
    settle(recipe)
    reading = recipe.read(batch)
    assert reading.observed["raw_content"].item() == pytest.approx(reading.terms["content"].item(), rel=1e-5)


def test_the_painting_decides() -> None:
    recipe = ghiasi(pretrained=True)
    settle(recipe)
    photo = blots(1, 32, 1)
    with torch.no_grad():
        one, other = (recipe.paint(recipe.network, photo, blots(1, 64, seed)) for seed in (2, 9))
    assert (one - other).abs().max() > 1e-5


def test_a_trunk_without_weights_says_so() -> None:
    with pytest.raises(ModelError, match="no ImageNet weights for mobilenet-v2"):
        ghiasi(trunk="mobilenet-v2", pretrained=True)


def test_begins_with_what_the_trunk_knows() -> None:
    from impasto.encoders import efficientnet

    known = efficientnet.load("efficientnet-lite0").stages.state_dict()
    found = ghiasi(pretrained=True).network.prediction.trunk.state_dict()
    key = next(key for key in known if key.endswith("weight"))
    torch.testing.assert_close(found[key], known[key])


def finished(folder: Path, **arguments: Any) -> Path:
    """A network to learn on from."""
    torch.manual_seed(5)
    path = folder / "finished.safetensors"
    save_network(GhiasiNetwork(**{"width": 0.1, "trunk": "mobilenet-v2"} | arguments), path)
    return path


def test_learns_on_from_a_finished_network(tmp_path: Path) -> None:
    start, batch = finished(tmp_path), make_batch(2)
    recipe = ghiasi(trunk="mobilenet-v2", start=start, far=1)
    network = recipe.network.train()
    torch.manual_seed(5)
    known = GhiasiNetwork(width=0.1, trunk="mobilenet-v2").eval()
    with torch.no_grad():
        code = known.encode(as_read(batch.style))
        torch.testing.assert_close(recipe.repaint(batch), known(batch.content, code))
        torch.testing.assert_close(network(batch.content, code), known(batch.content, code))
    sum(recipe.read(batch).terms.values()).backward()
    assert not any(p.requires_grad for p in network.prediction.parameters())
    learning = [name for name, p in network.named_parameters() if p.grad is not None and bool(p.grad.any())]
    assert "transfer.residuals.0.conv1.conv.weight" in learning
    assert "transfer.far.expand2.norm.gamma.weight" in learning


def test_steps_are_shares_of_each_parameters_size(tmp_path: Path) -> None:
    assert ghiasi().paces() == {}
    recipe = ghiasi(trunk="mobilenet-v2", start=finished(tmp_path), far=1)
    paces, weights = recipe.paces(), dict(recipe.network.named_parameters())
    name = "transfer.contract1.conv.weight"
    size = float(weights[name].detach().square().mean().sqrt())
    assert size / 1.5 < paces[name] < size * 1.5
    assert math.log2(paces[name]).is_integer()
    assert "transfer.residuals.0.conv1.norm.beta.bias" not in paces  # zero has no size
    assert not any(name.startswith("transfer.far.") for name in paces)  # new ones learn as in any training


def test_a_far_path_is_taken_over_whole_or_begins_silent(tmp_path: Path) -> None:
    """One that speaks already would begin to say other things if blocks that know nothing stood in it."""
    start = finished(tmp_path, far=1)
    ghiasi(trunk="mobilenet-v2", start=start, far=1)
    with pytest.raises(ModelError, match=r"another shape; mend: .* --far 1"):
        ghiasi(trunk="mobilenet-v2", start=start, far=3)


def test_the_code_is_as_long_as_the_start_says(tmp_path: Path) -> None:
    assert ghiasi(trunk="mobilenet-v2", start=finished(tmp_path, code=20)).network.arguments["code"] == 20


@pytest.mark.parametrize("name", ["folder", "exported.onnx"])
def test_a_start_that_is_no_training_file(tmp_path: Path, name: str) -> None:
    start = tmp_path / name
    start.write_bytes(b"") if start.suffix else start.mkdir()
    with pytest.raises(ModelError, match=r"mend: name the \.safetensors file"):
        ghiasi(trunk="mobilenet-v2", start=start)


@pytest.mark.parametrize("other", [{"width": 0.2}, {"trunk": "efficientnet-lite0"}, {"far": 1}])
def test_a_network_of_another_shape_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    start = finished(tmp_path, **other)
    with pytest.raises(ModelError, match="another shape; mend: --width 0"):
        ghiasi(trunk="mobilenet-v2", start=start)


def test_layers_have_the_voice_they_are_given() -> None:
    batch = make_batch(2)
    terms = []
    for weights in ((), (1.0, 1.0, 1.0, 1.0), (2.0, 2.0, 2.0, 2.0), (0.0, 0.0, 0.0, 1.0)):
        recipe = ghiasi(layer_weights=weights)
        settle(recipe)
        reading = recipe.read(batch)
        terms.append((reading.terms["style"].item(), reading.observed["gram_relu4_3"].item()))
    assert terms[0] == pytest.approx(terms[1])
    assert terms[2][0] == pytest.approx(2 * terms[0][0])
    assert terms[3][0] == pytest.approx(10 * terms[3][1])
    with pytest.raises(OptionError, match="--layer-weights has 2 numbers for 4 layers: relu1_2"):
        ghiasi(layer_weights=(1.0, 2.0))


def test_content_is_steered_when_a_target_is_given() -> None:
    recipe = ghiasi(content_target=1000.0)
    before = recipe.steering.weight
    recipe.steer({"raw_content": 3000.0})
    assert recipe.steering.weight > before
    again = ghiasi(content_target=1000.0)
    again.restore(recipe.state())
    assert again.steering.weight == recipe.steering.weight
