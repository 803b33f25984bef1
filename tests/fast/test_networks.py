"""Methods that paint with a network's file: what their options promise, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest

from exported import PICKS, exported
from impasto import api, image, machine
from impasto.errors import ImpastoError, LimitError, ModelError, OptionError, PictureError
from impasto.events import Done, Started
from impasto.fast import FastOptions, StyleCode, encode, session
from impasto.fast.adain import AdaInOptions
from impasto.fast.card import PROPERTY, Card
from impasto.fast.dumoulin import DumoulinOptions
from impasto.fast.johnson import JohnsonOptions
from impasto.fast.wct import WctOptions
from impasto.methods import run
from impasto.picture import Picture

EXAMPLES = Path(__file__).parents[2] / "examples"
OPTIONS: dict[str, Any] = {
    "johnson": JohnsonOptions, "dumoulin": DumoulinOptions, "adain": AdaInOptions, "wct": WctOptions,
    "ghiasi": FastOptions, "impasto": FastOptions,
}  # fmt: skip
OWN_STYLES = ("johnson", "dumoulin")
QUICK = [kind for kind in OPTIONS if kind != "impasto"]  # which reads paintings through the whole of VGG-16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    return {kind: exported(kind, folder) for kind in OPTIONS}


@pytest.fixture(scope="module")
def photo() -> Picture:
    read = image.read(EXAMPLES / "photos" / "chelsea.jpg")
    return image.resize_picture(read, image.fit(read.size, 64))


@pytest.fixture(scope="module")
def painting() -> Picture:
    return image.read(EXAMPLES / "styles" / "starry-hills.jpg")


@pytest.fixture(scope="module")
def other() -> Picture:
    return image.read(EXAMPLES / "styles" / "gold-mosaic.jpg")


def paint(kind: str, models: dict[str, Path], photo: Picture, *styles: Any, **options: Any) -> Picture:
    *_, done = run(photo, [] if kind in OWN_STYLES else styles, OPTIONS[kind](model=models[kind], **options))
    assert isinstance(done, Done)
    assert not done.stopped
    return done.picture


def apart(a: Picture, b: Picture) -> float:
    return float(np.abs(a.pixels - b.pixels).mean())


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("size", [(64, 48), (65, 63), (17, 31), (1, 1), (3, 200)])
def test_any_size_is_painted(models: dict[str, Path], painting: Picture, kind: str, size: tuple[int, int]) -> None:
    noise = Picture(np.random.default_rng(0).random((size[1], size[0], 3), np.float32))
    style = StyleCode(np.linspace(-1, 1, 64), model="impasto-0") if kind == "impasto" else painting
    painted = paint(kind, models, noise, style)
    assert painted.size == size
    assert np.isfinite(painted.pixels).all()
    assert painted.pixels.min() >= 0 and painted.pixels.max() <= 1


@pytest.mark.parametrize("kind", QUICK)
def test_strength_goes_from_the_photo_to_the_picture(
    models: dict[str, Path], photo: Picture, painting: Picture, kind: str
) -> None:
    pictures = [paint(kind, models, photo, painting, strength=s) for s in (0, 0.02, 0.5, 1)]
    away = [apart(p, photo) for p in pictures]
    assert away[0] == 0
    assert away[1] < 0.02
    assert away == sorted(away)
    assert away[3] > 0.05


@pytest.mark.parametrize("kind", QUICK)
def test_other_options(models: dict[str, Path], photo: Picture, painting: Picture, kind: str) -> None:
    usual = paint(kind, models, photo, painting)
    np.testing.assert_array_equal(paint(kind, models, photo, painting).pixels, usual.pixels)
    assert paint(kind, models, photo, painting, size=40).size == image.fit(photo.size, 40)
    for scale in (0.5, 2.0):
        larger = paint(kind, models, photo, painting, style_scale=scale)
        assert larger.size == photo.size
        assert apart(larger, usual) > 0.001
    kept = paint(kind, models, photo, painting, keep_color="histogram").pixels
    assert np.abs(kept.mean((0, 1)) - photo.pixels.mean((0, 1))).max() < 0.02
    kept = paint(kind, models, photo, painting, keep_color="luminance").pixels
    np.testing.assert_array_equal(kept, image.keep_luminance(usual.pixels, photo.pixels))


@pytest.mark.parametrize("kind", ["adain", "wct", "ghiasi"])
def test_paintings_are_blended(
    models: dict[str, Path], photo: Picture, painting: Picture, other: Picture, kind: str
) -> None:
    alone = paint(kind, models, photo, painting)
    assert apart(paint(kind, models, photo, painting, other, blend=(1, 0)), alone) < 1e-5
    pair = [paint(kind, models, photo, painting, other, blend=b) for b in ((), (1, 1), (20, 20))]
    assert apart(pair[0], pair[1]) < 1e-6 > apart(pair[0], pair[2])
    assert apart(pair[0], alone) > 1e-4
    with pytest.raises(OptionError, match="--blend has 1 weights for 2 styles"):
        paint(kind, models, photo, painting, other, blend=(1,))


def test_styles_are_picked_by_name(models: dict[str, Path], photo: Picture) -> None:
    first, starry, wave = (paint("dumoulin", models, photo, pick=p) for p in ((), PICKS[:1], PICKS[1:2]))
    assert apart(first, starry) == 0
    assert apart(starry, wave) > 0.001
    mixed = paint("dumoulin", models, photo, pick=PICKS[:2], blend=(1, 3))
    assert apart(mixed, wave) < apart(mixed, starry)
    with pytest.raises(OptionError, match=r"'nope' is no style of .*choose of: starry, wave, gold leaf"):
        paint("dumoulin", models, photo, pick=("nope",))
    with pytest.raises(OptionError, match="--blend has 3 weights for 2 styles"):
        paint("dumoulin", models, photo, pick=PICKS[:2], blend=(1, 2, 3))


@pytest.mark.parametrize("kind", OWN_STYLES)
def test_a_network_with_its_own_style_takes_no_painting(
    models: dict[str, Path], photo: Picture, painting: Picture, kind: str
) -> None:
    with pytest.raises(OptionError, match=f"{kind} paints in the style of its network"):
        run(photo, [painting], OPTIONS[kind](model=models[kind]))
    painted = api.stylize(photo, options=OPTIONS[kind](model=models[kind]))
    assert painted.settings["styles"] == []
    assert painted.settings["options"]["model"] == str(models[kind])


@pytest.mark.parametrize("graph", ["ghiasi", "adain"])
def test_a_card_that_lies_is_one_line(models: dict[str, Path], photo: Picture, tmp_path: Path, graph: str) -> None:
    import onnx

    model = onnx.load(models[graph])
    onnx.helper.set_model_props(model, {PROPERTY: Card(network="johnson").to_json()})
    onnx.save(model, tmp_path / "liar.onnx")
    with pytest.raises(ModelError, match=r"liar.onnx cannot be run: .*mend: export it again") as caught:
        paint("johnson", {"johnson": tmp_path / "liar.onnx"}, photo)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["johnson", "dumoulin", "adain", "wct"])
def test_a_network_must_be_named(photo: Picture, kind: str) -> None:
    styles = [] if kind in OWN_STYLES else [photo]
    with pytest.raises(OptionError, match=f"^{kind} .*--model FILE") as caught:
        list(run(photo, styles, OPTIONS[kind]()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", OPTIONS)
def test_stopped_before_it_began(models: dict[str, Path], photo: Picture, painting: Picture, kind: str) -> None:
    stop = StopSignal()
    stop.set()
    styles = [] if kind in OWN_STYLES else [painting]
    started, done = run(photo, styles, OPTIONS[kind](model=models[kind]), stop=stop)
    assert started == Started(session.METHOD_OF[kind], photo.size)
    assert isinstance(done, Done)
    assert done.stopped
    np.testing.assert_array_equal(done.picture.pixels, photo.pixels)


@pytest.mark.parametrize("kind", OPTIONS)
def test_memory_is_checked_before_any_work(
    models: dict[str, Path], photo: Picture, painting: Picture, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 100_000_000)
    monkeypatch.setattr(session, "run", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(LimitError, match=r"--size \d+$"):
        paint(kind, models, photo, painting, size=4000)


# Pairs and their codes.


@pytest.mark.parametrize("kind", ["ghiasi", "impasto"])
def test_a_kept_code_paints_what_its_painting_paints(
    models: dict[str, Path], photo: Picture, painting: Picture, kind: str, tmp_path: Path
) -> None:
    encode(painting, model=models[kind]).save(tmp_path / "a.style")
    code = StyleCode.load(tmp_path / "a.style")
    assert code.model not in ("", "magenta-mobile")
    again = paint(kind, models, photo, code)
    np.testing.assert_array_equal(again.pixels, paint(kind, models, photo, painting).pixels)


def test_codes_of_other_networks_are_refused(models: dict[str, Path], photo: Picture, painting: Picture) -> None:
    ours, theirs = encode(painting), encode(painting, model=models["ghiasi"])
    for model, code in ((models["ghiasi"], ours), (models["impasto"], theirs), (None, theirs)):
        with pytest.raises(PictureError, match=f"starry-hills is for the networks {code.model}, not for") as caught:
            list(run(photo, [code], FastOptions(model=model)))
        assert "--model FILE" in str(caught.value)
    short = StyleCode(theirs.values[:7], model=theirs.model)
    with pytest.raises(PictureError, match="is for the networks"):
        paint("ghiasi", models, photo, short)


def test_a_bundled_pair_has_a_name(photo: Picture, painting: Picture) -> None:
    usual, ours, magentas = (
        api.stylize(photo, painting, options=FastOptions(model=m)).pixels
        for m in (None, Path("impasto"), Path("magenta-mobile"))
    )
    np.testing.assert_array_equal(usual, ours)
    assert np.abs(usual - magentas).mean() > 0.01


def test_one_style_for_all_bundled_painters(photo: Picture, painting: Picture) -> None:
    """They read the codes of one predictor."""
    code = encode(painting)
    assert np.array_equal(code.values, encode(painting, model=Path("magenta-mobile")).values)
    for model in (None, Path("impasto"), Path("magenta-mobile")):
        by_code, by_painting = (api.stylize(photo, s, options=FastOptions(model=model)) for s in (code, painting))
        np.testing.assert_array_equal(by_code.pixels, by_painting.pixels)


def test_the_other_half_of_a_pair(models: dict[str, Path], photo: Picture, painting: Picture, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    half.write_bytes(models["ghiasi"].read_bytes())
    with pytest.raises(ModelError, match=r"half-predict\.onnx is missing"):
        encode(painting, model=half)
    code = encode(painting, model=models["ghiasi"])  # a code needs no predictor
    assert len(list(run(photo, [code], FastOptions(model=half)))) == 2
    half.with_name("half-predict.onnx").write_bytes(models["impasto"].with_name("impasto-predict.onnx").read_bytes())
    with pytest.raises(ModelError, match="reads paintings for impasto-0, not for ghiasi-"):
        encode(painting, model=half)
    with pytest.raises(ModelError, match="the other half of its pair"):
        encode(painting, model=models["ghiasi"].with_name("ghiasi-predict.onnx"))


# Files that are refused.


@pytest.mark.parametrize(
    ("asked", "given", "words"),
    [
        ("johnson", "dumoulin", "kind 'dumoulin', not johnson; mend: -m dumoulin"),
        ("johnson", "ghiasi", "mend: -m fast"),
        ("ghiasi", "johnson", "mend: -m johnson"),
        ("adain", "wct", "mend: -m wct"),
    ],
)
def test_another_network(models: dict[str, Path], photo: Picture, asked: str, given: str, words: str) -> None:
    styles = [] if asked in OWN_STYLES else [photo]
    with pytest.raises(ModelError, match=words):
        list(run(photo, styles, OPTIONS[asked](model=models[given])))


def with_card(path: Path, text: str | None) -> bytes:
    """An ONNX file with another card, or none."""
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    if text is not None:
        onnx.helper.set_model_props(model, {PROPERTY: text})
    data: bytes = model.SerializeToString()
    return data


GOOD = Card(network="johnson").to_json()
CARDS: dict[str, tuple[str | None, str]] = {
    "none": (None, "not written by Impasto"),
    "no JSON": ("{", "not written by Impasto"),
    "a list": ("[1]", "not written by Impasto"),
    "deep": ("[" * 10_000, "not written by Impasto"),
    "no format": ("{}", "not written by Impasto"),
    "a later format": (GOOD.replace('"format": 1', '"format": 2'), "format 2, 1 is known"),
    "a number for a name": (GOOD.replace('"johnson"', "7"), "nobody knows"),
    "a huge side": (GOOD.replace('"least": 1', '"least": 1e99'), "nobody knows"),
    "a negative side": (GOOD.replace('"least": 1', '"least": -1'), "nobody knows"),
    "an unknown network": (GOOD.replace("johnson", "other"), "kind 'other'"),
}


@pytest.mark.parametrize("name", CARDS)
def test_cards_that_are_refused(models: dict[str, Path], photo: Picture, tmp_path: Path, name: str) -> None:
    text, words = CARDS[name]
    (tmp_path / "a.onnx").write_bytes(with_card(models["johnson"], text))
    with pytest.raises(ModelError, match=words) as caught:
        list(run(photo, [], JohnsonOptions(model=tmp_path / "a.onnx")))
    assert "a.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no network", b"\x08\x08" * 50, None])
def test_files_that_are_no_network(models: dict[str, Path], photo: Picture, tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(models["johnson"].read_bytes()[:-5000] if data is None else data)
    with pytest.raises(ModelError, match=r"a\.onnx") as caught:
        list(run(photo, [], JohnsonOptions(model=path)))
    assert "\n" not in str(caught.value)
    for missing in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ImpastoError, match="is no file"):
            list(run(photo, [], JohnsonOptions(model=missing)))


def test_a_file_that_was_replaced_is_read_again(photo: Picture, tmp_path: Path) -> None:
    pictures = []
    for seed in (0, 1):
        path = exported("johnson", tmp_path, seed=seed)
        pictures.append(api.stylize(photo, options=JohnsonOptions(model=path)))
    assert apart(*pictures) > 0.01
