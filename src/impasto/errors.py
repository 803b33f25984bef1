"""What can go wrong, in words a user can act on.

Every message is one line: what happened, to which file or option, and how to mend it. The command line prints it as it
is and leaves with `exit_code`; a traceback is only ever shown for a fault of our own.
"""


class ImpastoError(Exception):
    """Base of every error that Impasto raises on purpose."""

    exit_code = 2


class PictureError(ImpastoError):
    """A picture cannot be read or written: missing, empty, damaged, of a format that is not taken, or in the way."""


class OptionError(ImpastoError):
    """An option, a method, a layer or a device has a name or a value that does not fit."""


class ModelError(ImpastoError):
    """Pretrained weights are missing, damaged, swapped or cannot be downloaded."""


class MissingExtraError(ImpastoError):
    """Something needs a package that is not installed; the message holds the pip command that mends it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs the "{extra}" extra; mend: pip install "impasto[{extra}]"')
        self.extra = extra


class LimitError(ImpastoError):
    """Memory or size limits would be passed; the message says what would fit."""

    exit_code = 3
