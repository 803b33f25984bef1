"""Losses."""

import pytest

pytest.register_assert_rewrite("losses.base")
