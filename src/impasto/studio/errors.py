"""What the studio answers with, besides the errors of the library."""

from __future__ import annotations

from impasto.errors import ImpastoError


class MissingError(ImpastoError):
    """There is nothing of that name, or it belongs to somebody else."""


class ConflictError(ImpastoError):
    """Not now: something else needs it as it is."""


class BusyError(ImpastoError):
    """Too much at once; try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLargeError(ImpastoError):
    """More bytes than are taken."""


class KindError(ImpastoError):
    """Bytes that are no picture of a kind that is taken."""


class AwayError(ImpastoError):
    """The place where pictures are does not answer, or has no room; later it may."""


class StoppedError(ImpastoError):
    """The job was to stop before it had anything to show."""


class LostError(ImpastoError):
    """The job belongs to another worker by now; whatever this one still holds of it counts for nothing."""
