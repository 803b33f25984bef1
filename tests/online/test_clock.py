"""What a run says of the time that it will take."""

from __future__ import annotations

import pytest

from impasto.online import clock as clocks
from impasto.online.clock import Clock
from impasto.online.plan import ANY_SIZE, Plan, Scale

SMALL, LARGE = Scale((100, 100), 4), Scale((200, 150), 2)
"""A step at the larger size takes twice the time of one at the smaller."""


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(clocks.time, "monotonic", lambda: now[0])
    return now


def test_sizes_are_what_this_file_says() -> None:
    plan = Plan((SMALL, LARGE))
    assert plan.work(LARGE.size) == 2 * plan.work(SMALL.size) == 4 * ANY_SIZE


def test_a_step_costs_as_much_as_its_canvas(now: list[float]) -> None:
    clock = Clock(Plan((SMALL, LARGE)))
    clock.begin(SMALL)
    clock.ready(SMALL)
    assert clock.seconds_left == 0  # nothing is known yet
    for step in range(4):
        now[0] += 1
        clock.tick(SMALL, 1)
        assert clock.seconds == step + 1
        assert clock.seconds_left == pytest.approx(3 - step + 2 * 2)
    clock.begin(LARGE)
    clock.ready(LARGE)
    for left in (2, 0):
        now[0] += 2
        clock.tick(LARGE, 1)
        assert clock.seconds_left == pytest.approx(left)


def test_what_is_made_first_takes_time_at_every_size_and_half_of_the_first_is_warming_up(now: list[float]) -> None:
    clock = Clock(Plan((SMALL, LARGE)))
    clock.begin(SMALL)
    now[0] += 6
    clock.ready(SMALL)
    now[0] += 1
    clock.tick(SMALL, 1)
    assert clock.seconds_left == pytest.approx(3 + 2 * 2 + 6 / 2 * 2)


def test_the_first_steps_warm_up_too(now: list[float]) -> None:
    clock = Clock(Plan((SMALL,)))
    clock.begin(SMALL)
    clock.ready(SMALL)
    for seconds in (9, 1, 1):
        now[0] += seconds
        clock.tick(SMALL, 1)
    assert clock.seconds_left == pytest.approx(1)


def test_later_turns_take_a_step_until_one_was_seen(now: list[float]) -> None:
    plan = Plan((SMALL,), every=2)
    first, second = plan.rounds()
    clock = Clock(plan)
    clock.begin(first)
    now[0] += 20
    clock.ready(first)
    now[0] += 1
    clock.tick(first, 1)
    assert clock.seconds_left == pytest.approx(1 + 2 + 1)
    now[0] += 1
    clock.tick(first, 1)
    clock.begin(second)
    now[0] += 3
    clock.ready(second)
    assert clock.seconds_left == pytest.approx(2)


def test_steps_that_are_dropped_take_no_time(now: list[float]) -> None:
    clock = Clock(Plan((SMALL, LARGE)))
    clock.begin(SMALL)
    clock.ready(SMALL)
    now[0] += 1
    clock.tick(SMALL, 4)
    assert clock.seconds_left == pytest.approx(2 * 2)


def test_steps_made_earlier_say_nothing_of_the_time_left(now: list[float]) -> None:
    clock = Clock(Plan((SMALL, LARGE)))
    clock.skip_round(SMALL)
    clock.begin(LARGE)
    clock.ready(LARGE)
    clock.skip(LARGE, 1)
    assert clock.seconds_left == 0
    now[0] += 2
    clock.tick(LARGE, 1)
    assert clock.seconds_left == 0
