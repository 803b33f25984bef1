"""Exported graphs say what the torch modules say, at any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnxruntime  # noqa: E402

from impasto.errors import ModelError  # noqa: E402
from impasto.offline.export import predict_to_onnx, transfer_to_onnx  # noqa: E402
from impasto.offline.export.graph import OnnxGraph  # noqa: E402
from impasto.offline.networks.ghiasi import StylePredictionNetwork, StyleTransferNetwork  # noqa: E402
from impasto.offline.networks.mobilenet import MobileNetV2  # noqa: E402


def start(model: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def network() -> StyleTransferNetwork:
    """Random, as after some training: batch norms have moved."""
    torch.manual_seed(0)
    network = StyleTransferNetwork(width=0.125)
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.bias.data.normal_()
    return network.eval()


@pytest.fixture(scope="module")
def transfer(network: StyleTransferNetwork) -> Any:
    return start(transfer_to_onnx(network, metadata={"from": "a test"}))


@pytest.mark.parametrize("size", [(5, 5), (8, 8), (17, 31), (63, 64), (64, 64), (65, 64), (66, 67), (5, 200), (200, 6)])
def test_transfer_equals_torch(network: StyleTransferNetwork, transfer: Any, size: tuple[int, int]) -> None:
    photo, code = torch.rand(1, 3, *size), torch.randn(1, 100)
    with torch.no_grad():
        expected = network(photo, code).numpy()
    picture = transfer.run(None, {"photo": photo.numpy(), "code": code.numpy()})[0]
    np.testing.assert_allclose(picture, expected, atol=1e-3)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (256, 256)])
def test_predict_equals_torch(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = StylePredictionNetwork(MobileNetV2()).eval()
    painting = torch.rand(1, 3, *size)
    with torch.no_grad():
        expected = network(painting).numpy()
    code = start(predict_to_onnx(network, metadata={})).run(None, {"painting": painting.numpy()})[0]
    np.testing.assert_allclose(code, expected, atol=1e-3)


def test_metadata_travels(transfer: Any) -> None:
    assert transfer.get_modelmeta().custom_metadata_map == {"from": "a test"}


def test_unknown_trunk_is_refused() -> None:
    trunk = torch.nn.Conv2d(3, 8, 3)
    with pytest.raises(ModelError, match="Conv2d"):
        predict_to_onnx(StylePredictionNetwork(trunk), metadata={})


def test_int8_weights_are_packed_without_loss_and_others_kept() -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-127, 128, (8, 100))
    whole[:, 0] = 127
    coarse = (whole * rng.random((8, 1))).astype(np.float32)
    fine = rng.standard_normal((8, 100)).astype(np.float32)
    for weights, kinds in ((coarse, {"int8", "float32"}), (fine, {"float32"})):
        g = OnnxGraph("test")
        shape = (1, 100)
        product = g.op("Gemm", "x", g.weight(weights), transB=1)
        model = g.build({"x": shape}, (product, "y", (1, 8)), metadata={})
        import onnx

        assert {onnx.numpy_helper.to_array(t).dtype.name for t in model.graph.initializer} == kinds
        x = rng.random(shape, np.float32)
        np.testing.assert_allclose(start(model).run(None, {"x": x})[0], x @ weights.T, rtol=1e-5, atol=1e-5)
