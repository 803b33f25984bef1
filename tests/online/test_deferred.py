"""Deep layers that are looked at now and then: the loss and its gradient at a look, the model between, the trust."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from impasto.encoders import load_encoder
from impasto.encoders.adaptor import ModuleEncoder
from impasto.errors import OptionError
from impasto.losses import ContentLoss, GramLoss, Loss, Sum, TotalVariation, gram_matrix
from impasto.online import deferred
from impasto.online.deferred import LONGEST, DeferredEvaluation, border_of
from impasto.online.evaluation import Evaluation
from impasto.online.lbfgs import Lbfgs
from online.test_tiles import TAPS, picture, small_encoder

ENCODER = small_encoder("average")


def objective(deep: float = 1.0) -> Sum:
    """Grams of three layers, content in the deepest, and smoothness."""
    style, photo = ENCODER(picture(50, 60), TAPS), ENCODER(picture(40, 48, 2), TAPS)
    weights = {"first": 1.0, "second": 1.0, "third": deep}
    grams: list[Loss] = [w * GramLoss(tap, gram_matrix(style[tap]), relative=True) for tap, w in weights.items()]
    return Sum([0.1 * TotalVariation(), deep * ContentLoss("third", photo["third"], relative=True), *grams])


def both(loss: Loss) -> tuple[Evaluation, DeferredEvaluation]:
    return Evaluation(ENCODER, loss), DeferredEvaluation(ENCODER, loss, "second")


def search(evaluation: Evaluation, steps: int) -> Lbfgs:
    found = Lbfgs(picture(40, 48, 3), evaluation)
    for _ in range(steps):
        found.step()
    return found


def test_a_look_is_the_whole_loss_and_its_gradient() -> None:
    whole, deferred = both(objective())
    (value, gradient), (other, found) = whole(picture(40, 48, 3)), deferred(picture(40, 48, 3))
    assert other == pytest.approx(value, rel=1e-6)
    assert deferred.terms == pytest.approx(dict(whole.terms), rel=1e-6)
    torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6 * float(gradient.abs().max()))
    assert deferred.surprise(picture(40, 48, 5)) == 0


def test_between_two_looks_it_goes_on_along_the_gradient() -> None:
    """Off by the square of the way: a tenth of the way, a hundredth of the error."""
    start, way = picture(40, 48, 3), 0.3 * (picture(40, 48, 4) - 0.5)
    errors = []
    for share in (0.1, 0.01):
        whole, deferred = both(objective())
        deferred(start)
        deferred._pause = 9
        value, gradient = deferred(start + share * way)
        exact, slope = whole(start + share * way)
        errors.append(abs(value - exact))
        assert sum(v for name, v in deferred.terms.items() if name != "total") == pytest.approx(value, rel=1e-5)
        assert float((gradient - slope).norm() / slope.norm()) < 3 * share
    assert errors[1] < 0.03 * errors[0]


def test_what_is_near_is_always_exact() -> None:
    """With nothing beyond the border but a constant, no call differs from the whole."""
    whole, deferred = both(objective(deep=0.0))
    deferred(picture(40, 48, 3))
    deferred._pause = 9
    assert deferred(picture(40, 48, 5))[0] == pytest.approx(whole(picture(40, 48, 5))[0], rel=1e-6)


def test_a_surprise_is_what_the_model_was_off_by() -> None:
    """Wholly where it was noticed, by a quarter half the way there, not at all where the model was made."""
    whole, deferred = both(objective())
    here, there = picture(40, 48, 3), picture(40, 48, 5)
    deferred(here)
    deferred._pause = 9
    guess = deferred(there)[0]
    assert deferred.pending
    assert deferred.surprise(there) == 0
    deferred.look_next()
    assert deferred(there)[0] == pytest.approx(whole(there)[0], rel=1e-6)
    assert not deferred.pending
    assert deferred.surprise(there) == pytest.approx(whole(there)[0] - guess, rel=1e-4)
    assert deferred.surprise((here + there) / 2) == pytest.approx(deferred.surprise(there) / 4, rel=1e-4)
    assert deferred.surprise(here) == 0


def test_what_was_seen_whole_is_no_surprise() -> None:
    """With a look in every call each loss is exact, and no step may lead uphill."""
    deferred = DeferredEvaluation(ENCODER, objective(30.0), "second")
    found = Lbfgs(picture(40, 48, 3), deferred)
    losses = []
    for _ in range(30):
        deferred._pause = 1
        losses.append(found.step())
    assert losses == sorted(losses, reverse=True)


def test_a_look_that_is_not_finite_is_taken_back() -> None:
    """And the model that was there before serves on, until the next call looks again."""

    class Once(ContentLoss):
        broken = False

        def of_sums(self, *sums: Tensor) -> Tensor:
            return super().of_sums(*sums) * (float("nan") if self.broken else 1.0)

    deep = Once("third", ENCODER(picture(40, 48, 2), TAPS)["third"], relative=True)
    deferred = DeferredEvaluation(ENCODER, Sum([objective(1e-3), deep]), "second")
    found = search(deferred, 4)
    before = found.loss
    deep.broken = True
    deferred.look_next()
    found.step()
    assert (found.recovered, found.loss) == (1, before)
    deep.broken = False
    for _ in range(12):
        found.step()
    assert found.recovered == 1
    assert found.loss < before


def test_a_model_that_misleads_is_no_reason_to_give_up() -> None:
    """A slope that leads nowhere stalls no search: before it gives up it looks."""
    deferred = DeferredEvaluation(ENCODER, objective(), "second")
    found = search(deferred, 3)
    assert deferred._model
    wrong = -1e3 * deferred._model.slope
    deferred._model = dataclasses.replace(deferred._model, slope=wrong)
    deferred._pause, deferred._calls = LONGEST, 0
    found.loss, found._gradient, found._direction = *deferred(found.x), None
    for _ in range(40):
        found.step()
    assert not found.stalled
    assert both(objective())[0](found.x)[0] < 0.5 * both(objective())[0](picture(40, 48, 3))[0]


def test_trust_grows_where_the_model_holds_and_goes_where_it_does_not() -> None:
    calm, wild = (DeferredEvaluation(ENCODER, objective(deep), "second") for deep in (1e-4, 30.0))
    search(calm, 60)
    search(wild, 60)
    assert calm._pause == LONGEST
    assert wild._pause == 1


@pytest.mark.parametrize("deep", [1e-3, 1.0, 30.0])
def test_it_gets_as_far_as_with_every_layer_in_every_step(deep: float) -> None:
    whole, deferred = both(objective(deep))
    begun = whole(picture(40, 48, 3))[0]
    exact, found = search(whole, 60), search(deferred, 60)
    reached = whole(found.x)[0]
    assert begun - reached > 0.97 * (begun - exact.loss)
    assert not found.stalled


def test_goes_on_from_its_state_exactly() -> None:
    loss = objective(1e-2)
    one = DeferredEvaluation(ENCODER, loss, "second")
    walk: list[Tensor] = [picture(40, 48, 3) + 0.01 * n * picture(40, 48, 6) for n in range(14)]
    for x in walk[:6]:
        one(x)
    other = DeferredEvaluation(ENCODER, loss, "second")
    other(picture(40, 48, 9))
    other.load_state(one.state())
    for x in walk[6:]:
        (value, gradient), (again, same) = one(x), other(x)
        assert (value, one.surprise(walk[0])) == (again, other.surprise(walk[0]))
        assert torch.equal(gradient, same)


class TestBorder:
    def test_is_the_styles_last_layer_but_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert border_of(ENCODER, objective()) is None  # what lies beyond so shallow a layer has news with every step
        monkeypatch.setattr(deferred, "SHALLOW", 1)
        assert border_of(ENCODER, objective()) == "second"

    def test_vgg(self) -> None:
        vgg = load_encoder("vgg19")
        grams = [GramLoss(tap, torch.ones(1, 1, 1)) for tap in ("relu1_1", "relu3_1", "relu4_1", "relu5_1")]
        content = ContentLoss("relu4_2", torch.ones(1, 1, 1, 1))
        assert border_of(vgg, Sum([content, *grams])) == "relu4_1"
        assert border_of(vgg, Sum([content, *grams[:-1]])) == "relu3_1"

    def test_there_is_none_where_a_deep_loss_sees_shallow_layers_too(self) -> None:
        assert border_of(ENCODER, Sum([objective(), _Straddling()])) is None

    def test_there_is_none_with_one_layer_or_without_a_chain(self) -> None:
        assert border_of(ENCODER, Sum([GramLoss("first", torch.ones(1, 6, 6))])) is None
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 4, 3))
        other = ModuleEncoder(net, {"low": "0", "high": "1"}, mean=(0.5, 0.5, 0.5))
        assert border_of(other, Sum([GramLoss(tap, torch.ones(1, 4, 4)) for tap in ("low", "high")])) is None


class _Straddling(GramLoss):
    def __init__(self) -> None:
        super().__init__("third", torch.ones(1, 5, 5))
        self.taps = ("first", "third")


class TestOnward:
    """A chain gone through in two goes."""

    def test_is_what_one_go_gives(self) -> None:
        vgg = load_encoder("vgg19")
        taps = ["relu2_1", "conv3_1", "relu3_2"]
        whole = vgg(image := picture(32, 40), taps)
        half = vgg(image, ["relu2_1"])["relu2_1"]
        for tap, found in vgg.onward(half, "relu2_1", taps[1:]).items():
            assert torch.equal(found, whole[tap])

    @pytest.mark.parametrize("tap", ["first", "second", "nose"])
    def test_only_what_lies_beyond(self, tap: str) -> None:
        with pytest.raises(OptionError):
            ENCODER.onward(torch.zeros(1, 8, 10, 10), "second", [tap])
