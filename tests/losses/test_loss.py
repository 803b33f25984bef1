"""The algebra of losses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.losses import Features, Loss, Sum, sum_of, widen


class Mean(Loss):
    """The mean of one tap, under a label of one's choice."""

    def __init__(self, tap: str, label: str) -> None:
        super().__init__()
        self.taps, self.label = (tap,), label

    def forward(self, features: Features) -> Tensor:
        return features[self.taps[0]].mean()


FEATURES = {"a": torch.full((1, 1, 2, 2), 2.0), "b": torch.full((1, 1, 2, 2), 5.0)}
A, B = Mean("a", "content"), Mean("b", "style")


def values(loss: Loss) -> dict[str, float]:
    return {label: value.item() for label, value in loss.terms(FEATURES).items()}


def test_terms_keep_their_labels_through_sums_of_sums() -> None:
    loss = 2 * (A + 3 * B) + 0.5 * Sum((A, B))
    assert values(loss) == {"content": 2 * 2 + 0.5 * 2, "style": 6 * 5 + 0.5 * 5}
    assert loss(FEATURES).item() == 5 + 32.5


def test_terms_of_one_label_become_one() -> None:
    loss = Mean("a", "style") + Mean("b", "style")
    assert values(loss) == {"style": 7}


def test_taps_are_named_once_in_order() -> None:
    assert (B + A + 2 * B).taps == ("b", "a")
    assert (3 * A).taps == ("a",)


def test_a_weight_of_nothing_counts_nothing() -> None:
    assert values(0 * A + B) == {"content": 0, "style": 5}


def test_sum_moves_its_parts_between_devices() -> None:
    class Held(Mean):
        def __init__(self) -> None:
            super().__init__("a", "held")
            self.register_buffer("target", torch.zeros(1), persistent=False)

    moved = (2 * Held() + A).to("meta")
    assert [buffer.device.type for buffer in moved.buffers()] == ["meta"]


def test_a_sum_of_no_losses_is_refused() -> None:
    with pytest.raises(ValueError, match="no losses"):
        sum_of({})
    with pytest.raises(ValueError, match="no losses"):
        Sum(())(FEATURES)


def test_base_has_no_loss_of_its_own() -> None:
    with pytest.raises(NotImplementedError):
        Loss()(FEATURES)


@pytest.mark.parametrize(
    ("given", "wide"),
    [(torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float32, torch.float32),
     (torch.float64, torch.float64)],
)  # fmt: skip
def test_widen(given: torch.dtype, wide: torch.dtype) -> None:
    assert widen(torch.ones(1, dtype=given)).dtype == wide
