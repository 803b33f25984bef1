"""One way to say what is wrong with a picture: which one, why, how to mend it; always one line."""

from __future__ import annotations

from impasto.errors import PictureError


def trouble(name: object, reason: str, mend: str) -> PictureError:
    """The error to raise: `NAME REASON; mend: MEND`."""
    return PictureError(one_line(f"{name} {reason}; mend: {mend}"))


def one_line(text: str, longest: int = 600) -> str:
    """`text` without control characters or runs of spaces; file names may hold either."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def cause(error: BaseException) -> str:
    """What an exception of the system or of a decoder says, short enough for a bracket."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return one_line(str(text), 120)
