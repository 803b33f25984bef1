"""Logs: one JSON object a line on standard error; ids, numbers and our own words, no names of files, no user's text."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path

OURS = "impasto.studio"
FIELDS = ("job", "method", "attempt", "seconds", "status", "route", "worker", "count", "bytes", "error", "at")
"""What a line may hold besides time, level, part and message."""


class Lines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """As text; of an exception its kind and the places it passed, not its message, which may quote a user."""
        told = {"time": round(record.created, 3), "level": record.levelname.lower(), "part": record.name.split(".")[-1]}
        ours = record.name.startswith(OURS)  # others may quote whom they serve
        told["message"] = record.getMessage() if ours else str(record.msg).partition("\n")[0][:200]
        told |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
            told["at"] = _places(record.exc_info)
        return json.dumps(told)


def _places(info: logging._SysExcInfoType) -> list[str]:
    """Where an exception came by, the newest last."""
    found, step = [], info[2]
    while step:
        found.append(_place(step.tb_frame.f_code.co_filename, step.tb_lineno))
        step = step.tb_next
    return found[-8:]


def _place(file: str, line: int) -> str:
    """A place in a program, without the folders that it is installed in."""
    return f"{'/'.join(Path(file).parts[-2:])}:{line}"


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """Of a warning its kind and where it was given, not its words, which may quote a user."""
    get("python").warning("a warning", extra={"error": category.__name__, "at": [_place(filename, lineno)]})


def get(part: str) -> logging.Logger:
    """The log of one part of the studio."""
    return logging.getLogger(f"{OURS}.{part}")


def begin(level: int = logging.INFO) -> None:
    """Sends the studio's lines to standard error; of what others say the first line, of warnings the kind."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    for name, least in ((OURS, level), (None, logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = [handler], False
        logger.setLevel(least)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the client is told what is wrong with its form
    logging.Formatter.converter = time.gmtime
    warnings.showwarning = _warned
