"""Finds the command, runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import typer

# The public module that re-exports these imports a good part of a second; the exceptions are what is needed.
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from impasto.errors import ImpastoError

if TYPE_CHECKING:
    from typer._click.core import Command

COMMANDS = {
    "stylize": "Repaint a photo in the style of one painting or several.",
    "texture": "Make a new picture of a painting's texture, of any size.",
    "reconstruct": "Show what an encoder's layer remembers of a picture.",
    "compare": "Every method on one photo: a sheet, metrics, times.",
    "style": "Read a painting's style once, keep it as a small file.",
    "train": "Train a network; the same command again goes on.",
    "export": "Write a trained network as a file that needs no torch.",
    "studio": "A web page and an HTTP API on this machine.",
    "worker": "Work off the studio's jobs, on any machine.",
    "evaluate": "Compare networks on the same photos and paintings.",
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
    if isinstance(sys.stdout, TextIOWrapper):  # a file's name goes out as it came in, whatever letters it has
        sys.stdout.reconfigure(errors="surrogateescape" if os.name == "posix" else "backslashreplace")
    sys.exit(run(words))


def run(words: Sequence[str]) -> int:
    """Runs one command.

    Returns:
        0 done; 2 bad usage or input; 3 a limit; 130 interrupted.
    """
    try:
        return _invoke(build(words), list(words))
    except ImpastoError as error:
        return _say(str(error), error.exit_code)
    except ClickException as error:
        return _say(_usage(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted; nothing was written", INTERRUPTED)
    except MemoryError:
        return _say("out of memory; mend: a smaller --size", 3)
    except BrokenPipeError:  # the reader of our output has gone; that is its right
        _drop_output()
        return 0
    except OSError as error:  # what the system refuses and nobody put into words before, such as a full disk
        _drop_output()
        return _say(f"{error.filename or 'standard output'}: {error.strerror or error}", 2)


def _invoke(command: Command, words: list[str]) -> int:
    """Runs the command without typer's own handling of errors, pipes and Ctrl-C."""
    if COMPLETION in os.environ:
        command(words, prog_name="impasto")
    try:
        with command.make_context("impasto", words) as context:
            command.invoke(context)
    except typer.Exit as leave:
        return leave.exit_code
    return 0


def _usage(error: ClickException) -> str:
    """One line on what is wrong with the words, and where to look; without any words, the help as well."""
    if not isinstance(error, UsageError) or error.ctx is None:
        return error.format_message()
    command: Any = error.ctx.command
    if isinstance(error, NoArgsIsHelpError):
        typer.echo(error.format_message())
        return f"give a command: {', '.join(command.list_commands(error.ctx))}"
    return f"{error.format_message().rstrip('.')}; see {error.ctx.command_path} --help"


def build(words: Sequence[str]) -> Command:
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
    app.callback()(_global)
    wanted = COMMANDS if COMPLETION in os.environ else {next((w for w in words if not w.startswith("-")), "")}
    for name, text in COMMANDS.items():
        if name in wanted:
            import_module(f"impasto.cli.{name}").register(app, name, text)
        else:
            app.command(name, help=text)(_elsewhere)
    return typer.main.get_command(app)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"impasto {version('impasto')}")
        raise typer.Exit


def _global(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Holds the flags that stand before any command."""


def _elsewhere() -> None:
    """Stands in the help for a command that was not asked for; never runs."""


def _say(message: str, code: int) -> int:
    typer.echo(f"impasto: {' '.join(message.splitlines())}", err=True)
    return code


def _drop_output() -> None:
    """Sends what is still in standard output's buffer nowhere, so that leaving does not fail over it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
