"""Every network, exported, says what its torch module says: any size, every precision."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import onnxruntime  # noqa: E402

from exported import LAYER, PICKS, exported, network, random_vgg16, saved  # noqa: E402
from impasto.encoders import load_encoder  # noqa: E402
from impasto.errors import ModelError, OptionError  # noqa: E402
from impasto.fast.card import PROPERTY, Card  # noqa: E402
from impasto.image import read  # noqa: E402
from impasto.offline.export import dumoulin, export, ghiasi, impasto, johnson  # noqa: E402
from impasto.offline.export.adain import to_onnx as transform_to_onnx  # noqa: E402
from impasto.offline.networks import adain, wct  # noqa: E402
from impasto.offline.networks.blocks import pad_to_multiple  # noqa: E402
from impasto.offline.networks.impasto import TAPS, style_statistics  # noqa: E402
from impasto.offline.weights import save_network  # noqa: E402

SIZES = [(64, 64), (65, 63), (63, 66), (17, 31), (9, 40)]
CLOSE = 1e-4
CARD = Card(network="test", model="test-0")
PHOTOS = Path(__file__).parents[3] / "examples" / "photos"


def start(model: Any) -> Any:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@cache
def session(kind: str, part: Any = "paint") -> Any:
    if kind == "impasto":
        return start(impasto.to_onnx(network(kind), CARD, encoder=vgg16())[part])
    writer = {"johnson": johnson, "dumoulin": dumoulin, "ghiasi": ghiasi}[kind]
    return start(writer.to_onnx(network(kind), CARD)[part])


@cache
def vgg16() -> Any:
    return random_vgg16()


def agree(theirs: Any, ours: Any) -> None:
    assert ours.std() > 0.02, "a picture of nothing agrees with everything"
    np.testing.assert_allclose(theirs, ours.numpy(), atol=CLOSE)


@pytest.mark.parametrize("size", [*SIZES, (5, 5)])
@torch.no_grad()
def test_johnson(size: tuple[int, int]) -> None:
    photo = torch.rand(1, 3, *size)
    agree(session("johnson").run(None, {"photo": photo.numpy()})[0], network("johnson")(photo))


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_dumoulin(size: tuple[int, int]) -> None:
    photo, weights = torch.rand(1, 3, *size), torch.rand(1, len(PICKS))
    told = {"photo": photo.numpy(), "weights": weights.numpy()}
    agree(session("dumoulin").run(None, told)[0], network("dumoulin")(photo, weights))


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_ghiasi_paints(size: tuple[int, int]) -> None:
    photo, code = torch.rand(1, 3, *size), torch.randn(1, 20)
    told = {"photo": photo.numpy(), "code": code.numpy()}
    agree(session("ghiasi").run(None, told)[0], network("ghiasi")(photo, code))


@pytest.mark.parametrize("size", [*SIZES, (5, 5)])
@torch.no_grad()
def test_swift_ghiasi_paints(size: tuple[int, int]) -> None:
    made, photo, code = network("ghiasi", painter="swift"), torch.rand(1, 3, *size), torch.randn(1, 20)
    told = {"photo": photo.numpy(), "code": code.numpy()}
    agree(start(ghiasi.to_onnx(made, CARD)["paint"]).run(None, told)[0], made(photo, code))


@pytest.mark.parametrize("size", [(17, 17), (64, 48), (65, 47)])
@torch.no_grad()
def test_ghiasi_that_sees_far_paints(size: tuple[int, int]) -> None:
    made, photo, code = network("ghiasi", far=2), torch.rand(1, 3, *size), torch.randn(1, 20)
    models = ghiasi.to_onnx(made, CARD)
    told = {"photo": photo.numpy(), "code": code.numpy()}
    agree(start(models["paint"]).run(None, told)[0], made(photo, code))
    assert '"least": 17' in str(models["paint"].metadata_props[0].value)


@pytest.mark.parametrize("trunk", ["mobilenet-v2", "inception-v3", "efficientnet-lite0"])
@torch.no_grad()
def test_ghiasi_reads(trunk: str) -> None:
    made = network("ghiasi", trunk=trunk)
    reads = start(ghiasi.to_onnx(made, CARD)["predict"])
    for size in ((96, 96), (256, 128)):
        painting = torch.rand(1, 3, *size)
        np.testing.assert_allclose(
            reads.run(None, {"painting": painting.numpy()})[0], made.encode(painting).numpy(), atol=CLOSE
        )


@pytest.mark.parametrize("size", [*SIZES, (9, 9)])
@torch.no_grad()
def test_impasto_paints(size: tuple[int, int]) -> None:
    photo, code = torch.rand(1, 3, *size), torch.randn(1, 64)
    told = {"photo": photo.numpy(), "code": code.numpy()}
    agree(session("impasto").run(None, told)[0], network("impasto")(photo, code))


@pytest.mark.parametrize("size", [(64, 64), (65, 63), (17, 31)])
@torch.no_grad()
def test_impasto_reads(size: tuple[int, int]) -> None:
    painting = torch.rand(1, 3, *size)
    maps = vgg16()(painting, TAPS)
    expected = network("impasto").encode(style_statistics([maps[tap] for tap in TAPS]))
    agree(session("impasto", "predict").run(None, {"painting": painting.numpy()})[0], expected)


@pytest.mark.parametrize("layer", [LAYER, pytest.param("relu4_1", marks=pytest.mark.slow)])
@pytest.mark.parametrize("transform", ["adain", "wct"])
@torch.no_grad()
def test_feature_transforms(transform: Any, layer: str) -> None:
    """Two paintings mixed, between photo and style."""
    encoder, decoder = load_encoder("vgg19"), network("adain", layer=layer)
    paints = start(transform_to_onnx(decoder, CARD, transform=transform)["paint"])
    change = {"adain": adain.adain, "wct": wct.whiten_colour}[transform]
    paintings = torch.rand(2, 3, 40, 48) * torch.tensor([[1.0, 1.0, 1.0], [0.2, 0.9, 0.4]])[:, :, None, None]
    weights, strength = torch.tensor([0.3, 0.7]), torch.tensor([0.8])
    for height, width in SIZES:
        photo = torch.rand(1, 3, height, width)
        content, style = (
            encoder(x, [layer])[layer] for x in (pad_to_multiple(photo, max(4, decoder.stride)), paintings)
        )
        mixed = sum(w * change(content, style[i : i + 1]) for i, w in enumerate(weights))
        expected = decoder(content + strength * (mixed - content))[..., :height, :width]
        told = {"photo": photo, "painting": paintings, "weights": weights, "strength": strength}
        agree(paints.run(None, {name: value.numpy() for name, value in told.items()})[0], expected)


# Storing weights in fewer bits.


def test_styles_are_for_every_painter_of_their_predictor(tmp_path: Path) -> None:
    teacher, pupil = network("ghiasi"), network("ghiasi", seed=1, painter="swift")
    pupil.prediction.load_state_dict(teacher.prediction.state_dict())
    marks = set()
    for name, made in (("teacher", teacher), ("pupil", pupil), ("stranger", network("ghiasi", seed=2))):
        save_network(made, tmp_path / f"{name}.safetensors")
        export(tmp_path / f"{name}.safetensors", tmp_path / f"{name}.onnx")
        marks.add(card_of(tmp_path / f"{name}.onnx").model)
        assert card_of(tmp_path / f"{name}.onnx").model == card_of(tmp_path / f"{name}-predict.onnx").model
    assert len(marks) == 2


@pytest.mark.parametrize(("precision", "share", "psnr"), [("fp16", 0.55, 40), ("int8", 0.32, 18)])
@pytest.mark.parametrize("kind", ["johnson", "dumoulin", "ghiasi"])
def test_fewer_bits(tmp_path: Path, kind: str, precision: Any, share: float, psnr: float) -> None:
    source, photos = saved(kind, tmp_path), [read(PHOTOS / "chelsea.jpg")]
    whole = export(source, tmp_path / "whole.onnx")
    small = export(source, tmp_path / "small.onnx", precision=precision, photos=photos)
    assert whole.difference is None
    assert small.difference
    assert sum(small.files.values()) < share * sum(whole.files.values()) + 60_000  # nodes do not shrink
    assert small.difference.psnr > psnr
    assert 0 < small.difference.mean <= small.difference.largest < 1


def test_the_encoder_costs_a_byte_a_weight_without_rounding(tmp_path: Path) -> None:
    """VGG-19 comes as 256 numbers a layer, and stays so."""
    model = transform_to_onnx(network("adain", layer="relu3_1"), CARD)["paint"]
    codes = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.UINT8]
    stored = sum(onnx.numpy_helper.to_array(t).size for t in codes)
    weights = sum(p.numel() for n, p in load_encoder("vgg19").named_parameters() if "weight" in n and "conv" in n)
    assert 0.01 * weights < stored < weights
    assert len(codes) >= 4


# What a file says of itself.


def card_of(path: Path) -> Card:
    told = start(onnx.load(path)).get_modelmeta().custom_metadata_map
    return Card.from_json(told[PROPERTY], path)


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    johnson = card_of(exported("johnson", tmp_path))
    assert (johnson.network, johnson.part, johnson.arguments) == ("johnson", "paint", {"width": 0.125})
    assert card_of(exported("dumoulin", tmp_path)).styles == PICKS
    paints, reads = card_of(exported("ghiasi", tmp_path)), card_of(tmp_path / "ghiasi-predict.onnx")
    assert (paints.part, reads.part, paints.code, reads.code) == ("paint", "predict", 20, 20)
    assert paints.model == reads.model
    assert card_of(exported("wct", tmp_path)).network == "wct"


def test_codes_are_for_one_training_in_every_precision(tmp_path: Path) -> None:
    source = saved("ghiasi", tmp_path, seed=0)
    marks = set()
    for precision in ("fp32", "int8"):
        export(source, tmp_path / "a.onnx", precision=precision, overwrite=True)
        marks.add(card_of(tmp_path / "a.onnx").model)
    export(saved("ghiasi", tmp_path, seed=1), tmp_path / "b.onnx")
    assert len(marks) == 1
    assert card_of(tmp_path / "b.onnx").model not in marks


# From a run to a file.


def test_a_run_s_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    saved("johnson", tmp_path / "run")
    done = export(tmp_path / "run", tmp_path / "a.onnx")
    assert done.files == {tmp_path / "a.onnx": (tmp_path / "a.onnx").stat().st_size}


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("missing.safetensors", "a.onnx", "missing.safetensors"),
        ("empty", "a.onnx", "no finished network"),
        ("two", "a.onnx", "several networks"),
        ("text.safetensors", "a.onnx", "text.safetensors"),
        ("johnson.safetensors", "a.bin", "no name"),
        ("johnson.safetensors", "a-predict.onnx", "no name"),
        ("johnson.safetensors", "nowhere/a.onnx", "no folder"),
        ("johnson.safetensors", "there.onnx", "--overwrite"),
        ("ghiasi.safetensors", "half.onnx", "half-predict.onnx exists"),
    ],
)
def test_what_cannot_be_exported(tmp_path: Path, source: str, target: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for folder, kind in ((tmp_path, "johnson"), (tmp_path, "ghiasi"), (tmp_path / "two", "johnson")):
        saved(kind, folder)
    (tmp_path / "two" / "b.safetensors").write_bytes((tmp_path / "johnson.safetensors").read_bytes())
    for name in ("text.safetensors", "there.onnx", "half-predict.onnx"):
        (tmp_path / name).write_text("dear")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises((ModelError, OptionError), match=words) as caught:
        export(tmp_path / source, tmp_path / target)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_transform_is_for_decoders(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="not for johnson"):
        export(saved("johnson", tmp_path), tmp_path / "a.onnx", transform="wct")
