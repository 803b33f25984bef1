"""The command line: one file a command, and nothing here that a library user would miss."""

from impasto.cli.main import main

__all__ = ["main"]
