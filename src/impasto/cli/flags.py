"""Flags derived from the methods' options: one flag a name, whichever methods have it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto.errors import OptionError
from impasto.methods import METHODS, Method
from impasto.options import Spec

WORDS: dict[type, str] = {int: "N", float: "X", str: "NAME", Path: "FILE"}
"""What the help calls the values."""


def parameters() -> list[inspect.Parameter]:
    """One keyword parameter for each option that any method has, None when the flag is not given."""
    return [_parameter(name, holders) for name, holders in by_name().items()]


def command(
    fixed: Mapping[str, tuple[Any, Any]],
    derived: Sequence[inspect.Parameter],
    run: Callable[[dict[str, Any], dict[str, Any]], None],
) -> Callable[..., None]:
    """A command that typer can read: flags of its own, and those that come from options.

    Args:
        fixed: name -> (annotation, default) of the command's own.
        derived: the others, made from options.
        run: called with the values of both kinds, by name.
    """

    def called(**values: Any) -> None:
        run({name: values.pop(name) for name in fixed}, values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter(n, keyword, default=d, annotation=a) for n, (a, d) in fixed.items()]
    called.__signature__ = inspect.Signature([*own, *derived])  # type: ignore[attr-defined]
    called.__annotations__ = {}
    return called


def listed(spec: Spec, words: Sequence[str]) -> tuple[Any, ...]:
    """The values of a flag that may be repeated; words hold commas, and so may the name of a file that is there."""
    values: list[Any] = []
    for word in words:
        whole = spec.kind is Path and Path(word).exists()
        values += spec.check([word]) if whole else spec.parse(word)
    return tuple(values)


def by_name() -> dict[str, dict[str, Spec]]:
    """Option name -> method name -> spec."""
    found: dict[str, dict[str, Spec]] = {}
    for method in METHODS.values():
        for spec in method.options_class.specs():
            found.setdefault(spec.name, {})[method.name] = spec
    return found


def options_of(method: Method, given: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values to make a method's options from.

    Args:
        method: whose options.
        given: parameter name -> what the command line said, None for nothing.
        base: values that hold where nothing was said, such as an earlier run's settings.

    Raises:
        OptionError: when a flag was given that this method does not have.
    """
    specs = {s.name: s for s in method.options_class.specs()}
    values = dict(base or {})
    for name, value in given.items():
        if value is None:
            continue
        if name not in specs:
            having = ", ".join(by_name()[name])
            raise OptionError(f"the method {method.name} has no --{name.replace('_', '-')}; methods that do: {having}")
        if isinstance(value, list):
            values[name] = listed(specs[name], value)
        else:
            values[name] = specs[name].parse(value) if isinstance(value, str) else value
    return values


def _parameter(name: str, holders: Mapping[str, Spec]) -> inspect.Parameter:
    spec = next(iter(holders.values()))
    kind: Any = bool if spec.kind is bool else str  # words are parsed by the option itself, which says it in our words
    if spec.many and spec.kind is Path:  # files may be given one by one too
        kind = list[str]
    choices = spec.choices
    word = WORDS.get(spec.kind)
    info = typer.Option(
        spec.flag,
        help=_help(holders),
        metavar="|".join(choices) if choices else f"{word},{word}" if spec.many else word,
        autocompletion=(lambda: list(choices)) if choices else None,
        show_default=False,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def _help(holders: Mapping[str, Spec]) -> str:
    texts: dict[str, list[str]] = {}
    for method, spec in holders.items():
        texts.setdefault(spec.help, []).append(method)
    defaults = {m: _shown(s.default) for m, s in holders.items()}
    text = "; ".join(f"{', '.join(names)}: {told}" if len(texts) > 1 else told for told, names in texts.items())
    if len(holders) < len(METHODS):
        text += f" [{', '.join(holders)}]"
    shown = set(defaults.values())
    if shown == {""}:
        return text
    if len(shown) == 1:
        return f"{text} (default {shown.pop()})"
    holds: dict[str, list[str]] = {}
    for method, default in defaults.items():
        holds.setdefault(default, []).append(method)
    usual = max(holds, key=lambda default: len(holds[default]))
    others = [f"{', '.join(names)}: {default}" for default, names in holds.items() if default and default != usual]
    return f"{text} (default {', '.join([usual, *others] if usual else others)})"


def _shown(value: object) -> str:
    return "" if value is None or value == () else f"{value:g}" if isinstance(value, float) else str(value)
