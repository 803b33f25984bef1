"""Image optimisation."""

import pytest

pytest.register_assert_rewrite("methods_base")
