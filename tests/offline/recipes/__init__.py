"""Recipes."""

import pytest

pytest.register_assert_rewrite("offline.recipes.base")
