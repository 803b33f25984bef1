"""Small random networks and their exported files: what `--model` takes in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from impasto.encoders import get_spec  # noqa: E402
from impasto.encoders.vgg import Vgg, _build  # noqa: E402
from impasto.fast.card import Card  # noqa: E402
from impasto.offline.export import export  # noqa: E402
from impasto.offline.export.impasto import to_onnx as impasto_to_onnx  # noqa: E402
from impasto.offline.networks.adain import AdaInDecoder  # noqa: E402
from impasto.offline.networks.dumoulin import DumoulinNetwork  # noqa: E402
from impasto.offline.networks.ghiasi import GhiasiNetwork  # noqa: E402
from impasto.offline.networks.impasto import ImpastoNetwork  # noqa: E402
from impasto.offline.networks.johnson import JohnsonNetwork  # noqa: E402
from impasto.offline.weights import save_network  # noqa: E402

PICKS = ("starry", "wave", "gold leaf")
LAYER = "relu2_1"  # of the decoder: half the size, so that tests are quick


def network(kind: str, seed: int = 0, **arguments: Any) -> Any:
    """A network as after some training: all parameters have moved, batch norms too."""
    torch.manual_seed(seed)
    made: Any = {
        "johnson": lambda: JohnsonNetwork(**{"width": 0.125, **arguments}),
        "dumoulin": lambda: DumoulinNetwork(**{"width": 0.125, "styles": len(PICKS), **arguments}),
        "ghiasi": lambda: GhiasiNetwork(**{"width": 0.125, "trunk": "mobilenet-v2", "code": 20, **arguments}),
        "adain": lambda: AdaInDecoder(**{"layer": LAYER, **arguments}),
        "impasto": lambda: ImpastoNetwork(**{"size": "tiny", **arguments}),
    }[kind]()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn_like(parameter) * parameter.abs().mean().clamp(min=0.2)
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
        if kind == "adain":
            made.convs["conv1_1"].weight *= 20  # fresh decoders paint grey
        if kind == "ghiasi" and hasattr(made.prediction.trunk, "stem"):
            for module in made.prediction.trunk.modules():  # so that a hundred layers leave something of the painting
                if isinstance(module, torch.nn.Conv2d):
                    torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if kind == "impasto":
            made.predictor.norm.running_mean.fill_(2)
            made.predictor.mlp[-1].weight *= 5
    return made.eval()


def random_vgg16(seed: int = 0) -> Vgg:
    """VGG-16 with average pooling, without its published weights, which may not be here."""
    torch.manual_seed(seed)
    _, stages = _build(get_spec("vgg16").layers, "average", "zeros", "first")
    state: dict[str, Any] = {}
    for name, stage in stages.items():
        if isinstance(stage, torch.nn.Conv2d):
            state[f"{name}.weight"] = torch.randn(stage.weight.shape) * (2 / stage.weight[0].numel()) ** 0.5
            state[f"{name}.bias"] = torch.randn(stage.out_channels) * 0.1
    return Vgg("vgg16", state, pooling="average")


def saved(kind: str, folder: Path, seed: int = 0) -> Path:
    """A network as training leaves it."""
    path = folder / f"{kind}.safetensors"
    save_network(network(kind, seed), path, about={"styles": list(PICKS)} if kind == "dumoulin" else {})
    return path


def exported(kind: str, folder: Path, seed: int = 0) -> Path:
    """A network's file; for the pairs the predictor lies beside it. `kind` is a network, or "wct"."""
    target = folder / f"{kind}.onnx"
    if kind == "impasto":
        card = Card(network="impasto", model=f"impasto-{seed}")
        parts = impasto_to_onnx(network(kind, seed), card, encoder=random_vgg16(seed))
        target.write_bytes(parts["paint"].SerializeToString())
        target.with_name("impasto-predict.onnx").write_bytes(parts["predict"].SerializeToString())
    else:
        source = saved("adain" if kind == "wct" else kind, folder, seed)
        export(source, target, transform="wct" if kind == "wct" else None, overwrite=True)
    return target
