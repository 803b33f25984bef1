"""One option, one place: typed, bounded and documented fields from which every surface is derived.

A method's options are one frozen dataclass below `Options`. The command line's flags, an HTTP schema, a form and the
settings written into an output file all come from `specs()`, so that they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from impasto.errors import OptionError

T = TypeVar("T")

KeepColor = Literal["none", "luminance", "linear", "histogram"]
Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True)
class Spec:
    """What one option is, read off its dataclass field.

    Attributes:
        name: the field's name, with underscores.
        kind: the scalar type: int, float, str, bool or Path.
        many: True when the value is a tuple of that type.
        optional: True when None is allowed ("decide for me").
        choices: the allowed words, empty when any value within the bounds is.
        default: the value when nothing is said.
        help: one line.
        low: smallest allowed number.
        high: largest allowed number.
    """

    name: str
    kind: type
    many: bool
    optional: bool
    choices: tuple[str, ...]
    default: Any
    help: str
    low: float | None
    high: float | None

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")

    def check(self, value: Any) -> Any:
        """The value in its own type.

        Raises:
            OptionError: when it has the wrong type, is not finite, or lies outside the bounds or choices.
        """
        if value is None:
            if self.optional:
                return None
            raise OptionError(f"{self.flag} needs a value; {self._range()}")
        if not self.many:
            return self._check_one(value)
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise OptionError(f"{self.flag} takes a list, not {reprlib.repr(value)}")
        return tuple(self._check_one(v) for v in value)

    def _check_one(self, value: Any) -> Any:
        if self.choices:
            if not isinstance(value, str) or value not in self.choices:
                raise OptionError(
                    f"{self.flag} {reprlib.repr(value)} is unknown; choose one of: {', '.join(self.choices)}"
                )
            return value
        if self.kind in (int, float):
            return self._check_number(value)
        if self.kind is Path and isinstance(value, str | Path) and str(value):
            return Path(value)
        if not isinstance(value, self.kind):
            raise OptionError(f"{self.flag} takes {self.kind.__name__}, not {reprlib.repr(value)}")
        return value

    def _check_number(self, value: Any) -> int | float:
        try:
            number: int | float = self.kind(value) if _is_real(value) else math.nan
        except (OverflowError, ValueError):  # an integer of NaN, a float of 400 digits
            number = math.nan
        if (self.kind is int and number != value) or (self.kind is float and not math.isfinite(number)):
            raise OptionError(f"{self.flag} {reprlib.repr(value)} is not allowed; {self._range()}")
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise OptionError(f"{self.flag} {_shown(number)} is out of range; {self._range()}")
        return number

    def parse(self, text: str) -> Any:
        """The value that a word on a command line stands for; lists are written with commas.

        Raises:
            OptionError: as `check`.

        Example:
            >>> StylizeOptions.specs()[2].parse("2,1")
            (2.0, 1.0)
        """
        if not self.many:
            return self.check(self._parse_one(text))
        words = [word.strip() for word in text.split(",")]
        if not all(words):
            raise OptionError(f"{self.flag} {reprlib.repr(text)} has an empty place; give a list such as a,b")
        return self.check([self._parse_one(word) for word in words])

    def _parse_one(self, text: str) -> Any:
        if self.kind not in (int, float):
            return text
        try:
            return self.kind(text)
        except ValueError:
            raise OptionError(f"{self.flag} {reprlib.repr(text)} is not allowed; {self._range()}") from None

    def _range(self) -> str:
        word = "a whole number" if self.kind is int else "a number"
        if self.low is not None and self.high is not None:
            return f"give {word} from {_shown(self.low)} to {_shown(self.high)}"
        if self.low is not None:
            return f"give {word} of at least {_shown(self.low)}"
        return f"give {word}" if self.kind in (int, float) else f"give {self.kind.__name__}"


def option(default: T, text: str, *, low: float | None = None, high: float | None = None) -> T:
    """A dataclass field with the one-line help and the bounds that every surface shows and enforces."""
    return dataclasses.field(default=default, metadata={"help": text, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of every method's options: checks itself when made, travels as plain JSON."""

    def __post_init__(self) -> None:
        for spec in self.specs():
            object.__setattr__(self, spec.name, spec.check(getattr(self, spec.name)))

    @classmethod
    def specs(cls) -> tuple[Spec, ...]:
        """Each option's description, in the order of the fields."""
        hints = typing.get_type_hints(cls)
        return tuple(_spec(f, hints[f.name]) for f in dataclasses.fields(cls))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Options from JSON-like values.

        Raises:
            OptionError: on an unknown name, or a value that does not fit.
        """
        known = {s.name for s in cls.specs()}
        for name in values:
            if name not in known:
                raise OptionError(f"unknown option {name!r}; known: {', '.join(sorted(known))}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-like values, every option included, so that a run can be repeated after defaults have changed."""
        return {s.name: _plain(getattr(self, s.name)) for s in self.specs()}


@dataclass(frozen=True, kw_only=True)
class StylizeOptions(Options):
    """What every method that repaints a photo understands."""

    size: int | None = option(
        None, "long side of the result in pixels; the photo's own size if not given", low=16, high=32768
    )
    strength: float = option(1.0, "how far from the photo (0) to the style (1)", low=0, high=1)
    blend: tuple[float, ...] = option((), "weights of the styles, such as 2,1; equal if not given", low=0, high=1e6)
    style_scale: float = option(1.0, "size of the strokes; 2 is twice as large", low=0.25, high=4)
    keep_color: KeepColor = option("none", "keep the photo's colours by this rule")
    mask: tuple[Path, ...] = option(
        (), "paint only where this picture is white; one a painting says where on the photo each of them goes"
    )
    photorealistic: bool = option(False, "in the end, give the picture the photo's own edges back")
    device: Device = option("auto", "where to compute")


def check_blend(blend: Sequence[float], styles: int) -> tuple[float, ...]:
    """The styles' shares, summing to 1.

    Raises:
        OptionError: when there are styles without a weight or weights without a style, or all weights are 0.
    """
    if not blend:
        return (1.0 / styles,) * styles
    if len(blend) != styles:
        raise OptionError(f"--blend has {len(blend)} weights for {styles} styles; give one weight a style, such as 2,1")
    total = math.fsum(blend)
    if total <= 0:
        raise OptionError("--blend has only zeros; give at least one style a weight above 0")
    return tuple(w / total for w in blend)


def _spec(field: dataclasses.Field[Any], hint: Any) -> Spec:
    """Reads `int`, `float | None`, `tuple[str, ...]`, `Literal[...]` and the like."""
    optional = False
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        optional = type(None) in typing.get_args(hint)
        (hint,) = (h for h in typing.get_args(hint) if h is not type(None))
    many = typing.get_origin(hint) is tuple
    if many:
        hint = typing.get_args(hint)[0]
    choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    meta = field.metadata
    return Spec(
        name=field.name, kind=str if choices else hint, many=many, optional=optional, choices=choices,
        default=field.default, help=meta["help"], low=meta["low"], high=meta["high"],
    )  # fmt: skip


def _is_real(value: object) -> bool:
    """Whether it is a number, numpy's included; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _shown(number: int | float) -> str:
    return reprlib.repr(number) if isinstance(number, int) else f"{number:g}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
