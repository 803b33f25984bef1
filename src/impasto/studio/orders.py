"""What is asked for: from a client's words to a method's options, and from a stored order to a picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopSignal
from typing import Any, Literal, Self

from impasto import api
from impasto.controls import check_masks
from impasto.encoders import get_spec
from impasto.errors import LimitError, MissingExtraError, OptionError
from impasto.events import Event
from impasto.image import fit
from impasto.methods import METHODS, Method, get_method
from impasto.online.options import STEPS, OnlineOptions
from impasto.online.solo import FEATURES, STATISTICS, TEXTURE, check_understood, understood
from impasto.options import Spec, StylizeOptions, check_blend
from impasto.picture import Picture
from impasto.studio.errors import StoppedError
from impasto.studio.gallery import built_in, open_picture
from impasto.studio.limits import Limits
from impasto.studio.store import Store, picture_file

Kind = Literal["stylize", "texture", "reconstruct"]

Purpose = Literal["stylize", "texture", "reconstruct", "statistics"]
"""A kind of job, or what a reconstruction is with `statistics`."""

OURS = ("model", "checkpoint", "device", "precision", "preview_every")
"""Options that whoever runs the studio decides, not its guests."""

_ID = re.compile(r"[0-9a-f]{32}\Z")
_INITS = ("content", "noise", "fast")


@dataclass(frozen=True)
class Order:
    """One job's content.

    Attributes:
        job: what to do.
        method: whose way.
        content: the photo's id; None for textures.
        styles: ids of paintings, or names of built-in ones.
        options: of the method, every one of them; those that name a file hold a picture's id.
        size: (width, height) of a texture, None for the picture's own.
        tileable: of a texture.
        layers: whose features are to be reconstructed.
        statistics: whether only their statistics are.
        label: what to call the result.
    """

    job: Kind
    method: str
    content: str | None
    styles: tuple[str, ...]
    options: dict[str, Any]
    size: tuple[int, int] | None = None
    tileable: bool = False
    layers: tuple[str, ...] = ()
    statistics: bool = False
    label: str = ""

    @classmethod
    def from_stored(cls, told: Mapping[str, Any]) -> Self:
        """An order as the table holds it."""
        size = told.get("size")
        listed = {"styles": tuple(told["styles"]), "layers": tuple(told["layers"])}
        return cls(**{**told, **listed, "size": tuple(size) if size else None})

    def named(self, label: str) -> Self:
        """The same, with what to call the result."""
        return replace(self, label=label)

    def to_stored(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def reads(self) -> list[str]:
        """Ids of all pictures that it needs and that can be deleted."""
        named = [self.content, *self.styles, *(one for _, one in _files(self.options))]
        return [one for one in dict.fromkeys(named) if one and one not in built_in()]

    def settings(self) -> dict[str, Any]:
        """What the result carries: enough to order it again."""
        told = {
            key: value for key, value in self.to_stored().items() if key not in ("label",) and value not in (None, ())
        }
        return {"impasto": version("impasto"), **told}


def check(order: Order, limits: Limits) -> Order:
    """The order with every option spelled out.

    Raises:
        OptionError: when something in it is unknown, does not fit, or is not for guests to say.
        MissingExtraError: when the method needs packages that are not installed.
        LimitError: when it asks for more than the studio does in one job.
    """
    method = _method(order)
    if forbidden := [name for name in OURS if order.options.get(name) is not None]:
        raise OptionError(f"{forbidden[0]} is not for guests to say; leave it out")
    known = sorted(spec.name for spec in method_specs(method))
    if unknown := sorted(set(order.options) - {*known, *OURS}):
        raise OptionError(f"{method.name} has no option {unknown[0]!r}; it has {', '.join(known)}")
    options = method.options_class.from_dict(order.options)
    for name, word in _files(order.options):
        if not _ID.match(word):
            raise OptionError(f"{name} takes the id of an uploaded picture")
    if (begin := getattr(options, "init", None)) and begin not in _INITS and not _ID.match(begin):
        raise OptionError(f"init takes {', '.join(_INITS)} or the id of an uploaded picture")
    _check_parts(order, method, limits)
    _check_fit(order, options)
    _check_side((options.size or 0,), limits)
    told = {key: value for key, value in options.to_dict().items() if key not in OURS}
    return replace(order, options=told)


def method_specs(method: Method) -> Iterator[Spec]:
    """The options of a method that guests may say."""
    return (spec for spec in method.options_class.specs() if spec.name not in OURS)


def meant_options(method: Method) -> dict[Purpose, list[str]]:
    """For each job that a method does, the options that mean something in it; reconstructions are two."""
    names = [spec.name for spec in method_specs(method)]
    if not method.texture:
        return {"stylize": names}
    alone: dict[Purpose, tuple[frozenset[str], bool]] = {
        "texture": (TEXTURE, True),
        "reconstruct": (FEATURES, False),
        "statistics": (STATISTICS, True),
    }
    found: dict[Purpose, list[str]] = {
        job: [n for n in names if understood(n, known, own=own)] for job, (known, own) in alone.items()
    }
    return {"stylize": names, **found}


def guest_methods() -> list[Method]:
    """The methods that guests may choose: all but those that paint with a network that only a file can name."""
    return [method for method in METHODS.values() if not method.needs_model]


def perform(
    order: Order, store: Store, *, on_event: Callable[[Event], None], stop: StopSignal, checkpoint: Path | None = None
) -> Picture:
    """Does the job.

    Args:
        order: as it was checked.
        store: where its pictures lie.
        on_event: called with each event.
        stop: ends it early, with the best picture so far.
        checkpoint: where methods that can keep the state of the run, to go on from after an interruption.

    Returns:
        The picture, with the order as its settings.

    Raises:
        StoppedError: when `stop` was set before the method began, and there is nothing of an earlier run to keep.
        ImpastoError: as the method does.
    """
    with _options(order, store, checkpoint) as options:
        styles = [open_picture(store, style) for style in order.styles]
        for part in _parts(order):  # torch among them, which takes seconds
            _go_on(stop, checkpoint)
            import_module(part)
        _go_on(stop, checkpoint)
        told: dict[str, Any] = {"options": options, "on_event": on_event, "stop": stop}
        if order.job == "texture":
            picture = api.texture(styles, size=order.size, tileable=order.tileable, **told)
        elif order.job == "reconstruct":
            photo = open_picture(store, order.content or "")
            picture = api.reconstruct(photo, order.layers, style=order.statistics, **told)
        else:
            picture = api.stylize(open_picture(store, order.content or ""), styles, **told)
    return replace(picture, settings=order.settings())


def _parts(order: Order) -> list[str]:
    """What a job's method is made of, in the order in which it is to be loaded."""
    method = get_method(order.method)
    return [*([method.extra] if method.extra else []), method.module]


def begun(checkpoint: Path | None) -> bool:
    """Whether a run that was interrupted has left steps that are worth keeping; no state is kept before the first."""
    return checkpoint is not None and checkpoint.exists()


def _go_on(stop: StopSignal, checkpoint: Path | None) -> None:
    if stop.is_set() and not begun(checkpoint):
        raise StoppedError("the job was to stop before it began")


def _method(order: Order) -> Method:
    method = get_method(order.method)
    if method.needs_model:
        raise OptionError(f"{method.name} paints with a network of one's own, which the studio does not take")
    if order.job == "texture" and not method.texture:
        having = ", ".join(m.name for m in METHODS.values() if m.texture)
        raise OptionError(f"{method.name} makes no textures; methods that do: {having}")
    if order.job == "reconstruct" and not method.texture:
        raise OptionError(f"{method.name} reconstructs nothing; take gatys")
    if not method.ready:
        raise MissingExtraError(f"the method {method.name!r}", method.extra)
    return method


def _check_parts(order: Order, method: Method, limits: Limits) -> None:
    """Whether there are as many pictures as the job takes."""
    if (order.content is None) == (order.job != "texture"):
        raise OptionError("a texture has no photo" if order.content else "the photo is missing; upload one")
    if order.job != "reconstruct" and method.styles == "any" and not order.styles:
        raise OptionError("the painting is missing; choose a style")
    if len(order.styles) > limits.styles_per_job:
        raise OptionError(f"{len(order.styles)} styles are too many; at most {limits.styles_per_job}")
    if order.job == "reconstruct" and not order.layers:
        raise OptionError("the layer is missing; such as relu3_1")
    for word in (order.content, *order.styles):
        if word and not _ID.match(word) and (word == order.content or word not in built_in()):
            raise OptionError("a picture is named by its id, a built-in style by its name")


def _check_fit(order: Order, options: StylizeOptions) -> None:
    """Whether options fit the paintings and each other, so that nobody waits in line to be told that they do not."""
    if options.blend and order.job != "reconstruct":
        check_blend(options.blend, len(order.styles))
    if order.job == "stylize":
        check_masks(options, len(order.styles))
    if isinstance(options, OnlineOptions):
        _check_online(order, options)


def _check_online(order: Order, options: OnlineOptions) -> None:
    """The same of what optimises, as far as it can be told without torch and without the pictures."""
    eyes = get_spec(options.encoder)
    asked = *order.layers, *options.style_layers, *options.content_layers
    if strange := [layer for layer in asked if layer not in eyes.layers]:
        raise OptionError(f"{eyes.name} has no layer {strange[0]!r}; it has {', '.join(eyes.layers)}")
    if not eyes.poolings and (options.pooling or order.tileable):
        raise OptionError(f"{eyes.name} has no pooling to choose and makes nothing tileable; mend: encoder vgg19")
    if order.job == "texture":
        check_understood(options, TEXTURE, "a texture has no photo")
    elif order.job == "reconstruct":
        known = STATISTICS if order.statistics else FEATURES
        check_understood(options, known, "there is one picture, and no painting", own=order.statistics)
    else:
        _check_apart(order, options)


def _check_apart(order: Order, options: OnlineOptions) -> None:
    """Two scales from two paintings go with nothing that divides them, and all of that not with the fast beginning."""
    divided = bool(options.style_mask or options.semantic)
    if options.mix_scales and (len(order.styles) != 2 or len(options.mask) > 1 or divided or options.blend):
        raise OptionError("mix_scales takes two paintings, the large shapes' first, and no masks and no blend")
    if options.init == "fast" and (divided or options.mix_scales):
        raise OptionError("init fast goes with no style_mask, semantic or mix_scales; mend: init content")


def check_work(order: Order, photo: tuple[int, int], limits: Limits) -> None:
    """Whether a checked order is within what one job may ask for.

    Args:
        order: as it was checked.
        photo: (width, height) of its photo, (0, 0) where there is none.
        limits: of one job.

    Raises:
        LimitError: when it asks for more than the studio does in one job.
    """
    size = _result_size(order, photo)
    _check_side(size, limits)
    told = order.options
    check_steps(told.get("steps") or STEPS.get(told.get("quality", ""), 0), size, limits)


def _result_size(order: Order, photo: tuple[int, int]) -> tuple[int, int]:
    if order.job == "texture":  # small where nothing is said
        return order.size or (0, 0)
    asked = order.options.get("size") or max(photo)
    return fit(photo, min(asked, max(photo)) if order.job == "reconstruct" else asked)


def _check_side(size: Iterable[int], limits: Limits) -> None:
    if (side := max(size)) > limits.job_side:
        raise LimitError(f"{side} pixels are too many; mend: size, at most {limits.job_side} on the long side")


def check_steps(steps: int, size: tuple[int, int], limits: Limits) -> None:
    """Whether so many steps at this size are within what one job may ask for.

    Raises:
        LimitError: names the steps that would be.
    """
    pixels = max(1, size[0] * size[1])
    if steps * pixels > limits.pixel_steps:
        fits = limits.pixel_steps // pixels
        raise LimitError(f"{steps} steps at {size[0]}x{size[1]} are more than one job may take; mend: {fits} steps")


def _files(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every word in the options that stands for a picture, with its option's name."""
    for name in ("mask", "style_mask", "semantic"):
        several = options.get(name) or ()
        yield from ((name, str(one)) for one in ([several] if isinstance(several, str) else several))
    begin = options.get("init")
    if isinstance(begin, str) and begin not in _INITS:
        yield "init", begin


@contextmanager
def _options(order: Order, store: Store, checkpoint: Path | None) -> Iterator[StylizeOptions]:
    """The method's options, with a file for every picture that they name."""
    beside = {"dir": checkpoint.parent, "prefix": f"{checkpoint.name}-"} if checkpoint else {"prefix": "impasto-"}
    with TemporaryDirectory(**beside) as folder:  # where it is swept away when this process is killed
        paths: dict[str, str] = {}
        for _, identity in _files(order.options):
            path = Path(folder) / picture_file(identity)
            path.write_bytes(store.get(picture_file(identity)))
            paths[identity] = str(path)
        values = {name: _with_paths(value, paths) for name, value in order.options.items()}
        options_class = get_method(order.method).options_class
        known = {spec.name for spec in options_class.specs()}
        ours: dict[str, Any] = {"preview_every": 1}
        if order.job == "stylize":  # the others are over sooner than it is worth
            ours["checkpoint"] = checkpoint
        yield options_class.from_dict(values | {name: value for name, value in ours.items() if name in known})


def _with_paths(value: Any, paths: Mapping[str, str]) -> Any:
    if isinstance(value, list | tuple):
        return [_with_paths(one, paths) for one in value]
    return paths.get(value, value) if isinstance(value, str) else value


def without_flags(text: str) -> str:
    """The library speaks of --keep-color; here it is keep_color."""
    return re.sub(r"--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), text)
