"""What a child says: JSON and bytes, never a pickle, which would run code of whoever took the child over.

A child reads what strangers send, so its words are taken for no more than words: their length is bounded, errors are
known by name, and an answer must be what the function that was asked says it returns.
"""

from __future__ import annotations

import dataclasses
import json
from multiprocessing.connection import Connection
from typing import Any

from pydantic import TypeAdapter

from impasto.errors import ImpastoError, LimitError, ModelError, OptionError, PictureError
from impasto.studio.errors import AwayError, ConflictError, KindError, MissingError, TooLargeError

WORDS = 16 << 20
"""Bytes of JSON at most; what pictures say of how they were painted is the most of it."""

MESSAGE = 1000
"""Letters of an error's message that are listened to."""

_RAW = "\0raw"  # no key of ours: settings with such letters are not believed
_ERRORS = {
    kind.__name__: kind
    for kind in (
        ImpastoError, PictureError, OptionError, ModelError, LimitError,
        AwayError, MissingError, ConflictError, KindError, TooLargeError,
    )
}  # fmt: skip


def told(answer: Any) -> list[bytes]:
    """An answer as messages: the words, then each run of bytes in them.

    Args:
        answer: numbers, words, bytes, lists, dictionaries and dataclasses of such.

    Raises:
        TypeError: when something in it is none of these.
    """
    raw: list[bytes] = []

    def spelled(part: object) -> Any:
        if isinstance(part, bytes):
            raw.append(part)
            return {_RAW: True}
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            return vars(part)
        raise TypeError(f"{type(part).__name__} does not travel")

    return [json.dumps({"answer": answer}, default=spelled).encode(), *raw]


def told_error(error: ImpastoError) -> list[bytes]:
    """An error as a message: the nearest kind that is known there, and its words."""
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind in _ERRORS.values())
    return [json.dumps({"error": kind, "words": str(error)[:MESSAGE]}).encode()]


def heard(line: Connection, kind: TypeAdapter[Any], most: int) -> Any:
    """What a child answers.

    Args:
        line: to the child.
        kind: what the answer must be.
        most: bytes of it that are taken, besides its words.

    Raises:
        ImpastoError: as the child did.
        EOFError: when it died.
        OSError: when it sends more than is taken.
        ValueError: when it sends something else.
    """
    left = most

    def filled(found: dict[str, Any]) -> Any:
        nonlocal left
        if _RAW not in found:
            return found
        raw = line.recv_bytes(left)
        left -= len(raw)
        return raw

    try:
        said = json.loads(line.recv_bytes(WORDS), object_hook=filled)
        if "error" not in said:
            return kind.validate_python(said["answer"])
        error, words = _ERRORS[said["error"]], str(said["words"])[:MESSAGE]
    except (TypeError, KeyError, RecursionError) as wrong:
        raise ValueError(f"a child does not speak as it should: {type(wrong).__name__}") from None
    raise error(words)
