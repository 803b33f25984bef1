"""Every row of METHODS keeps the promises of methods_base.py."""

from __future__ import annotations

import pytest

from impasto.methods import METHODS, Method
from methods_base import MethodTests, takes_steps
from stepwise_base import StepwiseTests

AT_ONCE = [m for m in METHODS.values() if not takes_steps(m) and not m.needs_model]
IN_STEPS = [m for m in METHODS.values() if takes_steps(m)]


@pytest.mark.parametrize("method", AT_ONCE, ids=lambda m: m.name)
class TestAtOnce(MethodTests):
    """Methods of one pass."""


@pytest.mark.parametrize("method", IN_STEPS, ids=lambda m: m.name)
class TestInSteps(StepwiseTests):
    """Methods that optimise."""


def test_every_method_is_put_to_these_tests() -> None:
    own = {m.name for m in METHODS.values() if m.needs_model}  # whose network somebody has to train: tests/fast
    assert {m.name for m in AT_ONCE + IN_STEPS} | own == set(METHODS)
    assert all(isinstance(m, Method) for m in IN_STEPS)
    assert {"fast"} <= {m.name for m in AT_ONCE}
    assert {"gatys"} <= {m.name for m in IN_STEPS}
