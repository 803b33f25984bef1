"""The table of methods: name -> paper, options, how to run it, what it needs. A new method is one line here.

Nothing heavy is imported by reading the table: options and recipes are named as "module:attribute" and fetched when
somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, util
from threading import Event as StopSignal
from typing import TYPE_CHECKING, Literal, Union

from impasto.controls import controlled
from impasto.errors import MissingExtraError, OptionError
from impasto.events import Event
from impasto.options import StylizeOptions
from impasto.picture import Picture

if TYPE_CHECKING:
    from impasto.fast.style_code import StyleCode

Style = Union[Picture, "StyleCode"]
"""A painting, or what the fast method made of one earlier."""

Recipe = Callable[..., Iterator[Event]]
"""`recipe(content, styles, options, *, stop)`: reports while it works; the last event is `Done` with the picture."""

Styles = Literal["any", "none", "named"]
"""Where a style comes from: any painting, the network alone, or a name of one of those in the network."""


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: what the command line calls it.
        title: how its paper, or the field, writes it.
        paper: authors, year, title.
        good_at: one line for whoever has to choose.
        typical: how long it takes, at 512 pixels on two cores without bf16 arithmetic.
        module: where it lives; its room is the package's first folder.
        options: name of its options class in that module.
        recipe: name of its function in that module.
        extra: the pip extra it needs, "" for none.
        takes_codes: whether a style may be a `StyleCode` as well as a picture.
        styles: where a style comes from; all but "any" take no painting.
        needs_model: whether it paints with a network that only `options.model` can name.
        texture: name of its texture model in that module, `(look, region, options) -> Loss`; "" if it has none that
            can be used alone.
    """

    name: str
    title: str
    paper: str
    good_at: str
    typical: str
    module: str
    options: str
    recipe: str
    extra: str = ""
    takes_codes: bool = False
    styles: Styles = "any"
    needs_model: bool = False
    texture: str = ""

    @property
    def options_class(self) -> type[StylizeOptions]:
        """The options dataclass; importing it needs no extra."""
        found: type[StylizeOptions] = getattr(import_module(self.module), self.options)
        return found

    @property
    def ready(self) -> bool:
        """Whether what it needs is installed."""
        return not self.extra or util.find_spec(self.extra) is not None


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method(
            name="fast",
            title="Fast",
            paper="Ghiasi et al. 2017, Exploring the structure of a real-time, arbitrary neural artistic stylization "
            "network",
            good_at="any photo in any style at once, no optimisation",
            typical="a second",
            module="impasto.fast.ghiasi",
            options="FastOptions",
            recipe="paint",
            takes_codes=True,
        ),
        Method(
            name="gatys",
            title="Gatys",
            paper="Gatys et al. 2015, A neural algorithm of artistic style",
            good_at="the best picture of one photo, brush strokes and all",
            typical="15 s as a draft, 70 s for a good picture, 5 minutes for the best",
            module="impasto.online.gatys",
            options="GatysOptions",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="w2",
            title="W2",
            paper="Dowson and Landau 1982, The Frechet distance between multivariate normal distributions; as a style "
            "loss by K. Crowson 2022, style-transfer-pytorch",
            good_at="clean colours and even contrast, where gatys turns grey or harsh",
            typical="20 s as a draft, 80 s for a good picture, 5 minutes for the best",
            module="impasto.online.w2",
            options="W2Options",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="risser",
            title="Risser",
            paper="Risser et al. 2017, Stable and controllable neural texture synthesis using histogram losses",
            good_at="gatys with steadier contrast and colours: histograms besides Gram matrices",
            typical="20 s as a draft, 85 s for a good picture, 6 minutes for the best",
            module="impasto.online.risser",
            options="RisserOptions",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="swd",
            title="SWD",
            paper="Heitz et al. 2021, A sliced Wasserstein loss for neural texture synthesis",
            good_at="textures down to the grain: whole distributions of features, not summaries",
            typical="20 s as a draft, 80 s for a good picture, 6 minutes for the best",
            module="impasto.online.swd",
            options="SwdOptions",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="laplacian",
            title="Laplacian",
            paper="Li, Xu, Nie and Chua 2017, Laplacian-steered neural style transfer",
            good_at="gatys that keeps fine lines: faces, fences, writing",
            typical="15 s as a draft, 70 s for a good picture, 5 minutes for the best",
            module="impasto.online.laplacian",
            options="LaplacianOptions",
            recipe="paint",
            extra="torch",
        ),
        Method(
            name="cnnmrf",
            title="CNNMRF",
            paper="Li and Wand 2016, Combining Markov random fields and convolutional neural networks",
            good_at="strokes and shapes copied patch by patch, where photo and painting show alike things",
            typical="15 s as a draft, 65 s for a good picture, 5 minutes for the best",
            module="impasto.online.cnnmrf",
            options="CnnmrfOptions",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="nnst",
            title="NNST",
            paper="Kolkin et al. 2022, Neural neighbor style transfer",
            good_at="the painting's own strokes, laid along the photo's shapes",
            typical="30 s as a draft, 2 minutes for a good picture, 7 minutes for the best",
            module="impasto.online.nnst",
            options="NnstOptions",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="strotss",
            title="STROTSS",
            paper="Kolkin et al. 2019, Style transfer by relaxed optimal transport and self-similarity",
            good_at="free colours and brushwork on shapes that stay",
            typical="30 s as a draft, 3 minutes for a good picture, 8 minutes for the best",
            module="impasto.online.strotss",
            options="StrotssOptions",
            recipe="paint",
            extra="torch",
            texture="texture",
        ),
        Method(
            name="johnson",
            title="Johnson",
            paper="Johnson et al. 2016, Perceptual losses for real-time style transfer and super-resolution",
            good_at="one style, trained with `impasto train johnson`",
            typical="a second",
            module="impasto.fast.johnson",
            options="JohnsonOptions",
            recipe="paint",
            styles="none",
            needs_model=True,
        ),
        Method(
            name="dumoulin",
            title="Dumoulin",
            paper="Dumoulin et al. 2017, A learned representation for artistic style",
            good_at="a handful of styles and all mixtures of them, trained with `impasto train dumoulin`",
            typical="a second",
            module="impasto.fast.dumoulin",
            options="DumoulinOptions",
            recipe="paint",
            styles="named",
            needs_model=True,
        ),
        Method(
            name="adain",
            title="AdaIN",
            paper="Huang and Belongie 2017, Arbitrary style transfer in real-time with adaptive instance normalization",
            good_at="any style by its features' means and deviations, trained with `impasto train adain`",
            typical="seconds",
            module="impasto.fast.adain",
            options="AdaInOptions",
            recipe="paint",
            needs_model=True,
        ),
        Method(
            name="wct",
            title="WCT",
            paper="Li et al. 2017, Universal style transfer via feature transforms",
            good_at="any style by its features' covariance, with a decoder of `impasto train adain`",
            typical="seconds",
            module="impasto.fast.wct",
            options="WctOptions",
            recipe="paint",
            needs_model=True,
        ),
    )
}


def get_method(name: str) -> Method:
    """The row called `name`.

    Raises:
        OptionError: when there is none; the message lists those there are.
    """
    if name not in METHODS:
        raise OptionError(f"unknown method {name!r}; choose one of: {', '.join(METHODS)}")
    return METHODS[name]


def method_of(options: StylizeOptions) -> Method:
    """The method whose options these are."""
    for method in METHODS.values():
        if method.options == type(options).__name__ and method.module == type(options).__module__:
            return method
    raise OptionError(
        f"no method takes {type(options).__name__}; known: {', '.join(m.options for m in METHODS.values())}"
    )


def run(
    content: Picture, styles: Sequence[Style], options: StylizeOptions, *, stop: StopSignal | None = None
) -> Iterator[Event]:
    """Runs the method to which `options` belong, and reports its events; the last is `Done`.

    Args:
        content: the photo.
        styles: one painting or more; `fast` takes saved style codes too. None for networks that have their own.
        options: `FastOptions`, `GatysOptions`, ...
        stop: set it, from a signal handler or another thread, to end early with the best picture so far.

    Raises:
        MissingExtraError: when the method's packages are not installed.
        OptionError: when there is no style or one too many, or an option does not fit these pictures.
    """
    method = method_of(options)
    if method.styles != "any" and styles:
        mend = "leave the painting out" + (", or name a style with --pick" if method.styles == "named" else "")
        raise OptionError(f"{method.name} paints in the style of its network; mend: {mend}")
    if method.styles == "any" and not styles:
        raise OptionError(f"{method.name} needs at least one style picture")
    if not method.ready:
        raise MissingExtraError(f"the method {method.name!r}", method.extra)
    if not method.takes_codes and not all(isinstance(style, Picture) for style in styles):
        raise OptionError(f"{method.name} needs the painting itself; saved style codes are for: {_takers()}")
    recipe: Recipe = getattr(import_module(method.module), method.recipe)
    online = method.module.startswith("impasto.online.")
    return controlled(recipe, content, styles, options, regions=online, stop=stop or StopSignal())


def _takers() -> str:
    return ", ".join(m.name for m in METHODS.values() if m.takes_codes)
