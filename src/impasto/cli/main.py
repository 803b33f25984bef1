"""Finds the command, runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import typer

# The public module that re-exports these imports a good part of a second; the exceptions are what is needed.
from typer._click.exceptions import ClickException

from impasto.errors import ImpastoError

COMMANDS = {
    "stylize": "Repaint a photo in the style of one painting or several.",
    "style": "Read a painting's style once, keep it as a small file, reuse it.",
    "methods": "List the methods, their papers and what they are good at.",
    "encoders": "List the pretrained networks that online methods look with.",
    "models": "List, fetch and check pretrained weights.",
    "doctor": "What is installed, which device, which weights, how fast.",
}
"""Name -> its line in the help. The command itself is `impasto.cli.<name>:register`, imported when it is asked for."""

COMPLETION = "_IMPASTO_COMPLETE"
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves with its exit code.

    Args:
        arguments: words after the program's name; the process's own when not given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(words))


def run(words: Sequence[str]) -> int:
    """Runs one command.

    Returns:
        0 done; 2 bad usage or input; 3 a limit; 130 interrupted.
    """
    try:
        code = build(words)(list(words), prog_name="impasto", standalone_mode=False)
    except ImpastoError as error:
        return _say(str(error), error.exit_code)
    except ClickException as error:
        return _say(error.format_message().replace("\n", " "), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted; nothing was written", INTERRUPTED)
    except MemoryError:
        return _say("out of memory; mend: a smaller --size", 3)
    except BrokenPipeError:  # the reader of our output has gone; that is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def build(words: Sequence[str]) -> Callable[..., object]:
    """The command line with the commands that `words` may need; the others only as a line of help."""
    app = typer.Typer(
        name="impasto",
        help="Paint one picture in the style of another.",
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_version)
    wanted = COMMANDS if COMPLETION in os.environ else {next((w for w in words if not w.startswith("-")), "")}
    for name, text in COMMANDS.items():
        if name in wanted:
            import_module(f"impasto.cli.{name}").register(app, name, text)
        else:
            app.command(name, help=text)(_elsewhere)
    return typer.main.get_command(app)


def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and leave.", is_eager=True),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"impasto {installed('impasto')}")
        raise typer.Exit


def _elsewhere() -> None:
    """Stands in the help for a command that was not asked for; never runs."""


def _say(message: str, code: int) -> int:
    typer.echo(f"impasto: {message}", err=True)
    return code
