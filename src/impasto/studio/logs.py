"""Logs: one JSON object a line on standard error; ids, numbers and our own words, no names of files, no user's text."""

from __future__ import annotations

import json
import logging
import sys
import time

FIELDS = ("job", "method", "attempt", "seconds", "status", "route", "worker", "count", "bytes")
"""What a line may hold besides time, level, part and message."""


class Lines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """As text; of an exception its kind and the places it passed, not its message, which may quote a user."""
        told = {"time": round(record.created, 3), "level": record.levelname.lower(), "part": record.name.split(".")[-1]}
        told["message"] = record.getMessage()
        told |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
            told["at"] = _places(record.exc_info)
        return json.dumps(told)


def _places(info: logging._SysExcInfoType) -> list[str]:
    """Where an exception came by, the newest last."""
    found, step = [], info[2]
    while step:
        code = step.tb_frame.f_code
        found.append(f"{code.co_filename.rpartition('impasto')[2] or code.co_filename}:{step.tb_lineno}")
        step = step.tb_next
    return found[-8:]


def get(part: str) -> logging.Logger:
    """The log of one part of the studio."""
    return logging.getLogger(f"impasto.studio.{part}")


def begin(level: int = logging.INFO) -> None:
    """Sends the studio's lines to standard error, and what the server that it runs on has to complain about."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    for name, least in (("impasto.studio", level), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = [handler], False
        logger.setLevel(least)
    logging.Formatter.converter = time.gmtime
