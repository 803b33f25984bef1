"""Mean absolute activations of every tap over photographs, from `means.toml`, which `measure.py` writes."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("means.toml")


@cache
def _table() -> dict[str, dict[str, float]]:
    return tomllib.loads(TABLE.read_text("utf-8")) if TABLE.exists() else {}


def mean_activations(name: str, pooling: str = "") -> dict[str, float]:
    """Tap -> mean absolute activation, empty when this encoder was never measured.

    Args:
        name: of the encoder.
        pooling: "max" or "average" for encoders that can have either, "" for the others.
    """
    return _table().get(f"{name}-{pooling}" if pooling else name, {})
